"""Good tokens, and tokens that are refused on an ordinary day."""

from __future__ import annotations

from typing import Any

from writer import (
    ACCESS_TYP,
    BASE,
    GOOD,
    ISSUER,
    NOW,
    OTHER_PROJECT,
    PREFIX,
    PROJECT,
    TOKEN_BYTES_MAX,
    Vector,
    claims,
    header_of,
    to_json,
    token,
    vector,
    without,
)

ABOUT = "Good tokens, and tokens that are refused on an ordinary day."
TAGS = ["b-3Vq0zTnP4k", "Xy9_aaBBcc01", "0000000000-_"]
SAFE_INTEGER_MAX = 2**53 - 1
LATER = {"jti": "a2f0c3", "sid": GOOD["sid"]}  # an access token: its own jti, its session's sid


def good(name: str, payload: dict[str, Any] | None = None, text: str = "", **where: Any) -> Vector:
    payload = GOOD if payload is None else payload
    return vector(name, text or token(payload=payload), "ok", **where) | {"claims": payload}


def vectors() -> list[Vector]:
    return [*_good(), *_on_the_edge(), *_out_of_time(), *_elsewhere(), *_unknown_key()]


def _good() -> list[Vector]:
    access = GOOD | LATER
    replaced = "https://accounts.customer.example"
    named = claims(aud="https://api.example")
    unicode = claims(sub="zoë 🦉 𐍈", organization_id="中文")
    other = claims(iss=f"{ISSUER}/{OTHER_PROJECT}", aud=f"{ISSUER}/{OTHER_PROJECT}", project_id=OTHER_PROJECT)
    live = claims(iss=f"{BASE}/live", aud=f"{BASE}/live", environment="live")
    own = claims(iss=replaced, aud=replaced)
    return [
        good("good: ES256, bare"),
        good("good: ES256, with its prefix", text=token(prefix=PREFIX)),
        good("good: EdDSA, bare", text=token(by="eddsa")),
        good("good: EdDSA, with its prefix", text=token(by="eddsa", prefix=PREFIX)),
        good("good: RS256, bare", text=token(by="rs256")),
        good("good: RS256, with its prefix", text=token(by="rs256", prefix=PREFIX)),
        good("good: HS256, bare", text=token(by="hs256"), keys="secret", expect="secret"),
        good("good: HS256, with its prefix", text=token(by="hs256", prefix=PREFIX), keys="secret", expect="secret"),
        good("good: an access token", access, token(header_of(typ=ACCESS_TYP), access)),
        good("good: of a live issuer", live, token(payload=live, prefix="gp_session_live_"), expect="live"),
        good("good: of another project's issuer", other, expect="other project"),
        good("good: of an issuer that was replaced verbatim", own, expect="replaced issuer"),
        good("good: for an audience of its own", named, expect="named audience"),
        good("good: with nbf, which has come", claims(nbf=NOW)),
        good("good: with an organization", claims(organization_id="org_7")),
        good("good: with max_uses", claims(max_uses=1)),
        good("good: unrestricted", claims(scope="*")),
        good("good: an empty scope allows nothing", claims(scope="")),
        good("good: an absent scope allows nothing", without(GOOD, "scope")),
        good("good: without a status list", without(GOOD, "status")),
        *(
            good(f"good: with {form} for the cut list", claims(status=GOOD["status"] | {"cuts": tags}))
            for form, tags in (("no tags", []), ("three tags", TAGS), ("eight tags", (TAGS * 3)[:8]))
        ),
        good("good: a tag of 12 characters, beyond ASCII", claims(status=GOOD["status"] | {"cuts": ["🦉" * 12]})),
        good("good: names beyond ASCII", unicode),
        good(
            "good: names beyond ASCII, written as JSON escapes",
            claims(sub="zoë 🦉"),
            token(payload=to_json(claims(sub="@")).replace(b"@", rb"zo\u00eb \ud83e\udd89")),
        ),
        good("good: a claim that is not known is ignored", None, token(payload=claims(later={"a": [1, None]}))),
        good("good: claims in another order", None, token(payload=dict(reversed(GOOD.items())))),
        good(
            "good: claims with white space",
            None,
            token(payload=b" \r\n\t" + to_json(GOOD).replace(b",", b" , ") + b"\n"),
        ),
        good("good: a header in another order", None, token(dict(reversed(header_of().items())))),
        good("good: a header member that is not known and changes nothing", None, token(header_of(cty="JWT"))),
    ]


def _on_the_edge() -> list[Vector]:
    deep = b'{"later":%s,' % (b"[" * 31 + b"]" * 31) + to_json(GOOD)[1:]
    return [
        good("edge: the last second of its life", claims(exp=NOW + 1)),
        vector("edge: exp is now", token(payload=claims(exp=NOW)), "TOKEN_EXPIRED"),
        good("edge: the last second of its life with leeway 5", claims(exp=NOW - 4), expect="sdk"),
        vector("edge: exp and leeway 5 are now", token(payload=claims(exp=NOW - 5)), "TOKEN_EXPIRED", expect="sdk"),
        good("edge: nbf 5 s from now, leeway 5", claims(nbf=NOW + 5)),
        vector("edge: nbf 6 s from now, leeway 5", token(payload=claims(nbf=NOW + 6)), "TOKEN_NOT_YET_VALID"),
        good("edge: iat 5 s from now, leeway 5", claims(iat=NOW + 5)),
        vector("edge: iat 6 s from now, leeway 5", token(payload=claims(iat=NOW + 6)), "TOKEN_NOT_YET_VALID"),
        good("edge: as old as the call allows, with the leeway", claims(iat=NOW - 305), expect="fresh"),
        vector("edge: a second older", token(payload=claims(iat=NOW - 306)), "TOKEN_TOO_OLD", expect="fresh"),
        good("edge: exp is the largest integer that JSON readers agree on", claims(exp=SAFE_INTEGER_MAX)),
        good("edge: minted at the beginning of time", claims(iat=0, nbf=0)),
        good("edge: 32 objects and arrays inside each other", None, token(payload=deep)),
        _of_length(TOKEN_BYTES_MAX, "ok"),
        _of_length(TOKEN_BYTES_MAX + 1, "TOKEN_MALFORMED"),
    ]


def _out_of_time() -> list[Vector]:
    expired = claims(exp=NOW - 1)
    return [
        vector("time: expired a second ago", token(payload=expired), "TOKEN_EXPIRED"),
        vector("time: expired, with its prefix", token(payload=expired, prefix=PREFIX), "TOKEN_EXPIRED"),
        vector("time: expired long ago", token(), "TOKEN_EXPIRED", now=NOW + 10**9),
        vector("time: expired and too old", token(payload=claims(iat=0, exp=1)), "TOKEN_EXPIRED", expect="fresh"),
        vector("time: begins in an hour", token(payload=claims(nbf=NOW + 3600)), "TOKEN_NOT_YET_VALID"),
        vector("time: issued in an hour", token(payload=claims(iat=NOW + 3600)), "TOKEN_NOT_YET_VALID"),
        vector(
            "time: over before it begins",
            token(payload=claims(exp=NOW - 10, nbf=NOW + 10)),
            "TOKEN_EXPIRED",
        ),
        vector(
            "time: begins in the past but was issued in the future",
            token(payload=claims(nbf=NOW - 10, iat=NOW + 10)),
            "TOKEN_NOT_YET_VALID",
        ),
        vector("time: good for an hour, older than the call allows", token(), "TOKEN_TOO_OLD", expect="fresh", now=NOW + 600),
    ]  # fmt: skip


def _elsewhere() -> list[Vector]:
    return [
        vector("place: for another audience", token(payload=claims(aud="https://api.example")), "TOKEN_AUDIENCE_MISMATCH"),
        vector("place: for the issuer, where an audience is named", token(), "TOKEN_AUDIENCE_MISMATCH", expect="named audience"),
        vector("place: of another issuer under our key", token(payload=claims(iss="https://other.example")), "TOKEN_ISSUER_MISMATCH"),
        vector("place: of another project under our issuer", token(payload=claims(project_id=OTHER_PROJECT)), "TOKEN_PROJECT_MISMATCH"),
        vector("place: of the other environment under our issuer", token(payload=claims(environment="live")), "TOKEN_ENVIRONMENT_MISMATCH"),
        vector("place: with the other environment's prefix", token(prefix="gp_session_live_"), "TOKEN_ENVIRONMENT_MISMATCH"),
        vector("place: expired, and for another audience", token(payload=claims(aud="x", exp=1)), "TOKEN_AUDIENCE_MISMATCH"),
    ]  # fmt: skip


def _unknown_key() -> list[Vector]:
    def foreign(name: str, issuer: str, code: str, expect: str = "server") -> Vector:
        return vector(f"unknown key: {name}", token(payload=claims(iss=issuer), by="stranger"), code, expect=expect)

    live = f"{BASE}/live"
    return [
        foreign("our own issuer", ISSUER, "TOKEN_KEY_UNKNOWN"),
        vector("unknown key: our own issuer, before any key is known", token(), "TOKEN_KEY_UNKNOWN", keys="none"),
        vector("unknown key: our own issuer, expired: the key comes first", token(payload=claims(exp=1), by="stranger"), "TOKEN_KEY_UNKNOWN"),
        vector("unknown key: no kid, our own issuer", token(without(header_of(), "kid")), "TOKEN_KEY_UNKNOWN"),
        foreign("the other environment", live, "TOKEN_ENVIRONMENT_MISMATCH"),
        foreign("another project of the other environment", f"{live}/{PROJECT}", "TOKEN_ENVIRONMENT_MISMATCH"),
        foreign("another project", f"{ISSUER}/{OTHER_PROJECT}", "TOKEN_PROJECT_MISMATCH"),
        foreign("the default project, at another project's verifier", ISSUER, "TOKEN_PROJECT_MISMATCH", "other project"),
        foreign("test, at a live verifier", ISSUER, "TOKEN_ENVIRONMENT_MISMATCH", "live"),
        foreign("a stranger", "https://other.example/test", "TOKEN_ISSUER_MISMATCH"),
        foreign("our base alone", BASE, "TOKEN_ISSUER_MISMATCH"),
        foreign("a third environment of our base", f"{BASE}/staging", "TOKEN_ISSUER_MISMATCH"),
        foreign("our base, for a verifier whose issuer was replaced", ISSUER, "TOKEN_ISSUER_MISMATCH", "replaced issuer"),
    ]  # fmt: skip


def _of_length(size: int, code: str) -> Vector:
    """A well made token of exactly so many bytes."""
    for filler in ("x", "xx"):  # base64 has no length of 4n + 1
        header = header_of(cty=filler)
        missing = size - len(token(header, claims(sub="")))
        for width in range(missing * 3 // 4 - 3, missing):
            payload = claims(sub="u" * width)
            text = token(header, payload)
            if len(text) == size:
                one = vector(f"edge: a token of {size} bytes", text, code)
                return one | {"claims": payload} if code == "ok" else one
            if len(text) > size:
                break
    raise SystemExit(f"no token has {size} bytes")

"""What a payload can lie about, under a signature that holds: only the issuer's own key could make these."""

from __future__ import annotations

from writer import (
    ACCESS_TYP,
    BASE,
    GOOD,
    ISSUER,
    LIVE_PREFIX,
    NOW,
    OTHER_PROJECT,
    PREFIX,
    SESSION,
    Vector,
    claims,
    header_of,
    to_json,
    token,
    vector,
    without,
)

MALFORMED, TYPE, ENVIRONMENT = "TOKEN_MALFORMED", "TOKEN_TYPE_MISMATCH", "TOKEN_ENVIRONMENT_MISMATCH"
ISSUER_CODE, AUDIENCE = "TOKEN_ISSUER_MISMATCH", "TOKEN_AUDIENCE_MISMATCH"
REQUIRED = ("iss", "aud", "sub", "iat", "exp", "sid", "jti", "client_id", "project_id", "environment")
TEXTS = ("iss", "aud", "sub", "sid", "jti", "client_id", "project_id", "environment", "scope", "organization_id")
TAG = "b-3Vq0zTnP4k"  # of a cut list: 9 bytes in base64url
SCRIPT_TYP, LIST_TYP = "guestpass-script+jwt", "statuslist+jwt"


def vectors() -> list[Vector]:
    families = (_times, _audience, _types, _missing, _duplicates, _json, _issuer, _kinds, _places)
    return [one for family in families for one in family()]


def _times() -> list[Vector]:
    later = NOW + 3540
    raw = {
        "a string": f'"{later}"',
        "an RFC 3339 time": '"2030-01-31T12:00:00Z"',
        "an empty string": '""',
        "a float": f"{later}.0",
        "a float with a fraction": f"{later}.5",
        "with an exponent": "17e8",
        "with an exponent that is negative": f"{later}0e-1",
        "NaN": "NaN",
        "Infinity": "Infinity",
        "-Infinity": "-Infinity",
        "1e400": "1e400",
        "negative": "-1",
        "2^53": str(2**53),
        "2^53 + 1": str(2**53 + 1),
        "2^63": str(2**63),
        "2^64": str(2**64),
        "-2^63 - 1": str(-(2**63) - 1),
        "a thousand digits": "9" * 1000,
        "true": "true",
        "false": "false",
        "null": "null",
        "an array": f"[{later}]",
        "an object": f'{{"$numberLong":"{later}"}}',
        "hexadecimal": "0x6553f100",
        "with a leading zero": f"0{later}",
        "with a plus": f"+{later}",
        "with an underscore": "1_700_003_540",
        "a big integer of JavaScript": f"{later}n",
    }
    found = []
    for name in ("exp", "nbf", "iat"):
        rest = to_json(without(GOOD, name))[:-1]
        for form, text in raw.items():
            payload = rest + f',"{name}":{text}}}'.encode()
            found.append(vector(f"{name}: {form}", token(payload=payload), MALFORMED))
    return found


def _audience() -> list[Vector]:
    return [
        vector("aud: an array of the right one", token(payload=claims(aud=[ISSUER])), MALFORMED),
        vector("aud: an array with the right one among others", token(payload=claims(aud=[ISSUER, "https://evil.example"])), MALFORMED),
        vector("aud: an empty array", token(payload=claims(aud=[])), MALFORMED),
        vector("aud: an object with the right one as name", token(payload=claims(aud={ISSUER: True})), MALFORMED),
        vector("aud: empty", token(payload=claims(aud="")), AUDIENCE),
        vector("aud: with a trailing slash", token(payload=claims(aud=f"{ISSUER}/")), AUDIENCE),
        vector("aud: in upper case", token(payload=claims(aud=ISSUER.upper())), AUDIENCE),
        vector("aud: the beginning of the right one", token(payload=claims(aud=ISSUER[:-1])), AUDIENCE),
        vector("aud: the right one and more", token(payload=claims(aud=f"{ISSUER}.evil.example")), AUDIENCE),
        vector("aud: two, with a space between", token(payload=claims(aud=f"{ISSUER} https://evil.example")), AUDIENCE),
        vector("aud: a wildcard", token(payload=claims(aud="*")), AUDIENCE),
    ]  # fmt: skip


def _types() -> list[Vector]:
    wrong: dict[str, object] = {"a number": 42, "null": None, "true": True, "an array": ["x"], "an object": {"x": 1}}
    entry = {"idx": 1, "uri": "https://id.example/test/status-lists/1"}
    status: dict[str, object] = {
        "null": None,
        "a string": "valid",
        "an empty object": {},
        "an array": [],
        "of another mechanism": {"status_assertion": {}},
        "an entry that is null": {"status_list": None},
        "an entry without idx": {"status_list": without(entry, "idx")},
        "an entry without uri": {"status_list": without(entry, "uri")},
        "an idx that is a string": {"status_list": entry | {"idx": "1"}},
        "an idx that is negative": {"status_list": entry | {"idx": -1}},
        "an idx that is a float": {"status_list": entry | {"idx": 1.5}},
        "an idx beyond 2^53": {"status_list": entry | {"idx": 2**53}},
        "a uri that is a number": {"status_list": entry | {"uri": 1}},
        **{f"cuts: {form}": {"status_list": entry, "cuts": cuts} for form, cuts in _malformed_cuts().items()},
        "cuts: without a status list": {"cuts": [TAG]},
    }
    uses: dict[str, object] = {
        "0": 0,
        "negative": -1,
        "a string": "1",
        "a float": 1.5,
        "null": None,
        "true": True,
        "beyond 2^53": 2**53,
    }
    return [
        *(
            vector(f"{name}: {form}", token(payload=claims(**{name: value})), MALFORMED)
            for name in TEXTS
            for form, value in wrong.items()
            if (name, form) not in {("aud", "an array"), ("aud", "an object")}
        ),
        *(vector(f"status: {form}", token(payload=claims(status=value)), MALFORMED) for form, value in status.items()),
        *(vector(f"max_uses: {form}", token(payload=claims(max_uses=value)), MALFORMED) for form, value in uses.items()),
    ]  # fmt: skip


def _malformed_cuts() -> dict[str, object]:
    return {
        "null": None,
        "a string": TAG,
        "an object": {TAG: [0, 0]},
        "true": True,
        "a tag that is a number": [TAG, 123456789012],
        "a tag that is null": [None],
        "a tag that is an array": [[TAG]],
        "an empty tag": [""],
        "a tag of 11 characters": [TAG[1:]],
        "a tag of 13 characters": [TAG + "A"],
        "a tag of 12 UTF-16 units, which are 6 characters": ["🦉" * 6],
        "everybody, as a tag": ["*"],
        "nine tags": [TAG] * 9,
    }


def _missing() -> list[Vector]:
    return [
        *(vector(f"missing: {name}", token(payload=without(GOOD, name)), MALFORMED) for name in REQUIRED),
        vector("missing: exp, which stands in the header", token(header_of(exp=NOW + 60), without(GOOD, "exp")), MALFORMED),
        vector("missing: exp, under the name EXP", token(payload=without(claims(EXP=NOW + 60), "exp")), MALFORMED),
        vector("missing: everything", token(payload={}), MALFORMED),
    ]  # fmt: skip


def _duplicates() -> list[Vector]:
    plain = to_json(GOOD)
    inner = plain[:-1]
    again = {
        "exp, a later one last": inner + b',"exp":9999999999}',
        "exp, a later one first": b'{"exp":9999999999,' + plain[1:],
        "sub": inner + b',"sub":"admin"}',
        "iss, the same": inner + b',"iss":"%s"}' % ISSUER.encode(),
        "scope": inner + b',"scope":"*"}',
        "scope, once as a JSON escape": inner + b',"sc\\u006fpe":"*"}',
        "environment": inner + b',"environment":"live"}',
        "a claim that is not known": inner + b',"x":1,"x":2}',
        "a member inside status": plain.replace(b'"idx":412', b'"idx":413,"idx":412'),
        "a member inside a claim that is not known": inner + b',"x":{"y":1,"y":1}}',
    }
    return [vector(f"claim twice: {form}", token(payload=payload), MALFORMED) for form, payload in again.items()]


def _json() -> list[Vector]:
    plain = to_json(GOOD)
    inner, text = plain[:-1], plain.decode()
    spellings = {
        "with a byte order mark": b"\xef\xbb\xbf" + plain,
        "UTF-16, little end first": text.encode("utf-16-le"),
        "UTF-16, big end first": text.encode("utf-16-be"),
        "UTF-16 with a byte order mark": text.encode("utf-16"),
        "half a surrogate pair in sub": plain.replace(b"user_42", rb"\ud83e"),
        "the other half in sub": plain.replace(b"user_42", rb"\udd89"),
        "half a surrogate pair in a claim that is not known": inner + rb',"x":"\ud83e"}',
        "half a surrogate pair in a name": inner + rb',"\ud83e":1}',
        "a surrogate in UTF-8": plain.replace(b"user_42", b"\xed\xa0\xbe"),
        "overlong UTF-8": plain.replace(b"user_42", b"\xc1\xa1"),
        "not UTF-8": plain.replace(b"user_42", b"\xff"),
        "not UTF-8 in a claim that is not known": inner + b',"x":"\xff"}',
        "NaN in a claim that is not known": inner + b',"x":NaN}',
        "Infinity in a claim that is not known": inner + b',"x":[Infinity]}',
        "1e400 in a claim that is not known": inner + b',"x":1e400}',
        "text after it": plain + b"{}",
        "a NUL after it": plain + b"\0",
        "a comma too many": inner + b",}",
        "a comment": inner + b"/**/}",
        "a control character in a string": plain.replace(b"user_42", b"user\n42"),
        "cut": inner,
        "33 objects and arrays inside each other": inner + b',"x":' + b"[" * 32 + b"]" * 32 + b"}",
        "1000 arrays inside each other": inner + b',"x":' + b"[" * 1000 + b"]" * 1000 + b"}",
        "an array": b"[" + plain + b"]",
        "a string": to_json(text),
        "null": b"null",
        "a number": b"1",
        "not JSON": b"sub=user_42&exp=9999999999",
        "CBOR": bytes.fromhex("a1636973736161"),
    }
    deep = b'{"x":' + b"[" * 1200 + b"]" * 1200 + b',"iss":"%s"}' % ISSUER.encode()
    twice = b'{"iss":"https://evil.example","iss":"%s"}' % ISSUER.encode()
    return [
        *(vector(f"claims: {form}", token(payload=payload), MALFORMED) for form, payload in spellings.items()),
        vector("claims: under an unknown key, 1200 arrays inside each other", token(payload=deep, by="stranger"), ISSUER_CODE),
        vector("claims: under an unknown key, iss twice", token(payload=twice, by="stranger"), ISSUER_CODE),
        vector("claims: under an unknown key, not JSON", token(payload=b"\xff", by="stranger"), ISSUER_CODE),
        vector("claims: under an unknown key, iss is an array", token(payload={"iss": [ISSUER]}, by="stranger"), ISSUER_CODE),
        vector("claims: under an unknown key, iss is our own and the rest is missing", token(payload={"iss": ISSUER}, by="stranger"), "TOKEN_KEY_UNKNOWN"),
    ]  # fmt: skip


def _issuer() -> list[Vector]:
    wrong = {
        "with a trailing slash": f"{ISSUER}/",
        "without its environment": BASE,
        "in upper case": ISSUER.upper(),
        "with its host in upper case": ISSUER.replace("id.example", "ID.EXAMPLE"),
        "with a Cyrillic letter": ISSUER.replace("e", "\u0435", 1),
        "with a full-width letter": ISSUER.replace("t", "\uff54", 1),
        "with a letter that folds to the same": f"{BASE}/te\u017ft",
        "with a combining mark": f"{BASE}/te\u0301st",
        "with a zero-width space": f"{ISSUER}\u200b",
        "with a NUL": f"{ISSUER}\0",
        "with white space": f" {ISSUER}",
        "with a newline": f"{ISSUER}\n",
        "with a port": ISSUER.replace("id.example", "id.example:443"),
        "over http": ISSUER.replace("https", "http"),
        "with user information": ISSUER.replace("id.example", "id.example@evil.example"),
        "as a sub-domain of another": ISSUER.replace("id.example", "id.example.evil.example"),
        "with a dot after the host": ISSUER.replace("id.example", "id.example."),
        "with a query": f"{ISSUER}?",
        "with a fragment": f"{ISSUER}#",
        "with a path that goes back": f"{BASE}/live/../test",
        "percent-encoded": f"{BASE}/%74est",
        "of another project": f"{ISSUER}/{OTHER_PROJECT}",
        "of the other environment": f"{BASE}/live",
        "empty": "",
    }
    return [
        *(vector(f"iss: {form}", token(payload=claims(iss=iss)), ISSUER_CODE) for form, iss in wrong.items()),
        *(
            vector(f"iss: {form}, under an unknown key", token(payload=claims(iss=iss), by="stranger"), ISSUER_CODE)
            for form, iss in wrong.items()
            if not form.startswith("of ")
        ),
    ]


def _kinds() -> list[Vector]:
    times = {"iat": NOW - 10, "exp": NOW + 50}
    script = {
        "iss": ISSUER,
        "aud": "ck_test_a",
        "dest": "shop.example",
        "sub": "user_42",
        "sid": SESSION,
        "jti": "j",
    } | times
    listed = {
        "iss": ISSUER,
        "sub": f"{ISSUER}/status-lists/1",
        "ttl": 60,
        "status_list": {"bits": 2, "lst": "eNrbuRgAAhcBXQ"},
    } | times
    opaque = "01hf7yb2m8d2s9v4q6zj3k5n7p" + "0" * 43
    return [
        vector("kind: a script token", token(header_of(typ=SCRIPT_TYP), script), TYPE),
        vector("kind: a script token with the prefix of a session", token(header_of(typ=SCRIPT_TYP), script, prefix=PREFIX), TYPE),
        vector("kind: a script token with all claims of a session", token(header_of(typ=SCRIPT_TYP)), TYPE),
        vector("kind: a script token under its app's secret", token(header_of("hs256", typ=SCRIPT_TYP), script, by="hs256"), "TOKEN_ALGORITHM_REFUSED"),
        vector("kind: a status list", token(header_of(typ=LIST_TYP), listed), TYPE),
        vector("kind: a status list with all claims of a session", token(header_of(typ=LIST_TYP)), TYPE),
        vector("kind: an expired script token: its type comes first", token(header_of(typ=SCRIPT_TYP), script | {"exp": 1}), TYPE),
        vector("kind: an access token with the prefix of a session", token(header_of(typ=ACCESS_TYP), prefix=PREFIX), TYPE),
        vector("kind: a refresh token", f"gp_refresh_test_{opaque}aaaaaa", TYPE),
        vector("kind: a refresh token of the other environment", f"gp_refresh_live_{opaque}aaaaaa", ENVIRONMENT),
        vector("kind: a signed token with the prefix of a refresh token", token(prefix="gp_refresh_test_"), TYPE),
        vector("kind: an API key", "sk_test_" + "0" * 49, MALFORMED),
        vector("kind: a live API key", "sk_live_" + "0" * 49, MALFORMED),
        vector("kind: an app's client key", "ck_test_" + "0" * 49, MALFORMED),
        vector("kind: a signed token with the prefix of an API key", token(prefix="sk_test_"), MALFORMED),
        vector("kind: a session id", SESSION, MALFORMED),
        vector("kind: an opaque token with a wrong checksum", f"{PREFIX}{opaque}aaaaaa", MALFORMED),
        vector("kind: an opaque token that was cut", f"{PREFIX}{opaque}", MALFORMED),
        vector("kind: an opaque token without its prefix", f"{opaque}aaaaaa", MALFORMED),
        vector("kind: an ID token", token(header_of(typ="JWT"), {"iss": ISSUER, "aud": ISSUER, "sub": "user_42", "nonce": "n"} | times), TYPE),
    ]  # fmt: skip


def _places() -> list[Vector]:
    return [
        vector("environment: a live token's prefix on a test token", token(prefix=LIVE_PREFIX), ENVIRONMENT),
        vector("environment: a test token's prefix on a token whose claim is live", token(payload=claims(environment="live"), prefix=PREFIX), ENVIRONMENT),
        vector("environment: a live prefix and a live claim under a test key", token(payload=claims(environment="live"), prefix=LIVE_PREFIX), ENVIRONMENT),
        vector("environment: claim in upper case", token(payload=claims(environment="TEST")), ENVIRONMENT),
        vector("environment: claim with white space", token(payload=claims(environment="test ")), ENVIRONMENT),
        vector("environment: claim of a third one", token(payload=claims(environment="staging")), ENVIRONMENT),
        vector("environment: claim is empty", token(payload=claims(environment="")), ENVIRONMENT),
        vector("environment: live prefix before rubbish", f"{LIVE_PREFIX}rubbish", ENVIRONMENT),
        vector("environment: prefix of a third one", token(prefix="gp_session_staging_"), MALFORMED),
        vector("environment: prefix in upper case", token(prefix=PREFIX.upper()), MALFORMED),
        vector("environment: prefix of another service", token(prefix="xx_session_test_"), MALFORMED),
        vector("project: of another", token(payload=claims(project_id=OTHER_PROJECT)), "TOKEN_PROJECT_MISMATCH"),
        vector("project: empty", token(payload=claims(project_id="")), "TOKEN_PROJECT_MISMATCH"),
        vector("project: in upper case", token(payload=claims(project_id=str(GOOD["project_id"]).upper())), "TOKEN_PROJECT_MISMATCH"),
        vector("project: another project's token shown to ours, its issuer first", token(payload=claims(iss=f"{ISSUER}/{OTHER_PROJECT}", project_id=OTHER_PROJECT)), ISSUER_CODE),
    ]  # fmt: skip

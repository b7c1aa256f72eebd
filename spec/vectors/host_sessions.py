"""Cookies, proofs and origins of the host's session routes. Imports nothing of Guestpass: a second opinion."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

from signatures import KEYS as API_KEYS

Vector = dict[str, Any]

ABOUT = (
    "What the session routes of a host do alike in every language; docs/adr/0021 says why. `secrets` are API keys by"
    " name, `keys` what HKDF-SHA256 (no salt, 32 bytes, the labels guestpass/host/owner/v1 and guestpass/host/csrf/v1)"
    " makes of them, in hex. Kinds of vectors: `name`: the cookie's name at an address, and whether it is Secure."
    " `seal`: the cookie's value and the CSRF token of a refresh token under the secret `now`. `owner`: whether the proof in"
    " `value` holds for the owner under `secrets`. `csrf`: whether `token` is that of the session. `read`: the values that a"
    " Cookie header has under `cookie`, in their order. `origin`: whether a request may come from where it says it does."
    " `cookieParts` stands in place of a long `header`: a list of [text, times]. Written by make.py."
)

NOW, EARLIER = API_KEYS.values()
SECRETS = {"now": NOW, "earlier": EARLIER}
SESSION = "sess_01hf7yb2m8d2s9v4q6zj3k5n7p"
OTHER_SESSION = "sess_01hf7yb2m8d2s9v4q6zj3k5n7q"
REST = "8fK2mQ9vT4xZ1bN6cR3wY7pL5hJ0dG2sA4eU8iO1kMx3vB9n"
PLAIN, SAFE, LIVE = "gp_refresh_test", "__Host-gp_refresh_test", "__Host-gp_refresh_live"


def refresh_token(session: str = SESSION, environment: str = "test", brand: str = "gp") -> str:
    return f"{brand}_refresh_{environment}_{session.removeprefix('sess_')}{REST}"


def hkdf(secret: str, label: str) -> bytes:
    """RFC 5869 for one block: extract without a salt, expand to 32 bytes."""
    extracted = hmac.digest(bytes(32), secret.encode(), hashlib.sha256)
    return hmac.digest(extracted, label.encode() + b"\x01", hashlib.sha256)


KEYS = {
    name: {use: hkdf(secret, f"guestpass/host/{use}/v1").hex() for use in ("owner", "csrf")}
    for name, secret in SECRETS.items()
}


def proof(use: str, text: bytes, under: str) -> str:
    sealed = hmac.digest(bytes.fromhex(KEYS[under][use]), text, hashlib.sha256)
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def owner_proof(session: str, user: str, organization: str | None, under: str = "now") -> str:
    parts = [text.encode() for text in (session, user, organization or "")]
    return proof("owner", b"".join(len(part).to_bytes(4, "big") + part for part in parts), under)


def value(session: str = SESSION, user: str = "user_42", organization: str | None = None, under: str = "now") -> str:
    return f"{refresh_token(session)}.{owner_proof(session, user, organization, under)}"


def csrf_token(session: str, under: str = "now") -> str:
    return proof("csrf", session.encode(), under)


def vectors() -> list[Vector]:
    return [*names(), *seals(), *owners(), *csrf_tokens(), *reads(), *origins()]


def names() -> list[Vector]:
    rows = [
        ("https", "test", "https", "shop.example", SAFE),
        ("https, live", "live", "https", "shop.example", LIVE),
        ("https on localhost", "test", "https", "localhost:8443", SAFE),
        ("http on localhost", "test", "http", "localhost:8000", PLAIN),
        ("http on localhost in capitals", "test", "http", "LocalHost", PLAIN),
        ("http on 127.0.0.1", "test", "http", "127.0.0.1:8000", PLAIN),
        ("http on [::1]", "test", "http", "[::1]:8000", PLAIN),
        ("http on localhost, live: it may be a proxy's own name for a public site", "live", "http", "localhost", LIVE),
        ("http elsewhere: a proxy may have ended TLS", "test", "http", "shop.example", SAFE),
        ("a host that begins as localhost does", "test", "http", "localhost.evil.example", SAFE),
        ("a host that ends as localhost does", "test", "http", "evil-localhost", SAFE),
        ("a host with a name before it", "test", "http", "evil.example@localhost", SAFE),
        ("a line break behind localhost", "test", "http", "localhost\n", SAFE),
        ("no host", "test", "http", "", SAFE),
        ("an address that only looks local", "test", "http", "127.0.0.1.evil.example", SAFE),
        ("another scheme", "test", "ws", "localhost", SAFE),
    ]
    return [
        {"kind": "name", "name": f"name: {why}", "environment": environment, "scheme": scheme, "host": host,
         "cookie": cookie, "secure": cookie != PLAIN}
        for why, environment, scheme, host, cookie in rows
    ]  # fmt: skip


def seals() -> list[Vector]:
    rows: list[tuple[str, str, str | None]] = [
        ("a user", "user_42", None),
        ("a user of an organization", "user_42", "org_7"),
        ("a name that is not ASCII", "Zoë 🦊", None),
        ("the longest name", "é" * 255, "o" * 255),
    ]
    return [
        {"kind": "seal", "name": f"seal: {why}", "refreshToken": refresh_token(), "sessionId": SESSION,
         "externalUserId": user, "externalOrganizationId": organization,
         "value": value(SESSION, user, organization), "csrfToken": csrf_token(SESSION)}
        for why, user, organization in rows
    ]  # fmt: skip


def owners() -> list[Vector]:
    own = value()
    moved = own.replace(SESSION.removeprefix("sess_"), OTHER_SESSION.removeprefix("sess_"))
    flipped = own[:-1] + ("A" if own[-1] != "A" else "E")
    rows: list[tuple[str, str, str, str | None, list[str], bool]] = [
        ("his own", own, "user_42", None, ["now"], True),
        ("with an organization", value(organization="org_7"), "user_42", "org_7", ["now"], True),
        ("sealed under an earlier secret that is still told", value(under="earlier"), "user_42", None,
         ["now", "earlier"], True),
        ("sealed under an earlier secret that is told no more", value(under="earlier"), "user_42", None, ["now"], False),
        ("another user's", own, "user_43", None, ["now"], False),
        ("a user with the name in other letters", own, "User_42", None, ["now"], False),
        ("of another organization", value(organization="org_7"), "user_42", "org_8", ["now"], False),
        ("of an organization, shown without one", value(organization="org_7"), "user_42", None, ["now"], False),
        ("user and organization cut elsewhere", value(user="user_42o", organization="rg_7"), "user_42", "org_7", ["now"],
         False),
        ("the proof of another session", moved, "user_42", None, ["now"], False),
        ("one character changed", flipped, "user_42", None, ["now"], False),
        ("a CSRF token in its place", f"{refresh_token()}.{csrf_token(SESSION)}", "user_42", None, ["now"], False),
    ]  # fmt: skip
    return [
        {"kind": "owner", "name": f"owner: {why}", "value": text, "externalUserId": user,
         "externalOrganizationId": organization, "secrets": secrets, "holds": holds}
        for why, text, user, organization, secrets, holds in rows
    ]  # fmt: skip


def csrf_tokens() -> list[Vector]:
    own = csrf_token(SESSION)
    rows = [
        ("its own", own, ["now"], True),
        ("under an earlier secret that is still told", csrf_token(SESSION, "earlier"), ["now", "earlier"], True),
        ("under an earlier secret that is told no more", csrf_token(SESSION, "earlier"), ["now"], False),
        ("another session's", csrf_token(OTHER_SESSION), ["now"], False),
        ("cut", own[:-1], ["now"], False),
        ("padded", own + "=", ["now"], False),
        ("empty", "", ["now"], False),
        ("not ASCII", "é" * 43, ["now"], False),
        ("the owner's proof in its place", owner_proof(SESSION, "user_42", None), ["now"], False),
    ]
    return [
        {
            "kind": "csrf",
            "name": f"csrf: {why}",
            "sessionId": SESSION,
            "token": token,
            "secrets": secrets,
            "holds": holds,
        }
        for why, token, secrets, holds in rows
    ]


def reads() -> list[Vector]:
    one, two = value(), value(OTHER_SESSION)
    seen, seen_too = _seen(one), _seen(two)
    live = one.replace("_refresh_test_", "_refresh_live_")
    rows: list[tuple[str, str, list[Vector]]] = [
        ("alone", f"{PLAIN}={one}", [seen]),
        ("among others", f"theme=dark; {PLAIN}={one}; lang=en", [seen]),
        ("without the blank", f"theme=dark;{PLAIN}={one};lang=en", [seen]),
        ("two of one name", f"{PLAIN}={one}; {PLAIN}={two}", [seen, seen_too]),
        ("two that are the same", f"{PLAIN}={one}; {PLAIN}={one}", [seen]),
        ("junk before it", f"{PLAIN}=junk; {PLAIN}={one}", [seen]),
        ("no cookies", "", []),
        ("only separators", ";; ; =; =x", []),
        ("the name without a value", f"{PLAIN}; {PLAIN}=", []),
        ("the guarded name where the plain one counts", f"{SAFE}={one}", []),
        ("the name in capitals", f"{PLAIN.upper()}={one}", []),
        ("of the other environment", f"{PLAIN}={live}", []),
        ("in quotes", f'{PLAIN}="{one}"', []),
        ("without its proof", f"{PLAIN}={one.partition('.')[0]}", []),
        ("with a part too many", f"{PLAIN}={one}.x", []),
        ("a proof that is too short", f"{PLAIN}={one[:-1]}", []),
        ("a session token", f"{PLAIN}={one.replace('_refresh_', '_session_')}", []),
        ("an id with a letter that no id has", f"{PLAIN}={one.replace('m8d2s9', 'm8u2s9')}", []),
        ("percent-encoded", f"{PLAIN}={one.replace('_', '%5F')}", []),
        ("not ASCII", f"{PLAIN}={one[:-1]}é", []),
        ("a token of a server with another brand", f"{PLAIN}={one.replace('gp_', 'acme_', 1)}",
         [seen | {"refreshToken": refresh_token(brand="acme")}]),
    ]  # fmt: skip
    whole = [
        {
            "kind": "read",
            "name": f"read: {why}",
            "environment": "test",
            "cookie": PLAIN,
            "header": header,
            "values": found,
        }
        for why, header, found in rows
    ]
    long = {"kind": "read", "name": "read: over 512 characters", "environment": "test", "cookie": PLAIN}
    token, _, sealed = one.partition(".")
    return [*whole, long | {"cookieParts": [[f"{PLAIN}={token}", 1], ["x", 512], [f".{sealed}", 1]], "values": []}]


def _seen(text: str) -> Vector:
    token, _, sealed = text.partition(".")
    return {"sessionId": f"sess_{token.split('_')[3][:26]}", "refreshToken": token, "proof": sealed}


def origins() -> list[Vector]:
    https, proxied, local = ("https", "shop.example"), ("http", "shop.example"), ("http", "localhost:8000")
    rows: list[tuple[str, str, tuple[str, str], str | None, str | None, bool]] = [
        ("a page of the origin", "POST", https, "same-origin", "https://shop.example", True),
        ("a page of another site", "POST", https, "cross-site", "https://evil.example", False),
        ("a page of a sister domain", "POST", https, "same-site", "https://blog.shop.example", False),
        ("another site that claims our Origin", "POST", https, "cross-site", "https://shop.example", False),
        ("the address bar", "POST", https, "none", None, False),
        ("two answers to who asks", "POST", https, "same-origin, cross-site", "https://shop.example", False),
        ("an older browser, our page", "POST", https, None, "https://shop.example", True),
        ("an older browser, another's page", "POST", https, None, "https://evil.example", False),
        ("a sandboxed page", "POST", https, None, "null", False),
        ("neither header", "POST", https, None, None, False),
        ("empty headers", "POST", https, "", "", False),
        ("our page over http, when we are asked over https", "POST", https, None, "http://shop.example", False),
        ("our page behind a proxy that ends TLS", "POST", proxied, None, "https://shop.example", True),
        ("our name with another port", "POST", https, None, "https://shop.example:8443", False),
        ("a name that begins as ours does", "POST", https, None, "https://shop.example.evil.example", False),
        ("the default port in Host", "POST", ("https", "shop.example:443"), None, "https://shop.example", True),
        ("Host in capitals", "POST", ("https", "Shop.Example"), None, "https://shop.example", True),
        ("localhost", "POST", local, None, "http://localhost:8000", True),
        ("localhost with another port", "POST", local, None, "http://localhost:5173", False),
        ("localhost behind a development server that renames it", "POST", local, "same-origin", "http://localhost:5173", True),
        ("our page", "GET", https, "same-origin", None, True),
        ("the address bar", "GET", https, "none", None, True),
        ("a link on another site", "GET", https, "cross-site", None, False),
        ("a sister domain", "GET", https, "same-site", None, False),
        ("an older browser", "GET", https, None, None, True),
        ("an older browser, another's page", "GET", https, None, "https://evil.example", False),
    ]  # fmt: skip
    return [
        {"kind": "origin", "name": f"origin: {method}: {why}", "method": method, "scheme": scheme, "host": host,
         "secFetchSite": fetch_site, "origin": origin, "allowed": allowed}
        for why, method, (scheme, host), fetch_site, origin, allowed in rows
    ]  # fmt: skip

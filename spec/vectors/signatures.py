"""Signed requests: good ones, and every way to change one. Imports nothing of Guestpass: a second opinion."""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib
from typing import Any

Vector = dict[str, Any]
Headers = list[tuple[str, str]]

ABOUT = (
    "Signed requests, and attacks on them. Each vector: a request as it arrives at the Unix second `now`, to be held"
    " against the keys of `keys`; the answer is `code`. `path` is the target of the request line; header values are"
    " bytes written as Latin-1; `body` is UTF-8, or bytes in `bodyHex`. Good ones show their canonical text, as"
    " `canonical` or `canonicalHex`. `why` says what is wrong: a `shape` or a header sent `twice` is seen without any"
    " key, `window` by the clock alone, `key` and `signature` only by the HMAC. Written by make.py."
)

NOW = 1_790_000_000
NONCE = "nonce-0123456789_AB"
JSON_TYPE = "application/json"
MINT = "/v1/session-tokens"
BODY = '{"externalUserId":"user_42","expiresIn":600}'
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _secret(number: int) -> str:
    """An API key like those of a server, checksum and all, and as public as this file."""
    body = "sk_test_" + _base_62(int.from_bytes(hashlib.sha256(b"a vector's key %d" % number).digest(), "big"), 43)
    return body + _base_62(zlib.crc32(body.encode()), 6)


def _base_62(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits


KEYS = {
    "key_01jd9x3m5n7p8q9r0s1t2v3w4x": _secret(1),
    "key_01jd9x3m5n7p8q9r0s1t2v3w4y": _secret(2),  # another tenant's
}
OWN, OTHER = KEYS
UNKNOWN = "key_01jd9x3m5n7p8q9r0s1t2v3w4z"
SECRET = KEYS[OWN]


class Request:
    """A request that is signed well, and can then be changed."""

    def __init__(
        self,
        method: str = "POST",
        path: str = MINT,
        body: str | bytes = BODY,
        *,
        content_type: str | None = JSON_TYPE,
        timestamp: int = NOW,
        nonce: str | None = None,
        key: str | None = None,
        secret: str = SECRET,
    ) -> None:
        self.method, self.path = method, path
        self.body = body.encode() if isinstance(body, str) else body
        third = ".".join(part for part in (str(timestamp), nonce, key) if part is not None)
        signed_type = (content_type or "") if self.body else ""
        self.text = f"{method}\n{path}\n{third}\n{signed_type}\n".encode() + self.body
        self.headers: Headers = [("X-API-Key", OWN), ("X-API-Timestamp", str(timestamp))]
        if nonce is not None:
            self.headers.append(("X-API-Nonce", nonce))
        if key is not None:
            self.headers.append(("Idempotency-Key", key))
        if content_type is not None:
            self.headers.append(("Content-Type", content_type))
        self.headers.append(("X-API-Signature", mac(secret.encode(), self.text)))

    def but(
        self, *, method: str = "", path: str = "", body: str | bytes | None = None, **headers: str | None
    ) -> Request:
        """The same with other parts under the old signature; a header that is None is left out."""
        other = Request.__new__(Request)
        other.method, other.path = method or self.method, path or self.path
        other.body = self.body if body is None else body.encode() if isinstance(body, str) else body
        other.text = self.text
        changed = {name.replace("_", "-").title().replace("Api", "API"): value for name, value in headers.items()}
        kept = [(name, changed.pop(name, value)) for name, value in self.headers]
        other.headers = [(name, value) for name, value in [*kept, *changed.items()] if value is not None]
        return other

    def plus(self, name: str, value: str | None = None) -> Request:
        """The same with a header once more; as it was, unless another value is given."""
        other = self.but()
        other.headers.append((name, value or dict(self.headers)[name]))
        return other

    @property
    def signature(self) -> str:
        return dict(self.headers)["X-API-Signature"]


def mac(secret: bytes, text: bytes, algorithm: str = "sha256") -> str:
    return hmac.digest(secret, text, algorithm).hex()


def vectors() -> list[Vector]:
    return [
        *_good(),
        *_on_the_edge(),
        *_recut(),
        *_other_paths(),
        *_other_bodies(),
        *_other_content_types(),
        *_other_signatures(),
        *_other_keys(),
        *_misshapen(),
        *_twice(),
    ]


def _shown(name: str, request: Request, now: int, **verdict: Any) -> Vector:
    vector: Vector = {"name": name, "method": request.method, "path": request.path}
    vector["headers"] = [list(header) for header in request.headers]
    return vector | _text_of("body", request.body) | {"now": now} | verdict


def _text_of(name: str, data: bytes) -> dict[str, str]:
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}Hex": data.hex()}


def good(name: str, request: Request, *, now: int = NOW) -> Vector:
    return _shown(name, request, now, code="ok") | _text_of("canonical", request.text)


def bad(name: str, request: Request, why: str, *, now: int = NOW, code: str = "UNAUTHORIZED") -> Vector:
    return _shown(name, request, now, code=code, why=why)


def _good() -> list[Vector]:
    def get(path: str) -> Request:
        return Request("GET", path, "", content_type=None)

    return [
        good("good: a GET", get("/v1/sessions")),
        good("good: a GET with a query", get("/v1/sessions?limit=20&status=active")),
        good("good: a query in another order is another text", get("/v1/sessions?status=active&limit=20")),
        good("good: percent-encoding stays as it was sent", get("/v1/sessions?externalUserId=zo%C3%AB%20%2F%2B%26")),
        good("good: in small letters it is another text", get("/v1/sessions?externalUserId=zo%c3%ab+%2f%2b%26")),
        good("good: a question mark within the query", get("/v1/sessions?externalUserId=a?b")),
        good("good: a HEAD", Request("HEAD", "/v1/sessions", "", content_type=None)),
        good("good: a DELETE", Request("DELETE", f"{MINT}/sess_01jd9x3m5n7p8q9r0s1t2v3w4x", "", content_type=None)),
        good("good: a POST", Request()),
        good("good: a nonce joins the timestamp", Request(nonce=NONCE)),
        good("good: a nonce of 16 characters", Request(nonce="a" * 16)),
        good("good: a nonce of 64 characters", Request(nonce="Zz09_-" * 10 + "abcd")),
        good("good: an Idempotency-Key joins the nonce", Request(nonce=NONCE, key="order-7")),
        good("good: an Idempotency-Key may hold dots", Request(nonce=NONCE, key="order.7..8.")),
        good("good: an Idempotency-Key of 255 characters", Request(nonce=NONCE, key="!~" * 127 + "k")),
        good("good: names beyond ASCII in the body", Request(body='{"externalUserId":"zoë 🦉 中文"}')),
        good("good: a body with line breaks", Request(body='{\n  "externalUserId": "user_42"\r\n}\n')),
        good("good: a body of white space alone", Request(body=" \n"), now=NOW + 1),
        good("good: a body of bytes that are no text", Request(body=b"\x00\xff\n\xfe", content_type="text/plain")),
        good("good: a body without a content type", Request(content_type=None)),
        good("good: a content type with its parameter", Request(content_type="application/json; charset=utf-8")),
        good("good: without a body the content type is not covered", Request(body="")),
        good("good: the analytics contract", Request(path="/sessions", body='{"user":{"id":"user_42"}}', nonce=NONCE)),
    ]


def _on_the_edge() -> list[Vector]:
    return [
        good("time: 300 s old", Request(), now=NOW + 300),
        bad("time: 301 s old", Request(), "window", now=NOW + 301),
        good("time: 300 s ahead", Request(), now=NOW - 300),
        bad("time: 301 s ahead", Request(), "window", now=NOW - 301),
        bad("time: a year old", Request(), "window", now=NOW + 31_536_000),
        bad("time: a year old, and the nonce new", Request(nonce=NONCE), "window", now=NOW + 31_536_000),
        bad("time: moved into the window", Request().but(x_api_timestamp=str(NOW + 301)), "signature", now=NOW + 301),
        bad("time: moved by a second", Request().but(x_api_timestamp=str(NOW + 1)), "signature"),
        bad("time: the beginning of time", Request(timestamp=1_000_000_000), "window"),
        bad("time: ten digits, by far the most", Request(timestamp=9_999_999_999), "window"),
    ]


def _recut() -> list[Vector]:
    """Each moves a border between two parts, and keeps what stands on both sides."""
    with_key = Request(nonce=NONCE, key="order-7")
    typed = Request(body="text/plain\nhello", content_type=None)
    nonced = Request(body=f"{NONCE}\n{JSON_TYPE}\n{BODY}")
    return [
        bad("re-cut: the nonce is left out", Request(nonce=NONCE).but(x_api_nonce=None), "signature"),
        bad("re-cut: a nonce is added", Request().but(x_api_nonce=NONCE), "signature"),
        bad("re-cut: another nonce", Request(nonce=NONCE).but(x_api_nonce=f"{NONCE}x"), "signature"),
        bad("re-cut: the Idempotency-Key is left out", with_key.but(idempotency_key=None), "signature"),
        bad("re-cut: an Idempotency-Key is added", Request(nonce=NONCE).but(idempotency_key="order-7"), "signature"),
        bad("re-cut: another Idempotency-Key", with_key.but(idempotency_key="order-8"), "signature"),
        bad("re-cut: the nonce takes the key in", with_key.but(x_api_nonce=f"{NONCE}.order-7", idempotency_key=None), "shape"),
        bad("re-cut: the nonce takes the key in with another sign", with_key.but(x_api_nonce=f"{NONCE}-order-7", idempotency_key=None), "signature"),
        bad("re-cut: the key takes the nonce in", with_key.but(x_api_nonce=None, idempotency_key=f"{NONCE}.order-7"), "shape"),
        bad("re-cut: the timestamp takes the nonce in", Request(nonce=NONCE).but(x_api_timestamp=f"{NOW}.{NONCE}", x_api_nonce=None), "shape"),
        bad("re-cut: the body's first line becomes the content type", typed.but(content_type="text/plain", body="hello"), "signature"),
        bad("re-cut: the content type becomes the body's first line", Request().but(content_type=None, body=f"{JSON_TYPE}\n{BODY}"), "signature"),
        bad("re-cut: the body's first lines become nonce and content type", nonced.but(x_api_nonce=NONCE, body=BODY), "signature"),
        bad("re-cut: the query moves into the body", Request("POST", f"{MINT}?a=b", BODY).but(path=MINT, body=f"?a=b{BODY}"), "signature"),
        bad("re-cut: a line break in the path, encoded", Request().but(path=f"{MINT}%0A{NOW}"), "signature"),
        bad("re-cut: the other method of this address", Request("GET", "/v1/session", "", content_type=None).but(method="DELETE"), "signature"),
        bad("re-cut: HEAD for GET", Request("GET", "/v1/sessions", "", content_type=None).but(method="HEAD"), "signature"),
    ]  # fmt: skip


def _other_paths() -> list[Vector]:
    listed = Request("GET", "/v1/sessions?externalUserId=zo%C3%AB&limit=20", "", content_type=None)
    bare = Request("GET", "/v1/sessions", "", content_type=None)

    def other(name: str, path: str, request: Request = listed) -> Vector:
        return bad(f"path: {name}", request.but(path=path), "signature")

    return [
        other("a letter percent-encoded", "/v1/%73essions?externalUserId=zo%C3%AB&limit=20"),
        other("percent-encoding in small letters", "/v1/sessions?externalUserId=zo%c3%ab&limit=20"),
        other("percent-encoding twice", "/v1/sessions?externalUserId=zo%25C3%25AB&limit=20"),
        other("parameters in another order", "/v1/sessions?limit=20&externalUserId=zo%C3%AB"),
        other("another value", "/v1/sessions?externalUserId=zo%C3%AB&limit=21"),
        other("a parameter more", "/v1/sessions?externalUserId=zo%C3%AB&limit=20&status=active"),
        other("a parameter twice", "/v1/sessions?externalUserId=zo%C3%AB&limit=20&limit=20"),
        other("without the query", "/v1/sessions"),
        other("an ampersand at the end", "/v1/sessions?externalUserId=zo%C3%AB&limit=20&"),
        other("a query added", "/v1/sessions?limit=100", bare),
        other("another address", "/v1/session", bare),
        other("a slash at the end", "/v1/sessions/", bare),
        other("two slashes", "/v1//sessions", bare),
        other("a dot segment", "/v1/./sessions", bare),
        other("another case", "/v1/Sessions", bare),
        other("blank as plus", "/v1/sessions?externalUserId=a+b", Request("GET", "/v1/sessions?externalUserId=a%20b", "")),
    ]  # fmt: skip


def _other_bodies() -> list[Vector]:
    composed = Request(body='{"externalUserId":"zo\u00eb"}')

    def other(name: str, body: str | bytes, request: Request | None = None) -> Vector:
        return bad(f"body: {name}", (request or Request()).but(body=body), "signature")

    return [
        other("a letter changed", BODY.replace("42", "43")),
        other("a field added", BODY.replace("}", ',"maxUses":1}')),
        other("the same JSON, written with blanks", BODY.replace(":", ": ")),
        other("the same JSON, in another order", '{"expiresIn":600,"externalUserId":"user_42"}'),
        other("a line feed at the end", BODY + "\n"),
        other("a byte order mark before it", b"\xef\xbb\xbf" + BODY.encode()),
        other("in UTF-16", BODY.encode("utf-16-le")),
        other("line feeds become CRLF", "{\r\n}", Request(body="{\n}")),
        other("left out", ""),
        other("added", BODY, Request(body="")),
        other("a letter taken apart into two code points", '{"externalUserId":"zoe\u0308"}', composed),
        other("the letter as a JSON escape", '{"externalUserId":"zo\\u00eb"}', composed),
    ]


def _other_content_types() -> list[Vector]:
    def other(name: str, content_type: str | None, request: Request | None = None) -> Vector:
        return bad(f"content type: {name}", (request or Request()).but(content_type=content_type), "signature")

    parameter = Request(content_type="application/json; charset=utf-8")
    return [
        other("left out", None),
        other("added", JSON_TYPE, Request(content_type=None)),
        other("another", "text/plain"),
        other("another case", "Application/JSON"),
        other("a parameter added", "application/json; charset=utf-8"),
        other("the parameter left out", JSON_TYPE, parameter),
        other("the blank before the parameter left out", "application/json;charset=utf-8", parameter),
    ]


def _other_signatures() -> list[Vector]:
    request = Request(nonce=NONCE)
    text, secret = request.text, SECRET.encode()

    def other(name: str, signature: str, why: str = "signature") -> Vector:
        return bad(f"signature: {name}", request.but(x_api_signature=signature), why)

    flipped = f"{int(request.signature[0], 16) ^ 1:x}{request.signature[1:]}"
    return [
        other("in capitals", request.signature.upper(), "shape"),
        other("one letter in capitals", request.signature[:-4] + request.signature[-4:].upper(), "shape"),
        other("empty", "", "shape"),
        other("cut by a character", request.signature[:-1], "shape"),
        other("with a character more", request.signature + "0", "shape"),
        other("with its algorithm before it", f"sha256={request.signature}", "shape"),
        other("in base64", base64.b64encode(bytes.fromhex(request.signature)).decode(), "shape"),
        other("two, with a comma", f"{request.signature},{request.signature}", "shape"),
        other("zeros", "0" * 64),
        other("one bit changed", flipped),
        other("of another request", Request(nonce=NONCE, body="{}").signature),
        other("HMAC-SHA-1", mac(secret, text, "sha1"), "shape"),
        other("HMAC-SHA-512", mac(secret, text, "sha512"), "shape"),
        other("HMAC-SHA-512, cut", mac(secret, text, "sha512")[:64]),
        other("HMAC-SHA3-256", mac(secret, text, "sha3_256")),
        other("a hash of secret and text, which can be extended", hashlib.sha256(secret + text).hexdigest()),
        other("a hash of text and secret", hashlib.sha256(text + secret).hexdigest()),
        other("secret and text exchanged", mac(text, secret)),
        other("over the text with a line feed at its end", mac(secret, text + b"\n")),
        other("over the method in small letters", mac(secret, text.replace(b"POST", b"post"))),
        other("over the path alone", mac(secret, text.replace(MINT.encode(), b"http://guestpass.test" + MINT.encode()))),
        other("over the hash of the body", mac(secret, text.replace(BODY.encode(), hashlib.sha256(BODY.encode()).hexdigest().encode()))),
        other("over parts joined by nothing", mac(secret, text.replace(b"\n", b""))),
    ]  # fmt: skip


def _other_keys() -> list[Vector]:
    request = Request(nonce=NONCE)

    def under(name: str, secret: bytes, *, key_id: str = OWN) -> Vector:
        signature = mac(secret, request.text)
        return bad(f"key: {name}", request.but(x_api_key=key_id, x_api_signature=signature), "key")

    return [
        under("another tenant's secret", KEYS[OTHER].encode()),
        under("another tenant's id with one's own secret", SECRET.encode(), key_id=OTHER),
        under("an id that is not known", SECRET.encode(), key_id=UNKNOWN),
        under("the empty secret", b""),
        under("the empty secret of an id that is not known", b"", key_id=UNKNOWN),
        under("the hash of the secret, as it is kept at rest", hashlib.sha256(SECRET.encode()).digest()),
        under("that hash as text", hashlib.sha256(SECRET.encode()).hexdigest().encode()),
        under("the secret without its prefix", SECRET.removeprefix("sk_test_").encode()),
        under("the secret with a line feed, as a file has it", SECRET.encode() + b"\n"),
        under("the secret in capitals", SECRET.upper().encode()),
        under("the secret in UTF-16", SECRET.encode("utf-16-le")),
        under("the key's id", OWN.encode()),
    ]


def _misshapen() -> list[Vector]:
    request = Request(nonce=NONCE)
    keyed = Request(nonce=NONCE, key="order-7")

    def shape(name: str, changed: Request, code: str = "UNAUTHORIZED") -> Vector:
        return bad(f"shape: {name}", changed, "shape", code=code)

    full_width = "".join(chr(0xFF10 + int(digit)) for digit in str(NOW)).encode().decode("latin-1")
    timestamps = {
        "in milliseconds": f"{NOW}000", "of nine digits": "179000000", "with a nought before it": "0179000000",
        "with a sign": f"+{NOW}", "with a fraction": f"{NOW}.0", "with a blank": f"{NOW} 0", "empty": "",
        "in hex": "0x6ab11980", "as a date": "2026-09-21T14:13:20Z", "in full-width digits": full_width,
    }  # fmt: skip
    nonces = {
        "of 15 characters": "a" * 15, "of 65 characters": "a" * 65, "empty": "", "with a dot": f"{NONCE}.x",
        "in the other base64": "abcdefghijklmno+/w==", "with a blank": f"{NONCE} x", "beyond ASCII": f"{NONCE}\xeb",
    }  # fmt: skip
    ids = {
        "is the secret": SECRET, "is another kind's": OWN.replace("key_", "sess_"), "in capitals": OWN.upper(),
        "is cut": OWN[:-1], "is empty": "", "has a blank behind it": f"{OWN} x", "is a wildcard": "key_%",
    }  # fmt: skip
    keys = {"empty": "", "with a blank": "a b", "of 256 characters": "k" * 256, "beyond ASCII": "\xeb"}
    return [
        *(shape(f"a timestamp {name}", request.but(x_api_timestamp=text)) for name, text in timestamps.items()),
        *(shape(f"a nonce {name}", request.but(x_api_nonce=text)) for name, text in nonces.items()),
        *(shape(f"a key id that {name}", request.but(x_api_key=text)) for name, text in ids.items()),
        shape("an Idempotency-Key without a nonce", Request(key="order-7")),
        *(
            shape(f"an Idempotency-Key {name}", keyed.but(idempotency_key=text), "VALIDATION_ERROR")
            for name, text in keys.items()
        ),
        shape("no key id", request.but(x_api_key=None)),
        shape("no timestamp", request.but(x_api_timestamp=None)),
        shape("no signature", request.but(x_api_signature=None)),
        shape("a nonce alone", Request().but(x_api_key=None, x_api_timestamp=None, x_api_signature=None, x_api_nonce=NONCE)),
    ]  # fmt: skip


def _twice() -> list[Vector]:
    request = Request(nonce=NONCE, key="order-7")
    other = {
        "X-API-Key": OTHER, "X-API-Timestamp": str(NOW + 1), "X-API-Nonce": f"{NONCE}x", "X-API-Signature": "0" * 64,
        "Idempotency-Key": "order-8", "Content-Type": "text/plain",
    }  # fmt: skip
    return [
        bad(f"twice: {name}, {how}", request.plus(name, value), "twice", code="VALIDATION_ERROR")
        for name, another in other.items()
        for how, value in (("the same", None), ("another", another))
    ]

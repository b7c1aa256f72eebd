"""What a header can lie about: the algorithm, the key, and how the rest is to be read."""

from __future__ import annotations

import itertools

from cryptography.hazmat.primitives import serialization
from writer import (
    ACCESS_TYP,
    GOOD,
    PREFIX,
    SESSION_TYP,
    Vector,
    decode,
    encode,
    header_of,
    macced,
    public,
    public_bytes,
    segment,
    sign,
    to_json,
    token,
    vector,
    vector_of_parts,
    without,
)

MALFORMED, ALGORITHM, UNKNOWN = "TOKEN_MALFORMED", "TOKEN_ALGORITHM_REFUSED", "TOKEN_KEY_UNKNOWN"
ENDLESS = "https://evil.example/keys"


def vectors() -> list[Vector]:
    families = (
        _algorithm_none,
        _public_key_as_secret,
        _algorithm_swapped,
        _algorithm_odd,
        _kid,
        _keys_brought_along,
        _crit,
        _compressed_or_encrypted,
        _typ,
        _not_one_strict_object,
    )
    return [one for family in families for one in family()]


def _algorithm_none() -> list[Vector]:
    spellings = ["".join(letters) for letters in itertools.product(*zip("none", "NONE", strict=True))]
    spellings += ["none ", " none", "none\n", "none\u0000", "n\u043ene", "null", "undefined", "no"]
    with_kid = f"{segment(header_of(alg='none'))}.{segment(GOOD)}"
    return [
        *(
            vector(
                f"alg none: {alg!r} without a signature", f"{segment({'alg': alg, 'typ': SESSION_TYP})}.{segment(GOOD)}.", ALGORITHM
            )
            for alg in spellings
        ),
        vector("alg none: with a kid of ours, without a signature", f"{with_kid}.", ALGORITHM),
        vector("alg none: with a kid of ours, and our signature", token(header_of(alg="none")), ALGORITHM),
        vector("alg none: with its prefix", f"{PREFIX}{with_kid}.", ALGORITHM),
        vector("alg none: two parts, no last dot", with_kid, MALFORMED),
        vector("alg none: at a verifier with a secret", f"{with_kid}.", ALGORITHM, keys="secret", expect="secret"),
        vector("alg none: before any key is known", f"{with_kid}.", ALGORITHM, keys="none"),
    ]  # fmt: skip


def _public_key_as_secret() -> list[Vector]:
    def secrets(kid: str) -> dict[str, bytes]:
        pem = public_bytes(kid, serialization.Encoding.PEM)
        return {
            "PEM": pem,
            "PEM without its last newline": pem.rstrip(),
            "PEM with CRLF": pem.replace(b"\n", b"\r\n"),
            "DER": public_bytes(kid, serialization.Encoding.DER),
            "JWK": to_json(public(kid)),
        }

    x = decode(public("es256")["x"])
    return [
        *(
            vector(f"public key as HMAC secret: {kid} as {form}", macced(header_of(kid, alg="HS256"), secret), ALGORITHM)
            for kid in ("es256", "rs256", "eddsa")
            for form, secret in secrets(kid).items()
        ),
        vector("public key as HMAC secret: the x of es256", macced(header_of(alg="HS256"), x), ALGORITHM),
        vector("public key as HMAC secret: an empty secret", macced(header_of(alg="HS256"), b""), ALGORITHM),
        vector("public key as HMAC secret: without a kid", macced({"alg": "HS256", "typ": ACCESS_TYP}, x), ALGORITHM),
    ]  # fmt: skip


def _algorithm_swapped() -> list[Vector]:
    return [
        vector("algorithm swap: EdDSA names the ES256 key", token(header_of(alg="EdDSA")), ALGORITHM),
        vector("algorithm swap: ES256 names the RS256 key", token(header_of("rs256", alg="ES256"), by="rs256"), ALGORITHM),
        vector("algorithm swap: RS256 names the EdDSA key", token(header_of("eddsa", alg="RS256"), by="eddsa"), ALGORITHM),
        vector("algorithm swap: ES256 where only EdDSA is accepted", token(), ALGORITHM, expect="eddsa only"),
        vector("algorithm swap: ES256 at a verifier with a secret", token(), ALGORITHM, keys="secret", expect="secret"),
        vector("algorithm swap: HS256 with the right secret, at a verifier of public keys", token(by="hs256"), ALGORITHM),
    ]  # fmt: skip


def _algorithm_odd() -> list[Vector]:
    refused = ["es256", "Es256", "ES256 ", " ES256", "ES256\u0000", "ES384", "ES512", "ES256K", "PS256", "RS1", "RS512"]
    refused += ["HS384", "HS512", "HS256", "hs256", "eddsa", "Ed25519", "Ed448", "ESP256", "EdDSA\n", "dir", "A128KW"]
    malformed: dict[str, object] = {
        "empty": "",
        "a number": 7,
        "an array": ["ES256"],
        "an object": {"ES256": 1},
        "null": None,
        "true": True,
        "33 characters": "E" * 33,
    }
    no_alg = without(header_of(), "alg")
    return [
        *(vector(f"alg: {alg!r}", token(header_of(alg=alg)), ALGORITHM) for alg in refused),
        *(vector(f"alg: {form}", token(header_of(alg=alg)), MALFORMED) for form, alg in malformed.items()),
        vector("alg: absent", token(no_alg), MALFORMED),
        vector("alg: under the name ALG", token(no_alg | {"ALG": "ES256"}), MALFORMED),
    ]


def _kid() -> list[Vector]:
    unknown = {
        "a path": "../../../../../../dev/null",
        "a path with NUL": "../../etc/passwd\u0000es256",
        "SQL": "x' UNION SELECT 'c2VjcmV0' -- ",
        "a quote": "es256' OR '1'='1",
        "a shell command": "|/usr/bin/id",
        "a URL": ENDLESS,
        "a file URL": "file:///dev/null",
        "NUL": "\u0000",
        "ours and a NUL": "es256\u0000",
        "ours in upper case": "ES256",
        "ours and a space": "es256 ",
        "ours in other letters": "\u0435s256",
        "__proto__": "__proto__",
        "constructor": "constructor",
        "a format string": "%s%n{0.__class__}",
        "a newline and a header": "es256\r\nSet-Cookie: a=b",
    }
    malformed: dict[str, object] = {
        "empty": "",
        "null": None,
        "a number": 0,
        "an array": ["es256"],
        "an object": {"kid": "es256"},
        "true": True,
        "257 characters": "k" * 257,
    }
    begin = b'{"alg":"ES256","typ":"at+jwt","kid":"'
    end = encode(b'a"}')
    whole = encode(begin + b"a" * (-len(begin) % 3))
    parts = ((whole, 1), ("YWFh", 34_000), (f"{end}.{segment(GOOD)}.{encode(bytes(64))}", 1))
    return [
        *(vector(f"kid: {form}", token(header_of() | {"kid": kid}), UNKNOWN) for form, kid in unknown.items()),
        *(vector(f"kid: {form}", token(header_of() | {"kid": kid}), MALFORMED) for form, kid in malformed.items()),
        vector("kid: another key of ours", token(header_of() | {"kid": "rs256"}), ALGORITHM),
        vector_of_parts("kid: 100 kB", parts, MALFORMED),
    ]


def _keys_brought_along() -> list[Vector]:
    der = encode(public_bytes("stranger", serialization.Encoding.DER))
    brought: dict[str, object] = {
        "jwk": public("stranger"),
        "jku": ENDLESS,
        "x5u": ENDLESS,
        "x5c": [der],
        "x5t": encode(bytes(20)),
        "x5t#S256": encode(bytes(32)),
    }
    return [
        *(
            vector(f"key in the header: {name}, signed by the stranger who brings it", token(header_of(kid="es256") | {name: value}, by="stranger"), MALFORMED)
            for name, value in brought.items()
        ),
        *(
            vector(f"key in the header: {name}, without a kid", token({"alg": "ES256", "typ": SESSION_TYP, name: value}, by="stranger"), MALFORMED)
            for name, value in brought.items()
        ),
        *(vector(f"key in the header: {name}, signed by us", token(header_of() | {name: value}), MALFORMED) for name, value in brought.items()),
        vector("key in the header: jwk is our own key", token(header_of(jwk=public("es256"))), MALFORMED),
        vector("key in the header: jwk is null", token(header_of(jwk=None)), MALFORMED),
        vector("key in the header: jku is a file", token(header_of(jku="file:///etc/passwd")), MALFORMED),
        vector("key in the header: jku is the metadata service", token(header_of(jku="http://169.254.169.254/latest")), MALFORMED),
        vector("key in the header: epk", token(header_of(epk=public("stranger"))), MALFORMED),
    ]  # fmt: skip


def _crit() -> list[Vector]:
    malformed: dict[str, object] = {
        "unknown": ["https://example.com/unknown"],
        "a claim": ["exp"],
        "a header member that is there": ["kid"],
        "empty": [],
        "a string": "exp",
        "null": None,
        "a number": 1,
        "an object": {"exp": True},
        "the same name twice": ["exp", "exp"],
        "not strings": [1, None],
        "a name of RFC 7515": ["alg"],
    }
    unencoded = f"{segment(header_of(b64=False, crit=['b64']))}.{{}}"
    return [
        *(vector(f"crit: {form}", token(header_of(crit=crit, exp=1)), MALFORMED) for form, crit in malformed.items()),
        vector("crit: b64 is false, payload encoded", token(header_of(b64=False, crit=["b64"])), MALFORMED),
        vector("crit: b64 is false, payload as it is", f"{unencoded}.{encode(sign('es256', unencoded.encode()))}", MALFORMED),
        vector("crit: b64 without crit", token(header_of(b64=False)), MALFORMED),
        vector("crit: b64 is true", token(header_of(b64=True)), MALFORMED),
    ]  # fmt: skip


def _compressed_or_encrypted() -> list[Vector]:
    extra: dict[str, dict[str, object]] = {
        "zip": {"zip": "DEF"},
        "enc": {"enc": "A256GCM"},
        "PBES2 with ten billion rounds": {"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2s": "AAAA", "p2c": 10**10},
        "p2c alone": {"p2c": 2**31 - 1},
        "p2s alone": {"p2s": "AAAA"},
        "iv": {"iv": "AAAA"},
        "tag": {"tag": "AAAA"},
        "apu": {"apu": "AAAA"},
        "apv": {"apv": "AAAA"},
    }
    encrypted = segment({"alg": "dir", "enc": "A256GCM", "kid": "es256"})
    return [
        *(vector(f"compressed or encrypted: {form}", token(header_of() | more), MALFORMED) for form, more in extra.items()),
        vector("compressed or encrypted: five parts", f"{encrypted}..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA", MALFORMED),
        vector("compressed or encrypted: five parts with the prefix", f"{PREFIX}{encrypted}..AAAA.AAAA.AAAA", MALFORMED),
        vector("compressed or encrypted: alg dir in three parts", token(header_of(alg="dir")), ALGORITHM),
    ]  # fmt: skip


def _typ() -> list[Vector]:
    mismatched: dict[str, object] = {
        "JWT": "JWT",
        "jwt": "jwt",
        "JOSE": "JOSE",
        "in upper case": "AT+JWT",
        "with its media tree": "application/at+jwt",
        "with a space": "at+jwt ",
        "with a NUL": "at+jwt\u0000",
        "of a DPoP proof": "dpop+jwt",
        "of a logout token": "logout+jwt",
        "of a security event": "secevent+jwt",
    }
    malformed: dict[str, object] = {
        "empty": "",
        "null": None,
        "a number": 1,
        "an array": ["at+jwt"],
        "129 characters": "t" * 129,
    }
    return [
        *(vector(f"typ: {form}", token(header_of() | {"typ": typ}), "TOKEN_TYPE_MISMATCH") for form, typ in mismatched.items()),
        *(vector(f"typ: {form}", token(header_of() | {"typ": typ}), MALFORMED) for form, typ in malformed.items()),
        vector("typ: absent", token(without(header_of(), "typ")), "TOKEN_TYPE_MISMATCH"),
    ]  # fmt: skip


def _not_one_strict_object() -> list[Vector]:
    plain = to_json(header_of())
    tail = plain[1:]
    text = plain.decode()
    spellings: dict[str, bytes] = {
        "alg twice, ours last": b'{"alg":"none",' + tail,
        "alg twice, ours first": plain[:-1] + b',"alg":"none"}',
        "alg twice, once as a JSON escape": plain[:-1] + b',"\\u0061lg":"none"}',
        "kid twice": plain[:-1] + b',"kid":"stranger"}',
        "typ twice, both the same": plain[:-1] + b',"typ":"guestpass-session+jwt"}',
        "a member of no meaning twice": plain[:-1] + b',"x":1,"x":1}',
        "a member twice, deep inside": plain[:-1] + b',"x":{"y":1,"y":2}}',
        "NaN": plain[:-1] + b',"x":NaN}',
        "Infinity": plain[:-1] + b',"x":-Infinity}',
        "a number too big": plain[:-1] + b',"x":1e400}',
        "a comma too many": plain[:-1] + b",}",
        "a comment": plain[:-1] + b"/* */}",
        "single quotes": text.replace('"', "'").encode(),
        "text after it": plain + b"{}",
        "a NUL after it": plain + b"\0",
        "cut": plain[:-1],
        "a control character in a string": plain[:-1] + b',"x":"\t"}',
        "half a surrogate pair": plain[:-1] + b',"x":"\\ud83e"}',
        "half a surrogate pair in a name": plain[:-1] + b',"\\udd89":1}',
        "a surrogate in UTF-8": plain[:-1] + b',"x":"\xed\xa0\xbd"}',
        "not UTF-8": plain[:-1] + b',"x":"\xff"}',
        "overlong UTF-8": plain[:-1] + b',"x":"\xc0\xaf"}',
        "with a byte order mark": b"\xef\xbb\xbf" + plain,
        "UTF-16, little end first": text.encode("utf-16-le"),
        "UTF-16, big end first": text.encode("utf-16-be"),
        "UTF-16 with a byte order mark": text.encode("utf-16"),
        "UTF-32": text.encode("utf-32-le"),
        "an array": b"[" + plain + b"]",
        "a string": to_json(text),
        "null": b"null",
        "a number": b"1",
        "an empty object": b"{}",
        "nested 5 deep": plain[:-1] + b',"x":' + b"[" * 4 + b"1" + b"]" * 4 + b"}",
        "nested 500 deep": plain[:-1] + b',"x":' + b"[" * 500 + b"]" * 500 + b"}",
    }
    return [
        *(vector(f"header: {form}", token(header), MALFORMED) for form, header in spellings.items()),
        *(
            vector(f"header: {form}, after the prefix", token(spellings[form], prefix=PREFIX), MALFORMED)
            for form in ("with a byte order mark", "UTF-16, little end first", "an array", "a string")
        ),
    ]

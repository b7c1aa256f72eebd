"""What can be done to the text of a token and to its signature."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from writer import (
    ACCESS_TYP,
    GOOD,
    NOW,
    PREFIX,
    Vector,
    claims,
    decode,
    encode,
    header_of,
    private_key,
    resigned,
    segment,
    sign,
    sign_der,
    to_json,
    token,
    vector,
    vector_of_parts,
)

MALFORMED, SIGNATURE = "TOKEN_MALFORMED", "TOKEN_SIGNATURE_INVALID"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
HALF = 32


def vectors() -> list[Vector]:
    families = (_base64, _parts, _oversize, _es256, _eddsa, _rs256, _hs256, _tampered)
    return [one for family in families for one in family()]


def _base64() -> list[Vector]:
    good = token()
    header, payload, signature = good.split(".")
    # In these places the alphabets differ, and there is a last character with bits to spare.
    padded = token(payload=claims(sub="user_4"))
    spare = next(
        text for text in (token(payload=claims(sub="u" * n)) for n in range(1, 9)) if len(text.split(".")[1]) % 4
    )
    urlish = next(
        text
        for text in (token(payload=claims(sub="~" * n)) for n in range(1, 99))
        if "-" in text and "_" in text.rpartition(".")[2]
    )

    def both(name: str, text: str) -> list[Vector]:
        return [
            vector(f"base64: {name}", text, MALFORMED),
            vector(f"base64: {name}, after the prefix", PREFIX + text, MALFORMED),
        ]

    return [
        *both("padding after the signature", good + "=="),
        *both("padding after every part", ".".join(part + "=" * (-len(part) % 4) for part in padded.split("."))),
        *both("one = after the header", f"{header}=.{payload}.{signature}"),
        *both("one = after the payload", f"{header}.{payload}=.{signature}"),
        *both("a newline at the end", good + "\n"),
        *both("CRLF at the end", good + "\r\n"),
        *both("a newline every 64 characters", f"{header}.{payload[:64]}\n{payload[64:]}.{signature}"),
        *both("a space inside the signature", f"{header}.{payload}.{signature[:40]} {signature[40:]}"),
        *both("a tab inside the header", f"{header[:8]}\t{header[8:]}.{payload}.{signature}"),
        *both("a NUL at the end", good + "\0"),
        *both("the standard alphabet: + for -", urlish.replace("-", "+")),
        *both("the standard alphabet: / for _", urlish.replace("_", "/")),
        *both("percent encoding", good.replace("A", "%41", 1)),
        *both("full-width letters", f"{header}.{payload}.{signature[:-1]}\uff21"),
        *both("a letter beyond ASCII in the payload", f"{header}.{payload[:-1]}\u00e9.{signature}"),
        *both("half a surrogate pair in the payload", f"{header}.{payload[:-1]}\ud83e.{signature}"),
        *both("half a surrogate pair in the signature", f"{header}.{payload}.{signature[:-1]}\udd89"),
        *both("spare bits of the signature set", good[:-1] + _next(good[-1])),
        *both("spare bits of the payload set", _with_spare_bit(spare)),
        *both("one character too many after the signature", good + "AAA"),
        *both("a quote inside", f'{header}.{payload}".{signature}'),
        vector("base64: white space before", f" {good}", MALFORMED),
        vector("base64: the word Bearer before", f"Bearer {good}", MALFORMED),
        vector("base64: quotes around", f'"{good}"', MALFORMED),
        vector("base64: a byte order mark before", f"\ufeff{good}", MALFORMED),
    ]  # fmt: skip


def _parts() -> list[Vector]:
    good = token()
    header, payload, signature = good.split(".")
    twice = f"{good}.{signature}"
    signed_dots = f"{header}.{payload}.{payload}"
    return [
        vector("parts: nothing", "", "TOKEN_MISSING"),
        vector("parts: one", header, MALFORMED),
        vector("parts: two", f"{header}.{payload}", MALFORMED),
        vector("parts: four", twice, MALFORMED),
        vector("parts: four, the first three of them signed", f"{signed_dots}.{encode(sign('es256', signed_dots.encode()))}", MALFORMED),
        vector("parts: four, the last one empty", f"{good}.", MALFORMED),
        vector("parts: an empty header", f".{payload}.{signature}", MALFORMED),
        vector("parts: an empty payload", f"{header}..{signature}", MALFORMED),
        vector("parts: an empty payload that is signed", f"{header}..{encode(sign('es256', f'{header}.'.encode()))}", MALFORMED),
        vector("parts: dots alone", "..", MALFORMED),
        vector("parts: the prefix alone", PREFIX, MALFORMED),
        vector("parts: the prefix and dots", f"{PREFIX}..", MALFORMED),
        vector("parts: the prefix twice", f"{PREFIX}{PREFIX}{good}", MALFORMED),
        vector("parts: two tokens", f"{good} {good}", MALFORMED),
        vector("parts: two tokens, a comma between", f"{good},{good}", MALFORMED),
        vector("parts: JWS in JSON form", to_json({"payload": payload, "protected": header, "signature": signature}).decode(), MALFORMED),
        vector("parts: a detached payload", f"{header}..{signature}", MALFORMED, now=NOW + 1),
        vector("parts: an SD-JWT", f"{good}~{segment(['salt', 'scope', '*'])}~", MALFORMED),
        vector("parts: words", "let me in", MALFORMED),
        vector("parts: nested, a signed token as the payload", token(header_of(cty="JWT"), good.encode()), MALFORMED),
        vector("parts: nested, a signed token as a JSON string", token(header_of(cty="JWT"), good), MALFORMED),
        vector("parts: nested twice, with the prefix", token(header_of(cty="JWT"), token(prefix=PREFIX).encode(), prefix=PREFIX), MALFORMED),
    ]  # fmt: skip


def _oversize() -> list[Vector]:
    header, _, rest = token().partition(".")
    payload, _, signature = rest.partition(".")
    many = (
        ("100 kB of payload", ((f"{header}.{payload}", 1), ("AAAA", 25_000), (f".{signature}", 1))),
        ("100 kB of signature", ((f"{header}.{payload}.", 1), ("AAAA", 25_000))),
        ("10 MB of dots", ((".", 10_000_000),)),
        ("10 MB of the prefix's last character", ((PREFIX, 1), ("_", 10_000_000))),
        ("1 MB of opening brackets", ((f"{header}.", 1), ("W1tb", 250_000), (f".{signature}", 1))),
        ("4 MB of half surrogate pairs", (("\ud83e", 1_000_000),)),
        ("a good token and a million spaces", ((token(), 1), (" ", 1_000_000))),
    )
    return [vector_of_parts(f"oversize: {name}", parts, MALFORMED) for name, parts in many]


def _es256() -> list[Vector]:
    good = token()
    signed, _, text = good.rpartition(".")
    signature = decode(text)
    r, s = signature[:HALF], signature[HALF:]
    der = sign_der("es256", signed.encode())
    order, field = P256_ORDER.to_bytes(HALF, "big"), P256_FIELD.to_bytes(HALF, "big")
    one, zero = (1).to_bytes(HALF, "big"), bytes(HALF)
    signatures: dict[str, bytes] = {
        "empty": b"",
        "all zero": zero + zero,
        "r is 0": zero + s,
        "s is 0": r + zero,
        "r and s are 1": one + one,
        "r and s are the order": order + order,
        "r is the order, s is 1": order + one,
        "r is the prime of the field": field + s,
        "r is r + the order, cut": ((int.from_bytes(r, "big") + P256_ORDER) % 2**256).to_bytes(HALF, "big") + s,
        "all ones": b"\xff" * 64,
        "r and s swapped": s + r,
        "DER": der,
        "DER, cut to 64 bytes": der[:64],
        "DER of 0 and 0": bytes.fromhex("3006020100020100"),
        "DER of 0 and 0, filled to 64 bytes": bytes.fromhex("3006020100020100").ljust(64, b"\0"),
        "cut by one byte": signature[:-1],
        "r alone": r,
        "longer by one zero byte": signature + b"\0",
        "with a zero byte before": b"\0" + signature,
        "twice": signature + signature,
        "96 bytes, as for P-384": r.rjust(48, b"\0") + s.rjust(48, b"\0"),
        "of another token": decode(token(payload=claims(sub="eve")).rpartition(".")[2]),
        "of the stranger's key": sign("stranger", signed.encode()),
        "of the EdDSA key": sign("eddsa", signed.encode()),
        "one bit changed": signature[:-1] + bytes([signature[-1] ^ 1]),
        "negated s of another r": one + (P256_ORDER - int.from_bytes(s, "big")).to_bytes(HALF, "big"),
    }
    return [vector(f"ES256 signature: {form}", resigned(good, wrong), SIGNATURE) for form, wrong in signatures.items()]


def _eddsa() -> list[Vector]:
    good = token(by="eddsa")
    signature = decode(good.rpartition(".")[2])
    r, s = signature[:HALF], int.from_bytes(signature[HALF:], "little")
    signatures: dict[str, bytes] = {
        "empty": b"",
        "all zero": bytes(64),
        "S is S + the order": r + (s + ED25519_ORDER).to_bytes(HALF, "little"),
        "R is the neutral point, S is 0": b"\x01" + bytes(63),
        "longer by one byte": signature + b"\0",
        "cut by one byte": signature[:-1],
        "one bit of R changed": bytes([r[0] ^ 1]) + signature[1:],
        "the sign of R changed": signature[:31] + bytes([signature[31] ^ 0x80]) + signature[32:],
    }
    return [vector(f"EdDSA signature: {form}", resigned(good, wrong), SIGNATURE) for form, wrong in signatures.items()]


def _rs256() -> list[Vector]:
    good = token(by="rs256")
    signed = good.rpartition(".")[0].encode()
    signature = decode(good.rpartition(".")[2])
    key = private_key("rs256")
    modulus = key.public_key().public_numbers().n
    beyond = int.from_bytes(signature, "big") + modulus
    one = (1).to_bytes(256, "big")
    signatures: dict[str, bytes] = {
        "empty": b"",
        "all zero": bytes(256),
        "one": one,
        "the modulus": modulus.to_bytes(256, "big"),
        "itself + the modulus": beyond.to_bytes(257, "big"),
        "with a zero byte before": b"\0" + signature,
        "cut by one byte": signature[:-1],
        "SHA-1": key.sign(signed, padding.PKCS1v15(), hashes.SHA1()),  # noqa: S303 - the attack
        "SHA-512": key.sign(signed, padding.PKCS1v15(), hashes.SHA512()),
        "one bit changed": signature[:-1] + bytes([signature[-1] ^ 1]),
    }
    return [vector(f"RS256 signature: {form}", resigned(good, wrong), SIGNATURE) for form, wrong in signatures.items()]


def _hs256() -> list[Vector]:
    good = token(by="hs256")
    mac = decode(good.rpartition(".")[2])
    signatures: dict[str, bytes] = {
        "empty": b"",
        "all zero": bytes(32),
        "cut to 16 bytes": mac[:16],
        "cut by one byte": mac[:-1],
        "longer by one byte": mac + b"\0",
        "one bit changed": bytes([mac[0] ^ 1]) + mac[1:],
    }
    return [
        *(
            vector(f"HS256 signature: {form}", resigned(good, wrong), SIGNATURE, keys="secret", expect="secret")
            for form, wrong in signatures.items()
        ),
        vector("HS256 signature: spare bits set", good[:-1] + _next(good[-1]), MALFORMED, keys="secret", expect="secret"),
        vector("HS256 signature: padding", f"{good}=", MALFORMED, keys="secret", expect="secret"),
        vector("HS256 signature: half a surrogate pair in the payload", good.replace(".", ".\ud83e", 1), MALFORMED, keys="secret", expect="secret"),
        vector("HS256 signature: a letter beyond ASCII in it", f"{good[:-1]}\u00e9", MALFORMED, keys="secret", expect="secret"),
    ]  # fmt: skip


def _tampered() -> list[Vector]:
    good = token()
    header, payload, signature = good.split(".")
    prefixed = f"{PREFIX}{header}.{segment(claims(sub='admin'))}.{signature}"
    return [
        vector("tampered: another user", f"{header}.{segment(claims(sub='admin'))}.{signature}", SIGNATURE),
        vector("tampered: another user, with the prefix", prefixed, SIGNATURE),
        vector("tampered: a longer life", f"{header}.{segment(claims(exp=NOW + 10**6))}.{signature}", SIGNATURE),
        vector("tampered: everything allowed", f"{header}.{segment(claims(scope='*'))}.{signature}", SIGNATURE),
        vector("tampered: another type", f"{segment(header_of(typ=ACCESS_TYP))}.{payload}.{signature}", SIGNATURE),
        vector("tampered: a header member added", f"{segment(header_of(x=1))}.{payload}.{signature}", SIGNATURE),
        vector("tampered: signed with the stranger's key under our kid", token(header_of("es256"), by="stranger"), SIGNATURE),
        vector("tampered: EdDSA, signed with the ES256 key", token(header_of("eddsa")), SIGNATURE),
        vector("tampered: expired and tampered: the signature comes first", f"{header}.{segment(claims(exp=1))}.{signature}", SIGNATURE),
        vector("tampered: the payload is no JSON and the signature is another's", f"{header}.{encode(b'not JSON')}.{signature}", SIGNATURE),
        vector("tampered: a claim of a wrong type under another's signature", f"{header}.{segment(claims(exp='soon'))}.{signature}", SIGNATURE),
        vector("tampered: white space in the signed JSON", f"{header}.{encode(to_json(GOOD) + b' ')}.{signature}", SIGNATURE),
    ]  # fmt: skip


def _next(character: str) -> str:
    """The character whose last bit is the other: it decodes to the same bytes where bits are to spare."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(character) ^ 1]


def _with_spare_bit(text: str) -> str:
    """A token whose payload has a spare bit set, signed as it stands."""
    header, payload, _ = text.split(".")
    signed = f"{header}.{payload[:-1]}{_next(payload[-1])}"
    return f"{signed}.{encode(sign('es256', signed.encode()))}"

"""RS256: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 8.2, RFC 7518 section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from guestpass.core.jose._keys import (
    Algorithm,
    KeyRefused,
    SigningKey,
    VerifyingKey,
    integer_of,
    labels,
    text_of_integer,
)

MODULUS_BITS_MIN = 2048
MODULUS_BITS_MAX = 8192
# Below it NIST SP 800-56B section 6.2.1 refuses; above it a key only makes each check slower.
EXPONENT_MIN = 65_537
EXPONENT_MAX = 2**32 - 1

_PKCS1 = padding.PKCS1v15()
_SHA256 = hashes.SHA256()
_PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi")

# Primes of the published fingerprint of CVE-2017-15361 (ROCA): every prime factor that the broken
# generator made is a power of 65537 modulo each of them, and so is the modulus.
_ROCA_PRIMES = (
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107,
    109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
)  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Rs256VerifyingKey(VerifyingKey):
    algorithm: ClassVar[Algorithm] = "RS256"
    kid: str
    key: rsa.RSAPublicKey
    signature_bytes: int

    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        if len(signature) != self.signature_bytes:
            return False
        try:
            self.key.verify(signature, signing_input, _PKCS1, _SHA256)
        except InvalidSignature:
            return False
        return True

    def public_jwk(self) -> dict[str, str]:
        numbers = self.key.public_numbers()
        return {"kty": "RSA", "n": text_of_integer(numbers.n), "e": text_of_integer(numbers.e), **labels(self)}


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Rs256SigningKey(SigningKey):
    kid: str
    verifying_key: Rs256VerifyingKey
    key: rsa.RSAPrivateKey

    def sign(self, signing_input: bytes) -> bytes:
        return self.key.sign(signing_input, _PKCS1, _SHA256)

    def private_jwk(self) -> dict[str, str]:
        own = self.key.private_numbers()
        values = (own.d, own.p, own.q, own.dmp1, own.dmq1, own.iqmp)
        secret = dict(zip(_PRIVATE_MEMBERS, map(text_of_integer, values), strict=True))
        return {**self.verifying_key.public_jwk(), **secret}


def verifying_key_of(key: rsa.RSAPublicKey, kid: str) -> Rs256VerifyingKey:
    """Admit 2048 to 8192 bits, an odd exponent of 65 537 to 2^32 - 1, and no ROCA modulus."""
    numbers = key.public_numbers()
    _check_numbers(numbers.n, numbers.e)
    return Rs256VerifyingKey(kid, key, (key.key_size + 7) // 8)


def signing_key_of(key: rsa.RSAPrivateKey, kid: str) -> Rs256SigningKey:
    return Rs256SigningKey(kid, verifying_key_of(key.public_key(), kid), key)


def verifying_key_of_jwk(jwk: Mapping[str, object], kid: str) -> Rs256VerifyingKey:
    """Read ``n`` and ``e`` (RFC 7518 section 6.3.1)."""
    n, e = integer_of(jwk, "n"), integer_of(jwk, "e")
    _check_numbers(n, e)
    try:
        key = rsa.RSAPublicNumbers(e, n).public_key()
    except ValueError:
        raise KeyRefused("n and e are not an RSA key") from None
    return verifying_key_of(key, kid)


def signing_key_of_jwk(jwk: Mapping[str, object], kid: str) -> Rs256SigningKey:
    """Read all of ``d, p, q, dp, dq, qi``, which must belong together (RFC 7518 section 6.3.2)."""
    verifying_key = verifying_key_of_jwk(jwk, kid)
    if "oth" in jwk:
        raise KeyRefused("an RSA key must have two primes")
    d, p, q, dp, dq, qi = (integer_of(jwk, name) for name in _PRIVATE_MEMBERS)
    public = verifying_key.key.public_numbers()
    try:
        key = rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, public).private_key()
    except ValueError:
        raise KeyRefused("the private members do not belong to n and e") from None
    return Rs256SigningKey(kid, verifying_key, key)


def _check_numbers(n: int, e: int) -> None:
    if not MODULUS_BITS_MIN <= n.bit_length() <= MODULUS_BITS_MAX:
        raise KeyRefused(f"an RSA key must have {MODULUS_BITS_MIN} to {MODULUS_BITS_MAX} bits")
    if n % 2 == 0:
        raise KeyRefused("the modulus must be odd")
    if not EXPONENT_MIN <= e <= EXPONENT_MAX or e % 2 == 0:
        raise KeyRefused(f"the exponent must be odd, {EXPONENT_MIN} to {EXPONENT_MAX}")
    if all(_is_power_of_65537(n, prime) for prime in _ROCA_PRIMES):
        raise KeyRefused("the modulus was made by a broken generator (CVE-2017-15361)")


def _is_power_of_65537(n: int, prime: int) -> bool:
    power = 1
    for _ in range(prime):
        if power == n % prime:
            return True
        power = power * 65_537 % prime
    return False

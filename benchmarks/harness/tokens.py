"""Tokens to verify: as many distinct ones as asked for, made by our own issue; and each kind of bad one."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from guestpass.core.jose.jwk import Algorithm, SigningKey, hmac_key, signing_key_from_private
from guestpass.core.jose.jws import encode_header
from guestpass.core.tokens import kinds
from guestpass.core.tokens.claims import SessionClaims, Status, StatusListEntry
from guestpass.core.tokens.issue import issue

ISSUER = "http://127.0.0.1:8787/test"
PROJECT = "proj_00000000000000000000000000"
PREFIX = kinds.prefix_of(kinds.SESSION, "test")
TYP = "guestpass-session+jwt"
LIFETIME_SECONDS = 3_600


@dataclass(frozen=True)
class Mint:
    """A key of one algorithm, and what it signs. Nothing here is timed."""

    key: SigningKey
    secret: bytes  # of HS256
    private_key: ec.EllipticCurvePrivateKey  # of ES256

    @classmethod
    def of(cls, algorithm: Algorithm) -> Mint:
        secret, private_key = os.urandom(32), ec.generate_private_key(ec.SECP256R1())
        key = hmac_key(secret, kid="bench") if algorithm == "HS256" else signing_key_from_private(private_key)
        return cls(key, secret, private_key)

    def token(self, number: int, *, typ: str = TYP, key: SigningKey | None = None, **changed: object) -> str:
        """One token with the claims that a plain mint writes; ``changed`` ones instead of the good."""
        now = int(time.time())
        session = f"sess_{number:026d}"
        claims = {
            "iss": ISSUER,
            "aud": ISSUER,
            "sub": f"user_{number}",
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "sid": session,
            "jti": session,
            "client_id": "key_00000000000000000000000000",
            "project_id": PROJECT,
            "environment": "test",
            "scope": "*",
            "status": Status(status_list=StatusListEntry(idx=number, uri=f"{ISSUER}/status-lists/1")),
        } | changed
        header = encode_header(self.key.algorithm, self.key.kid, typ)
        return issue(SessionClaims(**claims), prefix=PREFIX, header_segment=header, key=key or self.key)

    def tokens(self, count: int) -> list[str]:
        return [self.token(number) for number in range(count)]

    def bad_tokens(self) -> dict[str, str]:
        """One token for each check that must be on; they differ from a good one in that alone."""
        now = int(time.time())
        stranger = Mint.of(self.key.algorithm).key
        return {
            "expired": self.token(1, exp=now - 60),
            "not yet valid": self.token(1, nbf=now + 600),
            "of another issuer": self.token(1, iss=ISSUER + "/other"),
            "for another audience": self.token(1, aud=ISSUER + "/other"),
            "of another type": self.token(1, typ="guestpass-script+jwt"),
            "signed by another key": self.token(1, key=stranger),
        }

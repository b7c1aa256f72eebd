"""Make the text of a token from what is true of its session. Pure: the same input gives the same claims."""

from __future__ import annotations

from guestpass.core.bounds import TOKEN_BYTES_MAX
from guestpass.core.jose.jwk import SigningKey
from guestpass.core.jose.jws import sign_compact
from guestpass.core.tokens import claims as claims_codec
from guestpass.core.tokens.claims import SessionClaims
from guestpass.errors import Detail, ValidationFailed


def issue(claims: SessionClaims, *, prefix: str, header_segment: str, key: SigningKey) -> str:
    """Sign ``claims`` and return the token, at most 3 840 bytes.

    Raises: ValidationFailed where the ids and operations are together too long for one token.
    """
    token = prefix + sign_compact(header_segment, claims_codec.encode(claims), key)
    if len(token) > TOKEN_BYTES_MAX:
        rule = f"the token would have {len(token)} bytes; at most {TOKEN_BYTES_MAX} fit where cookies and headers go"
        raise ValidationFailed(
            "The ids and operations are too long for one token; name fewer operations.",
            details=(Detail("allowedOperations", rule),),
        )
    return token

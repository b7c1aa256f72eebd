"""A JWK Set, as an issuer publishes it (RFC 7517 section 5)."""

from __future__ import annotations

from guestpass.core.jose.jwk import KeyRefused, VerifyingKey, import_verifying_key

KEYS_MAX = 100  # a rotation needs three


def import_key_set(document: object) -> tuple[VerifyingKey, ...]:
    """Return the keys of a set, as it was read from JSON, that can check a signature.

    A key that is not admitted is left out, as RFC 7517 section 5 asks, so that an issuer may publish
    others beside ours. The whole set is refused where it is not clear which key a token means: not an
    object with an array ``keys`` of at most 100 objects, one ``kid`` on two keys, admitted or not, or a
    secret beside public keys.

    Raises: KeyRefused (ValueError).
    """
    jwks = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(jwks, list) or len(jwks) > KEYS_MAX or not all(isinstance(jwk, dict) for jwk in jwks):
        raise KeyRefused(f"a key set is an object whose keys are at most {KEYS_MAX} objects")
    kids = [jwk["kid"] for jwk in jwks if isinstance(jwk.get("kid"), str)]
    if len(kids) != len(set(kids)):
        raise KeyRefused("two keys of the set have one kid")
    keys = tuple(key for jwk in jwks if (key := _admitted(jwk)))
    secrets = sum(key.algorithm == "HS256" for key in keys)
    if 0 < secrets < len(keys):
        raise KeyRefused("the set holds a secret beside public keys")
    return keys


def _admitted(jwk: dict[str, object]) -> VerifyingKey | None:
    try:
        return import_verifying_key(jwk)
    except KeyRefused:
        return None

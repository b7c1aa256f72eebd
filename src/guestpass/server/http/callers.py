"""Who calls: an API key as Bearer or Basic. Exactly one credential; two are refused, whatever they are."""

from __future__ import annotations

import base64
import binascii

from guestpass.errors import TokenMalformed, TokenMissing, Unauthorized
from guestpass.server.api_keys.service import ApiKey, ApiKeys
from guestpass.server.http.exchange import Exchange

_AUTHORIZATION = b"authorization"
_SIGNED = frozenset({b"x-api-key", b"x-api-timestamp", b"x-api-signature", b"x-api-nonce"})
HOW = "Send Authorization: Bearer sk_…, or Basic with the key as user name."


async def api_key_of(call: Exchange, api_keys: ApiKeys) -> ApiKey:
    """Return the API key that made this call. Raises: Unauthorized."""
    header = _one_credential(call)
    if header is None:
        raise Unauthorized(f"No API key was sent. {HOW}")
    scheme, _, credential = header.partition(" ")
    if scheme.lower() == "bearer":
        return await api_keys.authenticate(credential.strip())
    if scheme.lower() == "basic":
        return await _basic(credential.strip(), api_keys)
    raise Unauthorized(f"The authorization scheme is not known. {HOW}")


async def client_of(call: Exchange, api_keys: ApiKeys, client_id: str | None, secret: str | None) -> ApiKey | None:
    """Return the API key of an OAuth client, by header or in the form (RFC 6749 section 2.3.1); None where none was sent.

    Raises: Unauthorized where a credential was sent that is not right, or more than one.
    """
    if secret is None:
        return await api_key_of(call, api_keys) if _sends_credential(call) else None
    if _sends_credential(call):
        raise Unauthorized("More than one credential was sent; send exactly one.")
    key = await api_keys.authenticate(secret)
    if key.public_id != client_id:
        raise Unauthorized("client_id and client_secret do not belong together.")
    return key


def _sends_credential(call: Exchange) -> bool:
    return any(name == _AUTHORIZATION or name in _SIGNED for name, _ in call.headers)


def bearer_token_of(call: Exchange) -> str:
    """Return the token sent as Bearer (RFC 6750 section 2.1). Raises: TokenMissing, TokenMalformed."""
    headers = [value for name, value in call.headers if name == _AUTHORIZATION]
    if not headers:
        raise TokenMissing
    scheme, _, token = headers[0].decode("latin-1").partition(" ")
    if len(headers) > 1 or scheme.lower() != "bearer":
        raise TokenMalformed("Send one header: Authorization: Bearer <token>.")
    return token.strip(" ")


def _one_credential(call: Exchange) -> str | None:
    header = None
    for name, value in call.headers:
        if name in _SIGNED:
            raise Unauthorized(f"Signed requests are not accepted by this server. {HOW}")
        if name == _AUTHORIZATION:
            if header is not None:
                raise Unauthorized("More than one credential was sent; send exactly one.")
            header = value.decode("latin-1")
    return header


async def _basic(credential: str, api_keys: ApiKeys) -> ApiKey:
    """``key_…:sk_…``, or ``sk_…:`` as Stripe's users write it."""
    try:
        user, colon, password = base64.b64decode(credential, validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        raise Unauthorized("The Basic credential is not base64 of ASCII text.") from None
    if not colon:
        raise Unauthorized("The Basic credential has no colon.")
    if not password:
        return await api_keys.authenticate(user)
    key = await api_keys.authenticate(password)
    if key.public_id != user:
        raise Unauthorized("The key id and the secret do not belong together.")
    return key

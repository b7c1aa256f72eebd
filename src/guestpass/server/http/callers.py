"""Who calls: an API key as Bearer, as Basic, or by a signature. One credential; two are refused, whatever they are."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

from guestpass.core.callers.client_address import TrustedProxies
from guestpass.core.callers.signed_request import SIGNING_HEADERS, read_proof
from guestpass.errors import TokenMalformed, TokenMissing, Unauthorized
from guestpass.server.api_keys.service import ApiKey, ApiKeys
from guestpass.server.http.exchange import Exchange
from guestpass.server.signed_requests.service import SignedRequests

SAFE_METHODS = ("GET", "HEAD")
_AUTHORIZATION = b"authorization"
HOW = "Send Authorization: Bearer sk_…, or Basic with the key as user name, or sign the request."


class Callers(NamedTuple):
    """Those who know API keys by their secrets, and by what was signed with them; and whose word on an address counts."""

    api_keys: ApiKeys
    signed_requests: SignedRequests
    proxies: TrustedProxies


async def api_key_of(call: Exchange, callers: Callers) -> ApiKey:
    """Return the API key that made this call; of a signed one, note what must be remembered. Raises: Unauthorized."""
    header, is_signed = _one_credential(call)
    if is_signed:
        return await _signed(call, callers.signed_requests)
    if header is None:
        raise Unauthorized(f"No API key was sent. {HOW}")
    scheme, _, credential = header.partition(" ")
    if scheme.lower() == "bearer":
        return await callers.api_keys.authenticate(credential.strip())
    if scheme.lower() == "basic":
        return await _basic(credential.strip(), callers.api_keys)
    raise Unauthorized(f"The authorization scheme is not known. {HOW}")


async def client_of(call: Exchange, callers: Callers, client_id: str | None, secret: str | None) -> ApiKey | None:
    """Return the API key of an OAuth client, by header or in the form (RFC 6749 section 2.3.1); None where none was sent.

    Raises: Unauthorized where a credential was sent that is not right, or more than one.
    """
    if secret is None:
        return await api_key_of(call, callers) if _sends_credential(call) else None
    if _sends_credential(call):
        raise Unauthorized("More than one credential was sent; send exactly one.")
    key = await callers.api_keys.authenticate(secret)
    if key.public_id != client_id:
        raise Unauthorized("client_id and client_secret do not belong together.")
    return key


async def holder_of(call: Exchange, callers: Callers) -> tuple[ApiKey | None, str]:
    """Return (API key, token as Bearer) of a caller who may have sent either, or neither.

    Raises: Unauthorized where it is meant for an API key, and is none that works.
    """
    credentials = [value.lower() for name, value in call.headers if name == _AUTHORIZATION or name in SIGNING_HEADERS]
    if not credentials:
        return None, ""
    is_token = credentials[0].startswith(b"bearer ") and not credentials[0].startswith(b"bearer sk_")
    if len(credentials) == 1 and is_token:
        return None, bearer_token_of(call)
    return await api_key_of(call, callers), ""


def _sends_credential(call: Exchange) -> bool:
    return any(name == _AUTHORIZATION or name in SIGNING_HEADERS for name, _ in call.headers)


async def _signed(call: Exchange, signed_requests: SignedRequests) -> ApiKey:
    proof = read_proof(call.headers)
    key = await signed_requests.authenticate(proof, proof.parts(call.method, call.target, await call.read()))
    if call.method not in SAFE_METHODS:
        call.signature = signed_requests.use_of(proof)
    return key


def bearer_token_of(call: Exchange) -> str:
    """Return the token sent as Bearer (RFC 6750 section 2.1). Raises: TokenMissing, TokenMalformed."""
    headers = [value for name, value in call.headers if name == _AUTHORIZATION]
    if not headers:
        raise TokenMissing
    scheme, _, token = headers[0].decode("latin-1").partition(" ")
    if len(headers) > 1 or scheme.lower() != "bearer":
        raise TokenMalformed("Send one header: Authorization: Bearer <token>.")
    return token.strip(" ")


def _one_credential(call: Exchange) -> tuple[str | None, bool]:
    """Return the header ``Authorization``, and whether the request is signed instead."""
    found, is_signed = [], False
    for name, value in call.headers:
        if name == _AUTHORIZATION:
            found.append(value)
        elif name in SIGNING_HEADERS:
            is_signed = True
    if len(found) + is_signed > 1:
        raise Unauthorized("More than one credential was sent; send exactly one.")
    return found[0].decode("latin-1") if found else None, is_signed


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

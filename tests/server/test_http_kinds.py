"""Every kind of token, offered wherever a token or a key is taken: only the kinds that a route names are accepted."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from test_http_standard import FORM

from guestpass.core.jose.jws import encode_header, sign_compact
from guestpass.core.tokens import claims as claims_codec
from guestpass.core.tokens.kinds import SCRIPT

BEARER = {"session", "session, opaque", "access"}
KINDS = ["session", "session, opaque", "access", "refresh", "script", "status list", "API key"]

# Where each is offered, and which are accepted there.
OFFERED = {
    "GET /v1/session": BEARER,
    "DELETE /v1/session": BEARER,
    "forward-auth": BEARER,
    "POST /v1/tokens/verify": BEARER,
    "POST /oauth/introspect": BEARER,
    "POST /oauth/revoke": BEARER | {"refresh"},
    "POST /oauth/token": {"refresh"},
    "POST /v1/auth/refresh": {"refresh"},
    "POST /v1/auth/refresh, as Bearer": set(),
    "POST /v1/auth/logout": {"refresh"},
    "POST /v1/auth/logout, as Bearer": {"access"},
    "POST /v1/auth/logout everywhere": {"refresh"},
    "POST /v1/auth/logout everywhere, as Bearer": {"access"},
    "GET /v1/sessions": {"API key"},
    "POST /v1/session-tokens": {"API key"},
    "POST /v1/auth/login": {"API key"},
}


async def token_of(world, kind):
    """Return (a token of that kind of a session that lives, the session's id or None)."""
    if kind == "API key":
        return (await world.key()).secret, None
    if kind in ("session", "session, opaque"):
        ada = await world.mint("ada", format="jwt" if kind == "session" else "opaque")
        return ada.token, ada.id
    ada = await world.login("ada")
    if kind in ("access", "refresh"):
        return (ada.token if kind == "access" else ada.refresh_token), ada.id
    issuer = world.host.issuer
    if kind == "status list":
        return (await world.http.get("/test/status-lists/cuts")).body.decode(), ada.id
    # Sealed by our own key, and in every claim like an access token.
    signer = (await world.service.keyring.of(issuer)).signer
    payload = claims_codec.encode((await world.service.verifying.bearer(ada.token)).claims)
    return sign_compact(encode_header(signer.key.algorithm, signer.key.kid, SCRIPT.typ), payload, signer.key), ada.id


async def offer(world, where, token):
    """Offer a token; return whether it was accepted."""
    http, host = world.http, world.host
    form = {"headers": [("content-type", FORM)]}
    method, _, path = where.partition(" ")
    if where == "forward-auth":
        return (await http.get("/v1/forward-auth/test/default/-", bearer=token)).status == 200
    if where == "POST /v1/tokens/verify":
        return (await host.verify(token))["valid"]
    if path == "/oauth/introspect":
        body = urlencode({"token": token}).encode()
        return (await host.post(path, body=body, **form)).json["active"]
    if path in ("/oauth/revoke", "/oauth/token"):
        fields = (
            {"token": token} if path == "/oauth/revoke" else {"grant_type": "refresh_token", "refresh_token": token}
        )
        return (await http.post(path, body=urlencode(fields).encode(), **form)).status == 200
    if path.startswith("/v1/auth/") and "login" not in path:
        path, _, how = path.partition(",")
        path, _, everywhere = path.partition(" ")
        body = {"everywhere": True} if everywhere else {}
        if how:
            return (await http.post(path, body, bearer=token)).status == 200
        return (await http.post(path, {**body, "refreshToken": token})).status == 200
    json = {"externalUserId": "ada"} if method == "POST" else None
    return (await http.request(method, path, json=json, bearer=token)).status in (200, 201)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", OFFERED)
async def test_is_accepted_only_where_it_is_named(world, where, kind):
    token, session_id = await token_of(world, kind)
    accepted = await offer(world, where, token)
    if where == "POST /oauth/revoke":  # which answers 200 to everything (RFC 7009 section 2.2)
        ended = (
            session_id is not None and (await world.host.get(f"/v1/sessions/{session_id}")).json["status"] == "revoked"
        )
        accepted = ended
    assert accepted == (kind in OFFERED[where])
    if not accepted and session_id is not None:
        assert (await world.host.get(f"/v1/sessions/{session_id}")).json["status"] == "active", "and nothing happened"


async def test_every_route_that_takes_a_token_is_among_them(world):
    takes = {route.path for route in world.app.routes.routes if route.caller in ("token", "client", "holder")}
    named = {where.partition(" ")[2].partition(",")[0].partition(" ")[0] for where in OFFERED}
    assert takes - named == {"/v1/forward-auth/{environment}/{project}/{operation}"}

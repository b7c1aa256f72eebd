"""Walls: another project's credentials, and the other environment's, against every route with our ids, of every kind.

Whatever is asked, the answer is that of an id that there is not, and nothing of ours has changed. A route that is added
stands in one of the tables here, or the tests fail: with ids that are tried, or without any on purpose.
"""

from __future__ import annotations

import pytest

from engines import EVERY_ENGINE
from webhooks.rig import Server

ENGINES = EVERY_ENGINE

UNKNOWN_ID = "01q3dcbd00fkhb236cvbnzk61r"
STRANGERS = ["neighbour", "live"]
JSON, FORM = "application/json", "application/x-www-form-urlencoded"

# Where ids of ours stand in a body, a form or a query; {…} is one of ``ids_of``.
ASKED_WITH = {
    "POST /v1/sessions/revoke": [{"id": "{sess}"}, {"apiKeyId": "{key}"}],
    "POST /v1/tokens/verify": [
        {"token": "{token}"},
        {"token": "{opaque}"},
        {"token": "{sess}"},
        {"token": "{req}"},
    ],
    "POST /oauth/introspect": [{"token": "{token}"}, {"token": "{opaque}"}],
    "POST /v1/api-keys/{id}": [{"name": "stolen"}, {"can": []}],
    "POST /v1/webhook-endpoints/{id}": [{"enabled": False}, {"url": "https://thief.example.com/"}],
    "POST /v1/webhook-endpoints/{id}/resend": [{"eventId": "{evt}"}],
}
# What names things by the host's own words, or names nothing: it works for a stranger, on what is his.
HIS_OWN = {
    "POST /v1/session-tokens": [{"externalUserId": "ada", "externalOrganizationId": "acme"}],
    "POST /v1/auth/login": [{"externalUserId": "ada", "externalOrganizationId": "acme"}],
    "POST /sessions": [{"user": {"id": "ada"}, "organization": {"id": "acme"}}],
    "POST /v1/sessions/revoke": [
        {"externalUserId": "ada"}, {"externalOrganizationId": "acme"}, {"all": True}, {"all": True, "reissue": True},
    ],
    "POST /v1/users/revoke": [{"externalUserId": "ada"}, {"externalUserId": "ada", "block": True}],
    "GET /v1/sessions": [None],
    "GET /v1/session": [None],
    "GET /v1/auth/anomalies": [None],
    "DELETE /v1/session": [None],
    "GET /v1/api-keys": [None],
    "GET /v1/audit-events": [None],
    "POST /v1/api-keys": [{"name": "ours"}],
    "GET /v1/webhook-endpoints": [None],
    "POST /v1/webhook-endpoints": [{"url": "https://hooks.example.com/guestpass"}],
}  # fmt: skip
# For everybody, with or without a credential: what an issuer publishes, and what is of the server as a whole.
PUBLIC = {
    "GET /{environment}/.well-known/jwks.json", "GET /{environment}/{project}/.well-known/jwks.json",
    "GET /{environment}/.well-known/oauth-authorization-server",
    "GET /.well-known/oauth-authorization-server/{environment}",
    "GET /{environment}/{project}/.well-known/oauth-authorization-server",
    "GET /.well-known/oauth-authorization-server/{environment}/{project}",
    "GET /{environment}/status-lists/{id}", "GET /{environment}/{project}/status-lists/{id}",
    "GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json", "GET /docs", "GET /docs/errors",
}  # fmt: skip
# Whoever holds a token may end its session: nobody has to say who he is (RFC 7009 section 2.1).
BY_TOKEN_ALONE = {"POST /oauth/revoke"}
# Whoever holds a refresh token, and nobody beside him: it says itself whose it is.
BY_REFRESH_TOKEN = {"POST /v1/auth/refresh", "POST /v1/auth/logout", "POST /oauth/token"}
# A proxy asks about a token of one project, which the path names.
PROXIED = {"* /v1/forward-auth/{environment}/{project}/{operation}"}

# Rows that are ours, of the tables that are not by issuer. Any other such table is of nobody, or fails the test.
OURS = {
    "api_key_secrets": "key_id IN (SELECT id FROM api_keys WHERE issuer = {issuer})",
    "projects": "number = {project}",
    "status_entries": "list IN (SELECT number FROM status_lists WHERE issuer = {issuer})",
}
OF_NOBODY = {
    "alembic_version", "store_facts", "signed_requests", "refusals", "idempotency_log", "idempotency_index",
    "audit_batches", "audit_leaves", "audit_edges", "audit_keys", "refresh_salts",
}  # fmt: skip


def name_of(route):
    return f"{route.method} {route.path}"


def has_id(route):
    return "{id}" in route.path and name_of(route) not in PUBLIC


async def ids_of(world):
    """Return our ids, one of each kind, of sessions that live."""
    ada, opaque = await world.mint("ada", externalOrganizationId="acme"), await world.mint("ada", format="opaque")
    for _ in range(2):
        await world.mint("bob")
    refused = await world.mint("ada")
    await world.host.end(refused)
    request = (await world.http.get("/v1/session", bearer=refused.token)).json["requestId"]
    await world.service.refusals.write()
    assert (await world.host.verify(request))["code"] == "TOKEN_REVOKED", "to us it is explained"
    page = (await world.host.get("/v1/sessions", query="limit=1")).json
    endpoint, event = await Server(world).one_delivery()
    return {
        "sess": ada.id,
        "cust": (await world.host.session(ada))["customerId"],
        "key": (await world.key()).id,
        "proj": world.host.issuer.project.id,
        "page": page["nextCursor"],
        "req": request,
        "we": endpoint,
        "evt": event,
        "token": ada.token,
        "opaque": opaque.token,
    }


def unknown(ids):
    """Return ids of the same kinds that nobody has; a token is of nobody when its session is."""
    return {kind: f"{kind}_{UNKNOWN_ID}" for kind in ids if kind not in {"token", "opaque"}}


async def everything_of(world, issuer):
    """Return every row of an issuer, of every table there is."""

    async def read(tx):
        tables = await columns_by_table(tx)
        shown = {}
        for table, columns in sorted(tables.items()):
            if table in OF_NOBODY:
                continue
            where = "issuer = {issuer}" if "issuer" in columns else OURS[table]
            rows = await tx.fetch(f"SELECT * FROM {table} WHERE {where.format(issuer=issuer.number, project=issuer.project.number)}")  # fmt: skip
            shown[table] = sorted(map(repr, rows))
        return shown

    return await world.store.at_once(read)


async def columns_by_table(tx):
    sql = {
        "sqlite": "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'"
        " AND t.name NOT LIKE 'sqlite_%'",
        "postgresql": "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'",
    }[tx.dialect]
    tables = {}
    for table, column in await tx.fetch(sql):
        tables.setdefault(table, set()).add(column)
    return tables


def filled(value, ids):
    return {name: text.format(**ids) if isinstance(text, str) else text for name, text in value.items()}


async def ask(world, route, path, body, credential, query=""):
    """Make a request as its route wants it made."""
    how = {"json": body}
    if route.form is not None:
        pairs = "&".join(f"{name}={text}" for name, text in body.items())
        how = {"body": pairs.encode(), "headers": {"content-type": FORM}}
    method = "GET" if route.method == "*" else route.method
    return await world.http.request(method, path, bearer=credential, query=query, **how)


async def credentials_of(host):
    """Return all that a stranger has: his key, and a token of his own in each form."""
    tokens = [(await host.mint("eve")).token, (await host.mint("eve", format="opaque")).token]
    assert (await host.get("/v1/sessions")).status == 200, "from here on it is remembered"
    return [host.secret, *tokens]


def said(reply):
    """Return what an answer says, less what is of its request alone."""
    body = {name: value for name, value in reply.json.items() if name != "requestId"} if reply.body else {}
    return reply.status, body, [name for name, _ in reply.headers]


async def test_every_route_is_tried_or_without_ids_on_purpose(world):
    every = {name_of(route) for route in world.app.routes.routes}
    with_id = {name_of(route) for route in world.app.routes.routes if has_id(route)}
    assert with_id | ASKED_WITH.keys() | HIS_OWN.keys() | PUBLIC | BY_TOKEN_ALONE | BY_REFRESH_TOKEN | PROXIED == every
    assert not with_id & HIS_OWN.keys()
    public = {name_of(route) for route in world.app.routes.routes if route.caller == "anyone"}
    assert public == PUBLIC
    unsafe = {name_of(route) for route in world.app.routes.routes if route.body is not None}
    assert unsafe <= ASKED_WITH.keys() | HIS_OWN.keys() | with_id | BY_REFRESH_TOKEN


async def test_every_table_is_ours_by_issuer_or_on_purpose(world):
    tables = await world.store.at_once(columns_by_table)
    assert {table for table, columns in tables.items() if "issuer" not in columns} == OURS.keys() | OF_NOBODY


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_no_id_of_ours_opens_a_path(world, stranger):
    """Each route with an id in its path, with our ids of every kind, each credential: as for one that there is not."""
    host, ids = getattr(world, stranger), await ids_of(world)
    theirs = await credentials_of(host)
    before = await everything_of(world, world.host.issuer)
    for route in filter(has_id, world.app.routes.routes):
        for kind, foreign in ids.items():
            if kind in {"token", "opaque"}:
                continue
            for credential in theirs:
                for body in ASKED_WITH.get(name_of(route), [None]):
                    replies, asked = [], []
                    for each in (foreign, unknown(ids)[kind]):
                        with world.store.watched() as look_ups:
                            path = route.path.replace("{id}", each)
                            replies.append(await ask(world, route, path, body and filled(body, ids), credential))
                        asked.append(list(look_ups))
                    where = name_of(route), kind, replies[0].body
                    assert replies[0].status == (404 if credential == host.secret else 401), where
                    assert said(replies[0]) == said(replies[1]), where
                    assert asked[0] == asked[1], "nothing more is looked up for one that there is"
    assert await everything_of(world, world.host.issuer) == before


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_no_id_of_ours_opens_a_body(world, stranger):
    """Nor a token: a stranger who found one learns nothing of it from us, and less of what is in its session."""
    host, ids = getattr(world, stranger), await ids_of(world)
    theirs = await credentials_of(host)
    before = await everything_of(world, world.host.issuer)
    routes = {name_of(route): route for route in world.app.routes.routes}
    for name, bodies in ASKED_WITH.items():
        for body in bodies if not has_id(routes[name]) else ():
            for credential in theirs:
                reply = await ask(world, routes[name], routes[name].path, filled(body, ids), credential)
                if credential != host.secret:
                    assert (reply.status, reply.code) == (401, "UNAUTHORIZED"), name
                elif body.get("token") in {"{token}", "{opaque}"}:
                    assert reply.json.get("valid", reply.json.get("active")) is False, name
                else:
                    known_to_nobody = filled(body, unknown(ids))
                    assert reply.status == 404, name
                    assert said(reply) == said(
                        await ask(world, routes[name], routes[name].path, known_to_nobody, credential)
                    )
                asked_for = body.get("token", "").format(**ids)
                for ours in {"ada", "acme", ids["sess"], ids["cust"], ids["key"]} - {asked_for}:
                    assert ours not in reply.body.decode(), name
    assert await everything_of(world, world.host.issuer) == before


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_what_a_stranger_does_by_name_or_to_all_is_done_to_his_own(world, stranger):
    """Our users happen to have the names of his; a cursor of ours is a place in his list."""
    host, ids = getattr(world, stranger), await ids_of(world)
    routes = {name_of(route): route for route in world.app.routes.routes}
    before = await everything_of(world, world.host.issuer)
    for name, bodies in HIS_OWN.items():
        for body in bodies:
            for credential in await credentials_of(host):
                queries = ["", {"cursor": ids["page"]}] if routes[name].query else [""]
                for query in queries:
                    reply = await ask(world, routes[name], routes[name].path, body, credential, query)
                    assert reply.status in {200, 201, 401, 403}, (name, reply.body)
                    for kind in ("sess", "cust", "key", "we", "evt"):
                        assert ids[kind] not in reply.body.decode(), name
        if "block" in str(bodies):
            customer = (await host.revoke_user("ada"))["customerId"]
            await host.unblock(customer)
    assert await everything_of(world, world.host.issuer) == before


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_a_key_of_a_stranger_cannot_end_what_only_its_token_may(world, stranger):
    """A credential that is sent must be right, and of the token's project and environment."""
    host, ids = getattr(world, stranger), await ids_of(world)
    (route,) = [route for route in world.app.routes.routes if name_of(route) in BY_TOKEN_ALONE]
    before = await everything_of(world, world.host.issuer)
    for token in (ids["token"], ids["opaque"]):
        for credential in await credentials_of(host):
            reply = await ask(world, route, route.path, {"token": token}, credential)
            assert (reply.status, reply.code) == (401, "UNAUTHORIZED")
    assert await everything_of(world, world.host.issuer) == before


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_a_strangers_key_neither_refreshes_nor_ends_what_is_ours(world, stranger):
    """Not beside our refresh token, nor by the name of our user: that is his own user of that name."""
    host, ada = getattr(world, stranger), await world.login("ada")
    before = await everything_of(world, world.host.issuer)
    for path in ("/v1/auth/refresh", "/v1/auth/logout"):
        reply = await world.http.post(path, {"refreshToken": ada.refresh_token}, bearer=host.secret)
        assert (reply.status, reply.code) == (401, "UNAUTHORIZED")
    assert (await host.post("/v1/auth/refresh", {"sessionId": ada.id})).code == "NOT_FOUND"
    reply = await host.post("/v1/auth/logout", {"everywhere": True, "externalUserId": "ada"})
    assert reply.json == {"tokensRevoked": 0}
    his = await host.login("ada")
    assert await his.logout(everywhere=True) == 1
    assert await everything_of(world, world.host.issuer) == before


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_a_proxy_of_ours_lets_no_token_of_a_stranger_pass(world, stranger):
    """The path binds it; and ours does not pass at his."""
    host, ids = getattr(world, stranger), await ids_of(world)
    for token in (await credentials_of(host))[1:]:
        assert (await world.http.get("/v1/forward-auth/test/default/-", bearer=token)).status == 401
    where = f"{host.issuer.environment}/{'default' if stranger == 'live' else host.issuer.project.id}"
    for token in (ids["token"], ids["opaque"]):
        reply = await world.http.get(f"/v1/forward-auth/{where}/-", bearer=token)
        assert reply.status == 401
        assert not [name for name, _ in reply.headers if name.startswith("x-guestpass")]

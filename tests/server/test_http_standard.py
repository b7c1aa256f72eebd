"""Introspection, revocation and forward-auth: what a stock OAuth client and a stock proxy ask, and are told."""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import quote, unquote, urlencode

import pytest

FORM = "application/x-www-form-urlencoded"
INACTIVE = {"active": False}


async def send_form(world, path, fields, *, headers=(), content_type=FORM):
    body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
    return await world.http.post(path, body=body, headers=[*headers, ("content-type", content_type)])


def basic(user, password):
    return ("authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())


async def introspect(world, token, *, host=None, **fields):
    host = host or world.host
    reply = await send_form(
        world, "/oauth/introspect", {"token": token, **fields}, headers=[basic(host.id, host.secret)]
    )
    assert reply.status == 200, reply.body
    assert reply.header("cache-control") == "no-store"
    return reply.json


class TestIntrospection:
    @pytest.mark.parametrize("form", ["jwt", "opaque"])
    async def test_an_active_token_is_told_whole(self, world, form):
        ada = await world.mint(
            "ada", format=form, allowedOperations=["read"], externalOrganizationId="acme", expiresIn=900
        )
        now = int(world.clock())
        issuer = world.host.issuer
        assert await introspect(world, ada.token) == {
            "active": True, "scope": "read", "client_id": world.host.id, "token_type": "Bearer", "sub": "ada",
            "iat": now, "exp": now + 900, "iss": issuer.url, "aud": issuer.audience, "jti": ada.id, "sid": ada.id,
            "project_id": issuer.project.id, "environment": "test", "organization_id": "acme",
        }  # fmt: skip

    async def test_what_is_not_active_is_exactly_that(self, world):
        """A revoked, an expired, a foreign and a made-up token are one and the same to who asks (RFC 7662 section 2.2)."""
        revoked, expired, scheduled = [await world.mint("ada", expiresIn=60) for _ in range(3)]
        await world.host.end(revoked)
        live, neighbours = await world.live.mint(), await world.neighbour.mint()
        assert await introspect(world, revoked.token) == INACTIVE
        world.clock.advance(seconds=60)
        assert await introspect(world, expired.token) == INACTIVE
        for token in (live.token, neighbours.token, "", "x", world.host.secret, scheduled.token + "x", "é"):
            assert await introspect(world, token) == INACTIVE

    async def test_a_key_needs_verify(self, world):
        key = await world.key(can=("mint",))
        reply = await send_form(world, "/oauth/introspect", {"token": "x"}, headers=[basic(key.id, key.secret)])
        assert (reply.status, reply.code, reply.json["error"]) == (403, "FORBIDDEN", "unauthorized_client")

    @pytest.mark.parametrize("how", ["basic", "bearer", "post", "stripe's way"])
    async def test_a_client_may_say_who_it_is_in_every_usual_way(self, world, how):
        ada, key = await world.mint(), world.host
        headers, fields = [], {"token": ada.token, "token_type_hint": "access_token", "resource": "unknown is ignored"}
        if how == "post":
            fields |= {"client_id": key.id, "client_secret": key.secret}
        else:
            headers.append({"basic": basic(key.id, key.secret), "stripe's way": basic(key.secret, ""),
                            "bearer": ("authorization", f"Bearer {key.secret}")}[how])  # fmt: skip
        reply = await send_form(world, "/oauth/introspect", fields, headers=headers)
        assert reply.json["active"] is True

    async def test_a_wrong_or_missing_or_second_credential_is_refused(self, world):
        key, token = world.host, (await world.mint()).token
        post = {"token": token, "client_id": key.id, "client_secret": key.secret}
        cases = [
            ({"token": token}, ()),
            ({**post, "client_secret": key.secret[:-1]}, ()),
            ({**post, "client_secret": world.neighbour.secret}, ()),
            ({**post, "client_id": world.neighbour.id}, ()),
            ({"token": token, "client_secret": key.secret}, ()),
            (post, [basic(key.id, key.secret)]),
            ({"token": token}, [basic(world.live.id, key.secret)]),
        ]
        for fields, headers in cases:
            reply = await send_form(world, "/oauth/introspect", fields, headers=headers)
            assert (reply.status, reply.code, reply.json["error"]) == (401, "UNAUTHORIZED", "invalid_client"), fields
            assert reply.json["error_description"] == reply.json["message"]

    @pytest.mark.parametrize(
        ("body", "content_type", "status"),
        [
            (b"", FORM, 400), (b"token=a&token=b", FORM, 400), (b"token=%ff", FORM, 400), (b"token=\xff", FORM, 400),
            (b'{"token":"a"}', "application/json", 415), (b"token=" + b"a" * 70_000, FORM, 413),
            (b"&".join(b"a%d=" % n for n in range(20)), FORM, 400),
        ],
    )  # fmt: skip
    async def test_what_is_no_form_is_refused_in_oauths_words(self, world, body, content_type, status):
        headers = [basic(world.host.id, world.host.secret)]
        reply = await send_form(world, "/oauth/introspect", body, headers=headers, content_type=content_type)
        assert (reply.status, reply.json["error"]) == (status, "invalid_request")

    async def test_a_store_that_is_away_is_not_called_inactive(self, world):
        """A 503 is tried again; `active: false` would sign the user out."""
        ada = await world.mint()
        with world.store.away():
            reply = await send_form(
                world, "/oauth/introspect", {"token": ada.token}, headers=[basic(world.host.id, world.host.secret)]
            )
        assert (reply.status, reply.json["error"]) == (503, "temporarily_unavailable")


class TestUses:
    async def test_a_token_is_good_for_as_many_uses_as_it_was_made_for(self, world):
        once = await world.mint("ada", maxUses=2)
        assert [(await introspect(world, once.token))["active"] for _ in range(3)] == [True, True, False]
        assert (await world.host.session(once))["status"] == "expired"
        with world.refused("TOKEN_REPLAYED"):
            await once.who_am_i()

    async def test_looking_counts_no_use(self, world):
        once = await world.mint("ada", maxUses=1, format="opaque")
        for _ in range(3):
            assert (await world.host.verify(once.token))["valid"]
            await once.who_am_i()
        assert (await introspect(world, once.token))["active"]

    async def test_a_use_is_counted_only_after_all_other_checks(self, world):
        once = await world.mint("ada", maxUses=1, allowedOperations=["read"])
        assert (await forward(world, once, "write")).code == "OPERATION_NOT_ALLOWED"
        assert (await forward(world, once, "read")).status == 200
        refused = await forward(world, once, "read")
        assert (refused.code, refused.header("guestpass-retry")) == ("TOKEN_REPLAYED", "token")

    async def test_of_many_at_once_as_many_pass_as_may(self, world):
        once = await world.mint("ada", maxUses=3)
        answers = await asyncio.gather(*(introspect(world, once.token) for _ in range(20)))
        assert sum(answer["active"] for answer in answers) == 3

    async def test_the_explanation_says_that_it_was_used(self, world):
        once = await world.mint("ada", maxUses=1)
        await introspect(world, once.token)
        explained = await world.host.verify(once.token)
        assert (explained["valid"], explained["code"]) == (False, "TOKEN_REPLAYED")
        assert explained["session"]["status"] == "expired"

    async def test_a_session_that_is_purged_takes_its_count_along(self, world):
        await introspect(world, (await world.mint("ada", maxUses=5)).token)
        world.clock.advance(seconds=40 * 86_400)
        while await world.service.audit.sealing.seal():
            pass
        await world.service.jobs.purge()
        assert await world.store.look_up("SELECT * FROM session_uses") == []


class TestRevocation:
    async def test_a_token_alone_ends_its_session(self, world):
        ada = await world.mint()
        reply = await send_form(world, "/oauth/revoke", {"token": ada.token})
        assert (reply.status, reply.json) == (200, {})
        with world.refused("TOKEN_REVOKED"):
            await ada.who_am_i()
        assert (await world.host.session(ada))["revokedBy"] == "session"

    async def test_a_key_ends_it_in_its_own_name(self, world):
        ada, key = await world.mint(), world.host
        await send_form(world, "/oauth/revoke", {"token": ada.token}, headers=[basic(key.id, key.secret)])
        assert (await key.session(ada))["revokedBy"] == key.id

    async def test_what_is_no_good_token_is_answered_alike_and_ends_nothing(self, world):
        """An error would tell tokens apart (RFC 7009 section 2.2)."""
        ada = await world.mint()
        for token in ("", "x", ada.id, ada.token[:-2], world.host.secret):
            reply = await send_form(world, "/oauth/revoke", {"token": token})
            assert (reply.status, reply.json) == (200, {})
        assert await ada.lives()

    async def test_a_key_of_another_issuer_or_without_the_right_ends_nothing(self, world):
        ada = await world.mint()
        for key, status in ((world.live, 401), (world.neighbour, 401), (await world.key(can=("mint",)), 403)):
            reply = await send_form(world, "/oauth/revoke", {"token": ada.token}, headers=[basic(key.id, key.secret)])
            assert reply.status == status
        assert await ada.lives()


async def forward(world, session, operation="-", *, project="default", environment="test", method="GET", **options):
    path = f"/v1/forward-auth/{environment}/{project}/{operation}"
    token = session if isinstance(session, str) else session.token
    return await world.http.request(method, path + options.pop("tail", ""), bearer=token, **options)


class TestForwardAuth:
    async def test_a_good_token_is_translated_into_headers(self, world):
        ada = await world.mint(
            "ada/läst +1", externalOrganizationId="acme & söhne", allowedOperations=["read", "write"]
        )
        reply = await forward(world, ada, "read")
        assert (reply.status, reply.body) == (200, b"")
        told = {name: unquote(value) for name, value in reply.headers if name.startswith("x-guestpass-")}
        assert told == {
            "x-guestpass-user": "ada/läst +1", "x-guestpass-organization": "acme & söhne",
            "x-guestpass-operations": "read write", "x-guestpass-session": ada.id,
            "x-guestpass-project": world.host.issuer.project.id, "x-guestpass-environment": "test",
        }  # fmt: skip
        assert reply.header("x-guestpass-user") == quote("ada/läst +1", safe="")

    async def test_every_header_is_there_also_where_there_is_nothing_to_say(self, world):
        """A header that is left out would let through the one that the client sent."""
        reply = await forward(world, await world.mint(allowedOperations=[]))
        assert reply.header("x-guestpass-organization") == ""
        assert reply.header("x-guestpass-operations") == ""

    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
    async def test_any_method_asks(self, world, method):
        ada = await world.mint()
        assert (await forward(world, ada, method=method)).status == 200
        assert (await forward(world, "x", method=method)).status == 401

    async def test_whatever_a_proxy_appends_is_not_read(self, world):
        ada = await world.mint(allowedOperations=["read"])
        for tail in ("/", "/other/write", "/v1/sessions", "/%0a", "/a\nb"):
            for query in ("", "operation=write", "a=1&a=2", "%zz", f"token={ada.token}"):
                assert (await forward(world, ada, "read", tail=tail, query=query)).status == 200
                assert (await forward(world, ada, "write", tail="/read", query=query)).code == "OPERATION_NOT_ALLOWED"
        assert (await forward(world, ada, "read", method="POST", body=b"{not json" * 10_000)).status == 200

    async def test_the_path_binds_project_and_environment(self, world):
        """Tenant B mints the id of a user of A, and shows the token to A's API."""
        forged = await world.neighbour.mint("ada")
        theirs = world.neighbour.issuer.project.id
        assert (await forward(world, forged)).code == "TOKEN_PROJECT_MISMATCH"
        assert (await forward(world, forged, project=theirs)).status == 200
        assert (await forward(world, await world.mint(), project=theirs)).status == 401
        live = await world.live.mint("ada")
        assert (await forward(world, live)).code == "TOKEN_ENVIRONMENT_MISMATCH"
        assert (await forward(world, live, environment="live")).status == 200

    @pytest.mark.parametrize(
        ("environment", "project", "operation", "status"),
        [("prod", "default", "-", 401), ("test", "proj_nobody", "-", 401), ("test", "default", "Read!", 403)],
    )
    async def test_a_path_that_can_bind_nothing_lets_nobody_in(self, world, environment, project, operation, status):
        """A proxy takes 401 and 403 for a no, and any other status for a fault, perhaps to pass over."""
        reply = await forward(world, await world.mint(), operation, project=project, environment=environment)
        assert reply.status == status

    async def test_a_refusal_says_what_a_browser_needs(self, world):
        ada = await world.mint(expiresIn=60)
        world.clock.advance(seconds=60)
        reply = await forward(world, ada)
        assert (reply.status, reply.header("guestpass-retry")) == (401, "token")
        assert reply.header("www-authenticate") == 'Bearer error="invalid_token", error_description="TOKEN_EXPIRED"'
        missing = await world.http.get("/v1/forward-auth/test/default/-")
        assert (missing.status, missing.header("www-authenticate")) == (401, "Bearer")


async def test_discovery_names_the_endpoints(world):
    document = (await world.http.get("/.well-known/oauth-authorization-server/test")).json
    assert document["introspection_endpoint"].endswith("/oauth/introspect")
    assert document["revocation_endpoint"].endswith("/oauth/revoke")
    assert "client_secret_post" in document["introspection_endpoint_auth_methods_supported"]

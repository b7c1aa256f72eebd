"""A POST that creates, sent again with its Idempotency-Key, does nothing twice and is answered as it was."""

from __future__ import annotations

import asyncio

import pytest

from guestpass.server.api_keys.service import OPERATOR
from signing import SigningHost
from world import World

MINT = "/v1/session-tokens"
ANALYTICS = "/sessions"
API_KEYS = "/v1/api-keys"
ROTATE = "/v1/api-keys/{id}/rotate"
LOGIN = "/v1/auth/login"
BODIES = {
    MINT: {"externalUserId": "ada"},
    LOGIN: {"externalUserId": "ada"},
    ANALYTICS: {"user": {"id": "ada"}},
    API_KEYS: {"name": "mine"},
    ROTATE: {},
}
ELSEWHERE = {"/v1/webhook-endpoints", "/v1/webhook-endpoints/{id}/rotate"}  # tried in test_http_webhooks
HOUR = 3600


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def where(request, tmp_path):
    """The store of one world, or of several: what ``World.opened`` takes."""
    if request.param == "SQLite":
        return {"path": tmp_path / "store.sqlite3"}
    return {"database_url": request.getfixturevalue("database_url")}


@pytest.fixture
async def world(where):
    async with World.opened(**where) as world:
        yield world


async def send(host, key="order-1", path=MINT, body=None, **fields):
    body = {**(BODIES[path] if body is None else body), **fields}
    return await host.post(path, body, headers={"Idempotency-Key": key})


async def minted(host):
    return len(await host.sessions())


def is_replayed(reply):
    return reply.header("idempotency-replayed") == "true"


def without(answer, *names):
    return {name: value for name, value in answer.items() if name not in names}


async def test_a_lost_answer_is_given_again(world):
    """The same token, and how long it is good from now."""
    first = await send(world.host)
    world.clock.advance(seconds=100)
    again = await send(world.host)
    assert (first.status, again.status) == (201, 201)
    assert (is_replayed(first), is_replayed(again)) == (False, True)
    assert without(again.json, "expiresIn") == without(first.json, "expiresIn")
    assert (first.json["expiresIn"], again.json["expiresIn"]) == (3600, 3500)
    assert again.header("cache-control") == "no-store"
    assert await minted(world.host) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"format": "opaque"},
        {"notBefore": "2030-01-01T00:10:00Z", "externalOrganizationId": "acme", "expiresIn": 86_400},
        {"allowedOperations": ["a", "b"], "metadata": {"cart": [1, 2]}, "email": "ada@example.com", "maxUses": 3},
        {"allowedOperations": []},
    ],
    ids=["an opaque token", "a life, an organization", "operations, metadata, an email", "no operations"],
)
async def test_whatever_was_asked_for_is_told_again(world, fields):
    first = await send(world.host, **fields)
    again = await send(world.host, **fields)
    assert first.status == 201
    assert is_replayed(again)
    assert again.json == first.json


async def test_what_the_key_did_not_allow_is_told_again(world):
    host = await world.key(ceiling="a b")
    replies = [await send(host, allowedOperations=["a", "c"]) for _ in range(2)]
    assert replies[0].json["deniedOperations"] == ["c"]
    assert replies[1].json == replies[0].json


async def test_the_door_of_embedded_analytics_answers_the_bare_token_again(world):
    first, again = [await send(world.host, path=ANALYTICS) for _ in range(2)]
    assert first.json == again.json
    assert first.json.keys() == {"token"}
    assert is_replayed(again)


async def test_the_token_that_is_told_again_is_good(world):
    for fields in ({}, {"format": "opaque"}):
        await send(world.host, fields.get("format", "jwt"), **fields)
        token = (await send(world.host, fields.get("format", "jwt"), **fields)).json["sessionToken"]
        assert (await world.http.get("/v1/session", bearer=token)).status == 200


async def test_every_post_that_creates_takes_the_header(world):
    """A route that makes a credential is tried here; a new one says how it is answered again."""
    creating = {route.path for route in world.app.routes.routes if route.creates is not None}
    assert creating == BODIES.keys() | ELSEWHERE


class TestSharing:
    """Scope: API key, method, path, key; nothing else is the same request."""

    async def test_another_body_is_a_conflict_and_does_nothing(self, world):
        await send(world.host)
        other = await send(world.host, externalUserId="bob")
        assert (other.status, other.code) == (409, "IDEMPOTENCY_CONFLICT")
        assert await minted(world.host) == 1

    async def test_another_spelling_of_the_same_body_is_another_body(self, world):
        """What is compared is what was sent; a client that tries again sends the very same bytes."""
        await send(world.host)
        headers = {"Idempotency-Key": "order-1", "Content-Type": "application/json"}
        other = await world.host.post(MINT, body=b'{"externalUserId":"ada" }', headers=headers)
        assert other.code == "IDEMPOTENCY_CONFLICT"

    async def test_another_key_is_another_request(self, world):
        replies = [await send(world.host, f"order-{number}") for number in range(3)]
        assert len({reply.json["id"] for reply in replies}) == 3

    @pytest.mark.parametrize("other", ["live", "neighbour", "a second key"])
    async def test_another_api_key_is_another_caller(self, world, other):
        host = await world.key() if other == "a second key" else getattr(world, other)
        first, second = await send(world.host), await send(host)
        assert not is_replayed(second)
        assert first.json["id"] != second.json["id"]

    async def test_another_path_is_another_request(self, world):
        first, second = await send(world.host), await send(world.host, path=ANALYTICS)
        assert (first.status, second.status) == (201, 201)
        assert not is_replayed(second)

    async def test_a_signed_request_of_the_same_api_key_is_the_same_caller(self, world):
        host = await world.key(signing=True)
        signer = SigningHost(world, host)
        first = await signer.mint(key="order-1")()
        again = await signer.mint(key="order-1")()
        assert (is_replayed(first), is_replayed(again)) == (False, True)
        assert first.json["id"] == again.json["id"]

    async def test_who_sends_on_a_signed_request_of_another_is_told_nothing(self, world):
        """What was captured on its way is refused as replayed, whatever answer is kept for its sender."""
        signer = SigningHost(world, await world.key(signing=True))
        sent = signer.mint(key="order-1")
        assert (await sent()).status == 201
        beside, captured = await asyncio.gather(send(world.host), sent())
        assert (captured.status, captured.code) == (401, "REQUEST_REPLAYED")
        assert beside.status == 201


class TestApiKeys:
    """A key's secret is a credential like a token."""

    @pytest.fixture
    async def manager(self, world):
        return await world.key(can=["manage", "mint", "read"])

    @pytest.fixture(params=["made", "rotated"])
    async def path(self, request, world):
        mints = await world.key(can=["mint", "read"])
        return API_KEYS if request.param == "made" else ROTATE.format(id=mints.id)

    async def test_the_secret_is_told_again_and_works(self, world, manager, path):
        first, again = [await send(manager, path=path, body=BODIES.get(path, {})) for _ in range(2)]
        assert (first.status, again.status) == (201, 201)
        assert is_replayed(again)
        assert again.json == first.json
        assert (await world.http.get("/v1/sessions", bearer=again.json["secret"])).status == 200

    @pytest.mark.parametrize("how", ["revoke", "rotate"])
    async def test_one_that_has_ended_or_was_replaced_is_a_conflict(self, world, manager, path, how):
        made = (await send(manager, path=path, body=BODIES.get(path, {}))).json
        assert (await world.host.post(f"{API_KEYS}/{made['id']}/{how}", {})).status < 300
        again = await send(manager, path=path, body=BODIES.get(path, {}))
        assert (again.status, again.code) == (409, "CONFLICT")
        assert made["secret"] not in str(again.json)

    async def test_who_may_do_less_by_now_is_told_nothing(self, world, manager, path):
        """Whoever holds a key's secret can do all that it can."""
        await send(manager, path=path, body=BODIES.get(path, {}))
        assert (await world.host.post(f"{API_KEYS}/{manager.id}", {"can": ["manage"]})).status == 200
        assert (await send(manager, path=path, body=BODIES.get(path, {}))).code == "FORBIDDEN"

    async def test_nothing_of_it_is_readable_in_the_store(self, tmp_path):
        async with World.opened(tmp_path / "store.sqlite3") as world:
            secret = (await send(world.host, path=API_KEYS)).json["secret"]
        assert secret.encode() not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


class TestTwins:
    async def test_fifty_at_once_make_one_session(self, world):
        replies = await asyncio.gather(*(send(world.host) for _ in range(50)))
        assert {reply.status for reply in replies} == {201}
        assert len({reply.json["sessionToken"] for reply in replies}) == 1
        assert sum(not is_replayed(reply) for reply in replies) == 1
        assert await minted(world.host) == 1

    async def test_fifty_at_once_at_two_servers_make_one_session(self, world, where):
        async with World.opened(**where, seed=8) as other:
            there = other.host.__class__(other.http, world.host.issuer, world.host.id, world.host.secret)
            for turn in range(5):
                sent = [send(host, f"order-{turn}") for _ in range(25) for host in (world.host, there)]
                replies = await asyncio.gather(*sent)
                assert {reply.status for reply in replies} == {201}
                assert len({reply.json["sessionToken"] for reply in replies}) == 1
        assert await minted(world.host) == 5

    async def test_of_twins_with_different_bodies_one_is_done(self, world):
        replies = await asyncio.gather(*(send(world.host, externalUserId=f"user{n}") for n in range(20)))
        assert sorted(reply.status for reply in replies) == [201] + [409] * 19
        assert {reply.code for reply in replies if reply.status == 409} == {"IDEMPOTENCY_CONFLICT"}
        assert await minted(world.host) == 1


class TestRefusals:
    """Only what was done is kept: a refusal may be sent again when its reason is gone."""

    async def test_a_refused_request_is_tried_anew(self, world):
        ada = await world.mint("ada")
        customer = (await world.host.session(ada))["customerId"]
        await world.host.block(customer)
        refused = await send(world.host)
        assert refused.code == "CUSTOMER_BLOCKED"
        await world.host.unblock(customer)
        again = await send(world.host)
        assert (again.status, is_replayed(again)) == (201, False)

    async def test_a_body_that_was_wrong_may_be_corrected_under_the_same_key(self, world):
        assert (await send(world.host, expiresIn=1)).code == "INVALID_EXPIRATION"
        assert (await send(world.host, expiresIn=60)).status == 201

    async def test_while_the_store_is_away_nothing_is_kept(self, world):
        with world.store.away():
            assert (await send(world.host)).status == 503
        assert not is_replayed(await send(world.host))


class TestEnds:
    """A token that is dead is not handed out again, nor is another one made."""

    @pytest.mark.parametrize("form", ["jwt", "opaque"])
    @pytest.mark.parametrize("how", ["revoked", "cut", "ended by its user", "blocked", "used up", "expired"])
    async def test_a_stored_credential_that_has_ended_is_a_conflict(self, world, how, form):
        fields = {"expiresIn": 60, "format": form, "maxUses": 1}
        first = (await send(world.host, **fields)).json
        match how:
            case "revoked":
                await world.host.delete(f"{MINT}/{first['id']}")
            case "cut":
                await world.host.revoke(externalUserId="ada")
            case "ended by its user":
                await world.http.delete("/v1/session", bearer=first["sessionToken"])
            case "blocked":
                await world.host.revoke_user("ada", block=True)
            case "used up":
                form_body = f"token={first['sessionToken']}".encode()
                headers = {"Content-Type": "application/x-www-form-urlencoded"}
                used = await world.host.post("/oauth/introspect", body=form_body, headers=headers)
                assert used.json["active"]
            case "expired":
                world.clock.advance(seconds=60)
        again = await send(world.host, **fields)
        assert (again.status, again.code) == (409, "CONFLICT")
        assert "has ended" in again.json["message"]
        assert first["sessionToken"] not in str(again.json)
        assert await minted(world.host) == 1

    async def test_a_revoked_key_is_told_nothing(self, world, where):
        """Not even by a server that remembers it as good, where the session lives on."""
        await send(world.host)
        async with World.opened(**where, seed=8) as other:
            await other.service.api_keys.revoke(world.host.id, actor=OPERATOR, keep_sessions=True)
        again = await send(world.host)
        assert (again.status, again.code) == (401, "UNAUTHORIZED")

    async def test_another_body_is_told_so_also_when_the_credential_has_ended(self, world):
        await send(world.host)
        await world.host.revoke(all=True)
        assert (await send(world.host, externalUserId="bob")).code == "IDEMPOTENCY_CONFLICT"

    async def test_after_an_hour_a_key_stands_for_a_new_request(self, world):
        """Its session may still live: the answer is gone, and the key with it."""
        first = await send(world.host, expiresIn=86_400)
        world.clock.advance(seconds=HOUR - 1)
        assert is_replayed(await send(world.host, expiresIn=86_400))
        world.clock.advance(seconds=1)
        later = await send(world.host, expiresIn=86_400)
        assert (later.status, is_replayed(later)) == (201, False)
        assert later.json["id"] != first.json["id"]
        assert is_replayed(await send(world.host, expiresIn=86_400))

    async def test_a_token_that_would_be_another_is_not_told(self, world):
        await send(world.host)
        await world.store.at_once(lambda tx: tx.execute("UPDATE sessions SET scope = 'more'"))
        again = await send(world.host)
        assert (again.status, again.code) == (409, "CONFLICT")
        assert "cannot be told" in again.json["message"]


class TestHeader:
    @pytest.mark.parametrize("path", [MINT, "/v1/sessions/revoke"], ids=["that creates", "that ends"])
    @pytest.mark.parametrize("value", ["", " ", "a b", "a\tb", "é".encode(), b"\xff", "x" * 256, "a\x7fb"], ids=repr)
    async def test_one_that_is_malformed_is_refused_and_named(self, world, path, value):
        body = BODIES.get(path, {"externalUserId": "ada"})
        reply = await world.host.post(path, body, headers={"Idempotency-Key": value})
        assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
        assert reply.json["details"] == [
            {"path": "Idempotency-Key", "message": "must be 1 to 255 visible ASCII characters, without spaces"}
        ]

    async def test_given_twice_it_is_refused(self, world):
        twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
        reply = await world.host.post(MINT, BODIES[MINT], headers=twice)
        assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
        assert "idempotency-key" in reply.json["message"]

    @pytest.mark.parametrize("key", ["a", "~" * 255, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"], ids=["1", "255", "signs"])
    async def test_every_visible_character_and_length_is_taken(self, world, key):
        assert [is_replayed(await send(world.host, key)) for _ in range(2)] == [False, True]

    async def test_where_nothing_is_created_it_changes_nothing(self, world):
        """To end something twice is to end it once; each time the answer says what this call did."""
        for revoked in (1, 1):
            await world.mint("ada")
            reply = await world.host.post(
                "/v1/sessions/revoke", {"externalUserId": "ada"}, headers={"Idempotency-Key": "order-1"}
            )
            assert reply.json["revoked"] == revoked
            assert not is_replayed(reply)
            world.clock.advance(seconds=1)


async def test_nothing_readable_is_stored(tmp_path):
    """Neither the key, nor the token, nor what proves it; the file itself is searched, with all that lies beside it."""
    path = tmp_path / "store.sqlite3"
    async with World.opened(path) as world:
        jwt = (await send(world.host, "order-jwt-of-ada@example.com")).json["sessionToken"]
        opaque = (await send(world.host, "order-opaque-of-ada", format="opaque")).json["sessionToken"]
        assert is_replayed(await send(world.host, "order-opaque-of-ada", format="opaque"))
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for secret in (jwt, jwt.rpartition(".")[2], opaque, opaque[-49:], "order-jwt-of-ada", "order-opaque-of-ada"):
        assert secret.encode() not in stored
    assert b"externalUserId" not in stored

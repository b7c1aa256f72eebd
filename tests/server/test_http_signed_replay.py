"""A signature is heard once: whatever the route, the answer, the process, the clock; and nothing is remembered for ever."""

from __future__ import annotations

import asyncio

import pytest

from guestpass.server.http.callers import SAFE_METHODS
from guestpass.server.signed_requests import service as signed_requests
from signing import SigningHost
from world import World


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


@pytest.fixture
async def signer(world):
    return SigningHost(world, await world.key(signing=True))


async def minted(world):
    return len(await world.host.sessions())


async def remembered(world):
    return (await world.store.look_up("SELECT count(*) FROM signed_requests"))[0][0]


@pytest.mark.parametrize("nonce", ["new", None], ids=["with a nonce", "without one"])
async def test_the_second_time_a_request_is_refused_and_told_what_to_send(world, signer, nonce):
    send = signer.mint(nonce=nonce)
    assert (await send()).status == 201
    again = await send()
    assert (again.status, again.code) == (401, "REQUEST_REPLAYED")
    assert "X-API-Nonce" in again.json["message"]
    assert await minted(world) == 1


async def test_with_a_new_nonce_the_same_request_is_another(world, signer):
    assert [(await signer.mint()()).status for _ in range(3)] == [201] * 3
    assert await minted(world) == 3


async def test_what_changes_nothing_may_be_asked_again(world, signer):
    send = signer.prepare("GET", "/v1/sessions?limit=5", nonce=None)
    assert [(await send()).status for _ in range(3)] == [200] * 3
    assert await remembered(world) == 0


BODIES = {
    "POST /v1/session-tokens": {"externalUserId": "ada"},
    "POST /v1/auth/login": {"externalUserId": "ada"},
    "POST /v1/auth/logout": {"everywhere": True, "externalUserId": "ada"},
    "POST /sessions": {"user": {"id": "ada"}},
    "POST /v1/sessions/revoke": {"externalUserId": "ada"},
    "POST /v1/tokens/verify": {"token": "x"},
    "POST /v1/users/revoke": {"externalUserId": "ada"},
    "POST /v1/api-keys": {"name": "backend"},
    "POST /v1/api-keys/{id}": {"name": "renamed"},
    "POST /v1/webhook-endpoints": {"url": "https://hooks.example.com/guestpass"},
    "POST /v1/webhook-endpoints/{id}": {"enabled": True},
    "POST /v1/webhook-endpoints/{id}/resend": {"eventId": "evt_01q3dcbd00fkhb236cvbnzk61r"},
}
NOT_THERE = {"POST /v1/webhook-endpoints/{id}/resend"}  # nothing was sent yet that could be sent again


async def test_no_route_does_anything_twice(world, signer):
    """Also one that writes nothing, one that finds nothing to do, and one that is asked for nonsense."""
    ada, bob, eve = await world.mint("ada"), await world.login("bob"), await world.login("eve")
    forms = {"POST /oauth/token": {"grant_type": "refresh_token", "refresh_token": eve.refresh_token}}
    bodies = {**BODIES, "POST /v1/auth/refresh": {"sessionId": bob.id}}
    ids = {"customers": (await world.host.session(ada))["customerId"], "api-keys": (await world.key()).id}
    routes = [
        r
        for r in world.app.routes.routes
        if r.caller in {"api_key", "client", "holder"} and r.method not in SAFE_METHODS
    ]
    assert len(routes) >= 9
    for route in routes:
        name = f"{route.method} {route.path}"
        if "/webhook-endpoints/" in name:
            endpoint = await world.host.post("/v1/webhook-endpoints", BODIES["POST /v1/webhook-endpoints"])
            ids["webhook-endpoints"] = endpoint.json["id"]  # one for each route, since one of them deletes it
        target = route.path.replace("{id}", next((ids[word] for word in ids if f"/{word}/" in route.path), ada.id))
        body = {"form": forms.get(name, {"token": "x"})} if route.form else {"json": bodies.get(name)}
        good = signer.prepare(route.method, target, **body, nonce=None)
        nonsense = signer.prepare(route.method, target, {"nonsense": 1}, nonce=None)
        for send in (good,) if route.form else (good, nonsense):
            first, second = await send(), await send()
            if send is good and name not in NOT_THERE:
                assert first.status < 300, (name, first.body)
            else:
                assert first.code == ("NOT_FOUND" if send is good else "VALIDATION_ERROR"), (name, first.body)
            assert second.code == "REQUEST_REPLAYED", name
        world.clock.advance(seconds=1)


REFUSED = {
    "a field that breaks a rule": ("VALIDATION_ERROR", {"externalUserId": ""}, {}),
    "a life that is too short": ("INVALID_EXPIRATION", {"externalUserId": "ada", "expiresIn": 1}, {}),
    "a customer who is blocked": ("CUSTOMER_BLOCKED", {"externalUserId": "mallory"}, {}),
    "a key that may not": ("FORBIDDEN", {"externalUserId": "ada"}, {"can": ["read"]}),
}


@pytest.mark.parametrize(("code", "body", "key"), REFUSED.values(), ids=REFUSED)
async def test_what_was_refused_was_heard_too(world, code, body, key):
    """Else whoever kept a refused request could have it done later, when nothing stands against it any more."""
    signer = SigningHost(world, await world.key(signing=True, **key))
    await world.host.revoke_user("mallory", block=True)
    send = signer.prepare("POST", "/v1/session-tokens", body)
    assert [(await send()).code for _ in range(2)] == [code, "REQUEST_REPLAYED"]


async def test_a_forged_signature_is_not_remembered(world, signer):
    """Else a stranger could fill the store, or spend another's signature before he does."""
    send = signer.mint()
    forged = signer.mint(sent_instead=b"{}")
    assert (await forged()).code == "UNAUTHORIZED"
    assert await remembered(world) == 0
    assert (await send()).status == 201


async def test_of_twins_at_the_same_moment_exactly_one_passes(world, signer):
    for _ in range(5):
        send = signer.mint()
        codes = sorted(str(reply.status) for reply in await asyncio.gather(*(send() for _ in range(20))))
        assert codes == ["201"] + ["401"] * 19
    assert await minted(world) == 5


async def test_twins_among_many_others_spoil_none_of_them(world, signer):
    sends = [signer.mint(f"user{number}") for number in range(40)]
    replies = await asyncio.gather(*(send() for send in [*sends, *reversed(sends)]))
    assert [reply.status for reply in replies].count(201) == 40
    assert [reply.status for reply in replies].count(401) == 40
    assert await minted(world) == 40


async def test_a_restart_forgets_nothing(where):
    async with World.opened(**where) as before:
        signer = SigningHost(before, await before.key(signing=True))
        send = signer.mint()
        assert (await send()).status == 201
    async with World.opened(**where, seed=8) as after:
        assert (await send(after.http)).code == "REQUEST_REPLAYED"


async def test_two_servers_on_one_store_share_their_memory(where, world, signer):
    async with World.opened(**where, seed=8) as other:
        for _ in range(5):
            send = signer.mint()
            replies = await asyncio.gather(*(send(one.http) for one in (world, other) for _ in range(10)))
            assert [reply.status for reply in replies].count(201) == 1
            assert {reply.code for reply in replies if reply.status != 201} == {"REQUEST_REPLAYED"}


async def test_what_the_store_could_not_take_may_be_sent_again(world, signer):
    """Nothing was done, and nothing remembered."""
    send = signer.mint()
    await signer.mint()()  # the key and the keys that sign are known
    with world.store.away():
        assert (await send()).code == "UNAVAILABLE"
    assert (await send()).status == 201


async def test_a_mint_that_has_to_be_signed_again_does_not_meet_itself(world, signer):
    """Below a cut a session gets a later id, in a second transaction of the same request."""
    world.clock.advance(seconds=2)
    await world.host.revoke(all=True)
    world.clock.advance(seconds=-2)
    send = signer.mint()
    assert (await send()).status == 201
    assert (await send()).code == "REQUEST_REPLAYED"


@pytest.mark.parametrize("offset", [-300, -1, 0, 299, 300], ids=lambda seconds: f"signed {seconds} s from now")
async def test_no_signature_outlives_its_memory(world, signer, offset):
    """Every second until long after its window, with the housekeeping at each: it never passes again."""
    send = signer.mint(now=world.clock() + offset)
    assert (await send()).status == 201
    for _ in range(700):
        world.clock.advance(seconds=1)
        await world.service.signed_requests.purge()
        assert (await send()).status == 401
    assert await remembered(world) == 0, "and it is not kept for ever"


async def test_a_clock_that_steps_back_revives_nothing(world, signer):
    """What was forgotten may have been used, so it is refused for good."""
    send, unused = signer.mint(), signer.mint()
    assert (await send()).status == 201
    world.clock.advance(seconds=1000)
    assert await world.service.signed_requests.purge() == 1
    world.clock.advance(seconds=-1000)
    for again in (send, unused):
        reply = await again()
        assert (reply.code, "X-API-Timestamp" in reply.json["message"]) == ("UNAUTHORIZED", True)
    world.clock.advance(seconds=1)
    assert (await signer.mint()()).status == 201, "and what is signed from then on is taken"


async def test_a_store_that_was_put_back_takes_no_signature_from_before(world, signer):
    """Which of them were used, it has forgotten."""
    send = signer.mint()
    world.clock.advance(seconds=1)
    await world.store.at_once(lambda tx: signed_requests.forget_before(tx, int(world.clock())))
    assert (await send()).code == "UNAUTHORIZED"
    assert (await signer.mint()()).status == 201


async def test_a_clock_that_was_far_ahead_for_a_moment_locks_nobody_out_for_long(world, signer):
    assert (await signer.mint()()).status == 201
    world.clock.advance(seconds=86_400)
    await world.service.signed_requests.purge()
    world.clock.advance(seconds=-86_399)
    assert (await signer.mint()()).status == 201


async def test_a_purge_goes_in_small_pieces_and_takes_nothing_that_could_still_be_used(world, signer):
    now = int(world.clock())
    rows = [(now - 361 - number % 7, number.to_bytes(16, "big"), bytes(8)) for number in range(1200)]
    kept = [(now - 360, bytes(16), bytes(8)), (now + 300, bytes(16), bytes(8))]
    await world.store.at_once(
        lambda tx: tx.insert("signed_requests", ("signed_at", "signature", "request"), rows + kept)
    )
    assert await world.service.signed_requests.purge() == 1200
    assert await world.store.look_up("SELECT signed_at FROM signed_requests ORDER BY 1") == [(now - 360,), (now + 300,)]


async def test_many_of_one_second_go_too(world):
    """A batch ends in the middle of a second; the next one goes on there."""
    second = int(world.clock()) - 500
    rows = [(second, number.to_bytes(16, "big"), bytes(8)) for number in range(1100)]
    await world.store.at_once(lambda tx: tx.insert("signed_requests", ("signed_at", "signature", "request"), rows))
    assert await world.service.signed_requests.purge() == 1100

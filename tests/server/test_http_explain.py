"""Why was it refused? Asked with the token, with the session's id, or with the request's id a day later."""

from __future__ import annotations

import pytest

from guestpass.errors import ERRORS, OperationNotAllowed, TokenError
from guestpass.server.refusals import service as refusals_service


async def explain(world, what, *, host=None, **fields):
    return await (host or world.host).verify(what, **fields)


async def refused(world, token, *, path="/v1/session", request_id="req_of_the_test"):
    """Show a token where it is not accepted; what is noted is written by the next turn of the housekeeping."""
    reply = await world.http.get(path, bearer=token, headers={"x-request-id": request_id})
    assert reply.status in (401, 403)
    await world.service.refusals.write()
    return reply


@pytest.mark.parametrize(
    "code", [code for code, kind in ERRORS.items() if issubclass(kind, TokenError | OperationNotAllowed)]
)
def test_every_refusal_says_what_to_do(code):
    assert ERRORS[code].remedy.endswith(".")


async def test_a_refused_token_is_explained_with_how_much_and_what_to_do(world):
    ada = await world.mint("ada", expiresIn=60)
    world.clock.advance(seconds=75)
    explained = await explain(world, ada.token)
    assert (explained["valid"], explained["code"]) == (False, "TOKEN_EXPIRED")
    assert explained["remedy"] == ERRORS["TOKEN_EXPIRED"].remedy
    assert {
        "check": "expiry",
        "passed": False,
        "detail": "The token expired 15 s ago by this verifier's clock.",
    } in explained["checks"]


async def test_a_session_is_explained_by_its_id(world):
    ada = await world.mint("ada", allowedOperations=["read"])
    living = await explain(world, ada.id, operation="read")
    assert (living["valid"], living["session"]["status"], living["refusals"]) == (True, "active", [])
    assert [line["check"] for line in living["checks"]] == [
        "expiry",
        "start",
        "age",
        "revocation",
        "uses",
        "suspension",
        "operation",
    ]
    assert (await explain(world, ada.id, operation="write"))["code"] == "OPERATION_NOT_ALLOWED"
    await world.host.end(ada)
    assert (await explain(world, ada.id))["code"] == "TOKEN_REVOKED"


async def test_a_request_is_explained_by_its_id_and_a_session_by_what_befell_it(world):
    ada = await world.mint("ada")
    await world.host.end(ada)
    await refused(world, ada.token, request_id="req_first")
    world.clock.advance(seconds=5)
    await refused(world, ada.token, path="/v1/forward-auth/test/default/-", request_id="req_second")
    by_request = await explain(world, "req_first")
    assert (by_request["valid"], by_request["code"], by_request["checks"]) == (False, "TOKEN_REVOKED", [])
    assert by_request["refusals"] == [
        {"at": "2030-01-01T00:00:00.000Z", "code": "TOKEN_REVOKED", "message": ERRORS["TOKEN_REVOKED"].meaning,
         "remedy": ERRORS["TOKEN_REVOKED"].remedy, "route": "GET /v1/session", "requestId": "req_first", "sessionId": ada.id}
    ]  # fmt: skip
    by_session = await explain(world, ada.id)
    assert [one["requestId"] for one in by_session["refusals"]] == ["req_second", "req_first"], "the newest first"
    assert by_session["refusals"][0]["route"] == "* /v1/forward-auth/{environment}/{project}/{operation}"


async def test_what_introspection_does_not_say_is_kept(world):
    """`active: false` is all that a stock client is told; whoever debugs it has the request's id."""
    ada = await world.mint("ada", expiresIn=60)
    world.clock.advance(seconds=60)
    body = f"token={ada.token}".encode()
    headers = [("content-type", "application/x-www-form-urlencoded"), ("x-request-id", "req_introspected")]
    await world.http.post("/oauth/introspect", body=body, headers=headers, bearer=world.host.secret)
    await world.service.refusals.write()
    assert (await explain(world, "req_introspected"))["code"] == "TOKEN_EXPIRED"


async def test_nothing_is_said_of_another_projects_sessions_and_requests(world):
    ada = await world.mint("ada")
    await world.host.end(ada)
    await refused(world, ada.token)
    for stranger in (world.neighbour, world.live):
        for what in (ada.id, "req_of_the_test"):
            with world.refused("NOT_FOUND"):
                await explain(world, what, host=stranger)


async def test_a_request_whose_token_proved_nothing_is_for_the_operator_alone(world):
    """Nobody knows whose it was, so no tenant may read it."""
    await refused(world, "gp_session_test_nonsense")
    with world.refused("NOT_FOUND"):
        await explain(world, "req_of_the_test")
    explained = await world.service.explaining.request("req_of_the_test")
    assert explained.code == "TOKEN_MALFORMED"


async def test_no_token_is_kept(world):
    ada = await world.mint("ada")
    await world.host.end(ada)
    for token in (ada.token, ada.token[:-5], world.host.secret):
        await refused(world, token)
    rows = await world.store.look_up("SELECT * FROM refusals")
    assert len(rows) == 4, "two of the session, by each of its names, and two that prove no session"
    kept = str(rows)
    assert not any(
        part in kept for token in (ada.token, world.host.secret) for part in token.split(".") if len(part) > 20
    )


async def test_refusals_are_kept_for_a_day(world):
    ada = await world.mint("ada", expiresIn=60)
    world.clock.advance(seconds=60)
    await refused(world, ada.token)
    world.clock.advance(seconds=24 * 3600)
    assert (await explain(world, "req_of_the_test"))["refusals"]
    world.clock.advance(seconds=3600)
    assert await world.service.refusals.purge() == 2
    with world.refused("NOT_FOUND"):
        await explain(world, "req_of_the_test")


async def test_a_flood_of_bad_tokens_does_not_become_a_flood_of_writes(world):
    for number in range(refusals_service.WAITING_MAX + 50):
        world.service.refusals.note(ERRORS["TOKEN_MALFORMED"](), request_id=f"req_{number}", route="GET /v1/session")
    await world.service.refusals.write()
    ((kept,),) = await world.store.look_up("SELECT count(*) FROM refusals")
    assert kept == refusals_service.WAITING_MAX
    assert {"event": "refusals_dropped", "count": 50, "log_level": "warning"} in world.log_lines


async def test_a_store_that_is_away_costs_the_refusals_and_nothing_else(world):
    ada = await world.mint("ada")
    await world.http.get("/v1/session", bearer="x")
    with world.store.away(), pytest.raises(Exception, match="store"):
        await world.service.refusals.write()
    await world.service.refusals.write()
    assert await ada.lives()


@pytest.mark.parametrize("what", ["req_", "req_nobody", "sess_", "sess_nobody", "req_" + "x" * 5000])
async def test_an_id_of_which_nothing_is_known_is_not_found(world, what):
    with world.refused("NOT_FOUND"):
        await explain(world, what)

"""Whoever waits too long is told so, once, and nobody else is disturbed."""

from __future__ import annotations

import asyncio

import pytest

from guestpass.errors import Unavailable, ValidationFailed
from guestpass.server.http.deadlines import Deadlines
from guestpass.server.http.exchange import Exchange
from guestpass.server.storage.acts import HANG_SECONDS, WATCH_SECONDS

SOON = 0.05


@pytest.fixture
def deadlines():
    return Deadlines(answer_seconds=SOON, body_seconds=SOON)


def exchange(receive=None):
    return Exchange({"method": "POST", "headers": []}, receive, "req_1")


async def never():
    await asyncio.Event().wait()


async def test_work_that_does_not_end_is_answered_and_what_ends_is_not_disturbed(deadlines):
    async def quick():
        return "done"

    outcomes = await asyncio.gather(
        deadlines.hold(exchange(), never()),
        *(deadlines.hold(exchange(), quick()) for _ in range(3)),
        deadlines.hold(exchange(), never()),
        return_exceptions=True,
    )
    assert outcomes[1:4] == ["done"] * 3
    for late in (outcomes[0], outcomes[4]):
        assert isinstance(late, Unavailable)
        assert late.retry_after_seconds
        assert "not known whether" in late.message


async def test_the_task_goes_on_as_if_it_had_never_been_cancelled(deadlines):
    with pytest.raises(Unavailable):
        await deadlines.hold(exchange(), never())
    assert asyncio.current_task().cancelling() == 0
    await asyncio.sleep(0)


async def test_a_body_that_does_not_come_is_the_clients_fault(deadlines):
    call = exchange(never)
    with pytest.raises(ValidationFailed, match="did not arrive within"):
        await deadlines.hold(call, call.read())


async def test_the_time_that_a_body_takes_is_not_held_against_the_answer():
    deadlines = Deadlines(answer_seconds=SOON, body_seconds=60)

    async def slowly():
        await asyncio.sleep(6 * SOON)
        return {"type": "http.request", "body": b"{}"}

    call = exchange(slowly)
    assert await deadlines.hold(call, call.read()) == b"{}"


async def test_who_is_cancelled_by_others_is_cancelled(deadlines):
    """As when the server ends."""
    held = asyncio.create_task(deadlines.hold(exchange(), never()))
    await asyncio.sleep(0)
    held.cancel()
    with pytest.raises(asyncio.CancelledError):
        await held


def test_a_deadline_outlives_the_event_loop_it_was_first_used_in(deadlines):
    for _ in range(2):
        with pytest.raises(Unavailable):
            asyncio.run(deadlines.hold(exchange(), never()))


def test_the_store_gives_up_before_the_request_does():
    """It knows better what was done."""
    assert Deadlines()._answer_seconds > HANG_SECONDS
    assert Deadlines()._answer_seconds + WATCH_SECONDS < 3

"""One verifier in many threads, tasks, loops and processes: nobody waits for another's misfortune, nothing is left."""

import asyncio
import gc
import multiprocessing
import os
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.lowlevel
import httpx2
import pytest
from verifying import CUTS, KEYS, LIST, Api

from guestpass import Verifier
from guestpass.errors import GuestpassError


class Gate:
    """A stand-in that holds back what is asked of one path until it is opened."""

    def __init__(self, path):
        self.path = path
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, request):
        if request.url.path == self.path:
            self.reached.set()
            self.opened.wait(30)


async def reached(gate):
    await anyio.to_thread.run_sync(gate.reached.wait, 30)


def verifier_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("guestpass-verifier")]


@pytest.mark.parametrize("path", [KEYS, LIST, CUTS])
async def test_who_is_cancelled_takes_nothing_away_from_the_others(issuer, path):
    """The first to ask goes; the answer comes for all who stayed, and for those who come later, with no second call."""
    api, token, gate = Api(issuer), issuer.mint(), Gate(path)
    sessions = []

    async def verify():
        sessions.append(await api.verifier.averify(token))

    with issuer.service.answering(gate):
        async with anyio.create_task_group() as tasks:
            async with anyio.create_task_group() as first:
                first.start_soon(verify)
                await reached(gate)
                tasks.start_soon(verify)
                await anyio.lowlevel.checkpoint()
                first.cancel_scope.cancel()
            assert sessions == []
            gate.opened.set()
    assert len(sessions) == 1
    await verify()
    assert len(sessions) == 2
    assert sorted(api.asked) == [KEYS, LIST, CUTS]


async def test_ten_thousand_cancelled_requests_leave_a_verifier_that_works(issuer):
    """At any moment of theirs; and nobody ever gets another's session."""
    api = Api(issuer, mode="hybrid")
    tokens = {f"user_{n}": issuer.mint(f"user_{n}", format=("jwt", "opaque")[n % 2]) for n in range(50)}
    mixed_up = []

    async def verify(user, delay_steps):
        with anyio.move_on_after(30) as scope:
            async with anyio.create_task_group() as tasks:

                async def cancel_soon():
                    for _ in range(delay_steps):
                        await anyio.lowlevel.checkpoint()
                    tasks.cancel_scope.cancel()

                tasks.start_soon(cancel_soon)
                session = await api.verifier.averify(tokens[user])
                if session.user_id != user:
                    mixed_up.append((user, session.user_id))
                tasks.cancel_scope.cancel()
        assert not scope.cancelled_caught

    for step in range(20):
        async with anyio.create_task_group() as tasks:
            for number in range(500):
                tasks.start_soon(verify, f"user_{number % 50}", (number * 7 + step) % 23)
        issuer.clock.advance(seconds=1)
    assert mixed_up == []
    for user, token in tokens.items():
        assert (await api.verifier.averify(token)).user_id == user


def test_many_threads_see_every_revoke_within_the_poll(issuer):
    """Whatever they interleave: no thread accepts what another has seen revoked."""
    api = Api(issuer)
    tokens = [issuer.mint(f"user_{n}") for n in range(40)]
    api.codes(*tokens)
    with ThreadPoolExecutor(8) as threads:
        for round_ in range(10):
            ended = tokens[round_ * 4 : round_ * 4 + 4]
            for token in ended:
                issuer.revoke(token)
            issuer.clock.advance(seconds=5)
            seen = list(threads.map(api.code, tokens * 3))
            expected = [("TOKEN_REVOKED" if n < round_ * 4 + 4 else "ok") for n in range(40)] * 3
            assert seen == expected


def test_one_verifier_serves_several_event_loops(issuer):
    """One after the other, and at once in threads."""
    api = Api(issuer, mode="hybrid")
    token, opaque = issuer.mint("ada"), issuer.mint("bob", format="opaque")

    def run(_):
        async def both():
            return (await api.verifier.averify(token)).user_id, (await api.verifier.averify(opaque)).user_id

        return asyncio.run(both())

    assert run(0) == ("ada", "bob")
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(run, range(24))) == {("ada", "bob")}


def test_an_event_loop_that_ends_while_it_waits_disturbs_nobody(issuer):
    api, token, gate = Api(issuer), issuer.mint(), Gate(KEYS)

    async def give_up():
        with anyio.move_on_after(0.01):
            await api.verifier.averify(token)

    with issuer.service.answering(gate):
        asyncio.run(give_up())
        gate.opened.set()
        assert api.code(token) == "ok"


def test_nothing_runs_before_the_first_token_nor_after_close(issuer):
    before = len(verifier_threads())
    api = Api(issuer, mode="hybrid")
    assert len(verifier_threads()) == before
    api.verify(issuer.mint())
    assert len(verifier_threads()) > before
    api.verifier.close()
    assert len(verifier_threads()) == before


def test_a_verifier_that_is_let_go_is_collected(issuer):
    """Even without close: no thread or hook of its own keeps it alive."""
    verifier = Verifier(issuer.url, clock=issuer.clock, http_client=issuer.service.http_client)
    verifier.verify(issuer.mint())
    gone = weakref.ref(verifier)
    del verifier
    gc.collect()
    assert gone() is None


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_verifies_with_threads_and_locks_of_its_own(issuer):
    """Forked in the middle of a fetch, with every lock held somewhere."""
    api, token, gate = Api(issuer, poll_seconds=60), issuer.mint("ada"), Gate(KEYS)
    reader, writer = multiprocessing.Pipe(duplex=False)
    api.verify(token)
    issuer.rotate()
    issuer.clock.advance(seconds=61)
    with issuer.service.answering(gate), ThreadPoolExecutor(1) as waiting:
        in_parent = waiting.submit(api.code, token)
        assert gate.reached.wait(30)
        child = os.fork()
        if child == 0:  # it answers and is gone; nothing of the test's goes on in it
            issuer.service._stand_in = None
            try:
                answer = [api.verifier.verify(each).user_id for each in (token, issuer.mint("bob"))]
            except BaseException as fault:  # noqa: BLE001 - told to the parent
                answer = repr(fault)
            writer.send(answer)
            os._exit(0)
        assert reader.poll(30), "the child hangs"
        assert reader.recv() == ["ada", "bob"]
        os.waitpid(child, 0)
        gate.opened.set()
        assert in_parent.result(30) == "ok"


def test_a_fetch_that_never_ends_is_not_waited_for_for_ever(issuer):
    """It is our side's fault then; and the next token asks no second time."""
    api, gate = Api(issuer, max_stale_seconds=300), Gate(LIST)
    token = issuer.mint()
    api.verify(token)
    with issuer.service.answering(lambda r: httpx2.Response(500) if r.url.path == LIST else None):
        issuer.clock.advance(seconds=5)
        assert api.code(token) == "ok"
    with issuer.service.answering(gate):
        issuer.clock.advance(seconds=5)
        assert api.code(token) == "ok", "a quarter of a second, since it failed before; then the stale list"
        gate.opened.set()


def test_an_error_is_raised_anew_for_each_who_waited(issuer):
    """Their tracebacks must not grow together."""
    api, token = Api(issuer), issuer.mint()
    errors = []
    with issuer.service.away():
        for _ in range(3):
            try:
                api.verify(token)
            except GuestpassError as error:
                errors.append(error)
    assert len({id(error) for error in errors}) == 3

"""How an act is run for all who wait for it: checks that ride along, the act, notes. The same on every engine."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

from guestpass.errors import Unavailable
from guestpass.server.storage.store import Act, Rider, Riders, Transaction
from guestpass.server.tally import Tally

GROUP_MAX = 512  # acts after which a transaction takes no more
HANG_SECONDS = 2.8  # what waits longer is answered 503, so that no request waits over 3 s
WATCH_SECONDS = 0.1

_Riding: TypeAlias = tuple[int, int, Rider]  # the place of the item it rides with, its seat there, and the rider


class Waiting(NamedTuple):
    """One who waits for an act."""

    act: Act[Any, Any]
    item: Any
    riders: Riders
    future: asyncio.Future[Any]


async def run_together(tx: Transaction, group: Sequence[Waiting]) -> list[Any]:
    """Run the act that all of ``group`` wait for, once; return an outcome each, in order.

    Raises: whatever the act raises, which is the fault of one of the items.
    """
    outcomes: list[Any] = [None] * len(group)
    riding = [(place, *seated) for place, waiting in enumerate(group) for seated in enumerate(waiting.riders)]
    for place, refusal in (await _refusals(tx, riding)).items():
        outcomes[place] = refusal
    going = [place for place, found in enumerate(outcomes) if found is None] if riding else range(len(group))
    if not going:
        return outcomes
    for place, outcome in zip(going, await _run(group[0].act, tx, [group[place].item for place in going]), strict=True):
        outcomes[place] = outcome
    done = [one for one in riding if not isinstance(outcomes[one[0]], Exception)]
    for note, noted in _by_function((one[2].note, one) for one in done if one[2].note is not None):
        await _run(note, tx, [(rider.item, outcomes[place]) for place, _, rider in noted])
    return outcomes


async def _refusals(tx: Transaction, riding: Sequence[_Riding]) -> dict[int, Exception]:
    """Run every check; of several refusals of one item, that of the rider who was named first counts."""
    refusals: dict[int, tuple[int, Exception]] = {}
    for check, checked in _by_function((one[2].check, one) for one in riding):
        for (place, seat, _), found in zip(
            checked, await _run(check, tx, [one[2].item for one in checked]), strict=True
        ):
            if found is not None and (place not in refusals or seat < refusals[place][0]):
                refusals[place] = (seat, found)
    return {place: refusal for place, (_, refusal) in refusals.items()}


async def _run(act: Act[Any, Any], tx: Transaction, items: list[Any]) -> Sequence[Any]:
    outcomes = await act(tx, items)
    if len(outcomes) != len(items):
        raise RuntimeError(f"{act} gave {len(outcomes)} outcomes for {len(items)} items")
    return outcomes


def _by_function(pairs: Iterable[tuple[Act[Any, None], _Riding]]) -> Iterable[tuple[Act[Any, None], list[_Riding]]]:
    by_function: dict[Act[Any, None], list[_Riding]] = {}
    for function, riding in pairs:
        by_function.setdefault(function, []).append(riding)
    return by_function.items()


def deliver(group: Sequence[Waiting], outcomes: Sequence[Any], tally: Tally) -> None:
    """Give everyone his outcome; called in the event loop that they wait in."""
    tally.committed(len(group))
    for waiting, outcome in zip(group, outcomes, strict=True):
        if waiting.future.done():
            continue  # the request was cancelled, or answered while the writer hung
        if isinstance(outcome, Unavailable):
            tally.store_failed()
        if isinstance(outcome, Exception):
            waiting.future.set_exception(outcome)
        else:
            waiting.future.set_result(outcome)


def out_of_time() -> Unavailable:
    """What is raised to one whose act may or may not have been done."""
    return Unavailable(
        "The store did not answer in time, so it is not known whether this was done. "
        "Try again after Retry-After seconds.",
        internal="the writer hangs",
        retry_after_seconds=1,
    )


class Patience:
    """Answers for a store that may itself be stuck: a dead disk, a lock held elsewhere, a server that hangs.

    Everything here belongs to one event loop's thread at a time.
    """

    def __init__(self, tally: Tally, hang_seconds: float = HANG_SECONDS) -> None:
        self.hang_seconds = hang_seconds
        self._tally = tally
        self._deadlines: dict[asyncio.Future[Any], float] = {}  # monotonic seconds; the oldest first
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: asyncio.TimerHandle | None = None

    def adopt(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Serve the running loop from now on; say whether it is another than before.

        Raises: RuntimeError where the one before still runs.
        """
        if loop is self._loop:
            return False
        if self._loop is not None and self._loop.is_running():
            raise RuntimeError("a store serves one event loop at a time")
        for future in self._deadlines:  # nobody waits in a loop that no longer runs
            with contextlib.suppress(RuntimeError):
                future.cancel()
        self._deadlines, self._loop, self._watch = {}, loop, None
        return True

    def begin(self, future: asyncio.Future[Any]) -> None:
        assert self._loop is not None  # noqa: S101
        self._deadlines[future] = time.monotonic() + self.hang_seconds
        self._tally.waiting(len(self._deadlines))
        if self._watch is None:
            self._watch = self._loop.call_later(WATCH_SECONDS, self._answer_what_waits_too_long)

    def end(self, future: asyncio.Future[Any]) -> None:
        deadline = self._deadlines.pop(future, None)
        self._tally.waiting(len(self._deadlines))
        if deadline is not None:
            self._tally.waited(time.monotonic() - deadline + self.hang_seconds)

    def _answer_what_waits_too_long(self) -> None:
        assert self._loop is not None  # noqa: S101
        now = time.monotonic()
        for future, deadline in self._deadlines.items():
            if deadline > now:
                break
            if not future.done():
                future.set_exception(out_of_time())
                self._tally.store_failed()
        self._watch = (
            self._loop.call_later(WATCH_SECONDS, self._answer_what_waits_too_long) if self._deadlines else None
        )

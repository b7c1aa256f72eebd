"""What one verification waits for, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar

from guestpass.verify.documents import Document, Need
from guestpass.verify.flights import Flights

T = TypeVar("T")

WAIT_SECONDS = 12.0  # longer than any fetch may take
WAIT_AGAIN_SECONDS = 0.25  # after a failure, where a stale copy will do


class Landing(NamedTuple):
    """Wait until a shared call has ended, or for ``seconds``; send back whether it has."""

    flight: Future[None]
    seconds: float = WAIT_SECONDS


class Errand(NamedTuple):
    """Make a call for this verification alone; send back what it returns, throw in what it raises."""

    call: Callable[[], Any]


Step: TypeAlias = Landing | Errand
Steps: TypeAlias = Generator[Step, Any, T]


class Wanted(NamedTuple):
    """A document that must be up to date, and how it is fetched."""

    document: Document[Any]
    fetch: Callable[[], None]


def up_to_date(flights: Flights, wanted: tuple[Wanted, ...], tick: Callable[[], float]) -> Steps[None]:
    """Fetch what is due, all at once, and wait for what may not be used before."""
    yield from _fetched(flights, wanted, tick)
    # A call that was joined may have begun too long ago: before the machine slept, or the clock was set.
    again = tuple(each for each in wanted if each.document.need(tick()) is Need.FETCH_FIRST)
    if again:
        yield from _fetched(flights, again, tick)


def _fetched(flights: Flights, wanted: tuple[Wanted, ...], tick: Callable[[], float]) -> Steps[None]:
    landings: list[tuple[Document[Any], Landing]] = []
    for document, fetch in wanted:
        now = tick()
        need = document.need(now)
        if need is Need.NOTHING:
            continue
        flight = flights.join(document, fetch, partial(_is_due, document, tick))
        if need is Need.FETCH_FIRST and flight is not None:
            hasty = document.fault is not None and document.usable(now)
            landings.append((document, Landing(flight, WAIT_AGAIN_SECONDS if hasty else WAIT_SECONDS)))
    for document, landing in landings:
        if not (yield landing) and document.fault is None:
            document.failed("no answer")


def _is_due(document: Document[Any], tick: Callable[[], float]) -> bool:
    return document.need(tick()).is_fetch

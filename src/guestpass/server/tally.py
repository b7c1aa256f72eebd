"""What the server processes count: whole numbers in memory that all processes of one server share.

Each process writes a row of its own, and each number in it from one thread; whoever is asked adds the rows up. A process
that takes the place of a dead one counts on from where that one stood, so no sum ever falls. A count costs an
addition: no lock, no system call, no object per label.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple

from guestpass.core.tokens.kinds import ENVIRONMENTS
from guestpass.errors import ERRORS, RefreshTokenError

SLOTS = 16_384  # of 64 bits, a process
SLOT_BYTES = 8
NS = 1_000_000_000  # nanoseconds in what is shown as a second

NO_ROUTE = ("any", "(none)")  # (method, path) of a request that fits no route: what was sent may be anything
PREFLIGHT = ("OPTIONS", "(preflight)")
_SUCCESSES = (200, 201, 202, 204, 302, 304)
_OTHER = ("other", "")
OUTCOMES = (
    *((str(status), "") for status in _SUCCESSES), *((str(kind.status), code) for code, kind in ERRORS.items()),
    *(("400", code) for code, kind in ERRORS.items() if issubclass(kind, RefreshTokenError)),  # to OAuth clients
    _OTHER,
)  # fmt: skip

_REQUEST_BOUNDS = tuple(int(ms * 1_000_000) for ms in (0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000))
_GROUP_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
REVOKES = ("session", "cut")
REFRESH_OUTCOMES = ("rotated", "replayed")
DELIVERY_OUTCOMES = ("delivered", "retried", "failed")

Row = memoryview  # of format Q


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric: a number, or a histogram, for each of its series.

    Args:
        series: The values of ``labels``, for each number that is kept. All are known beforehand, so nothing that a
            client sends can add one.
        bounds: Upper ends of a histogram's buckets, inclusive, in the unit that is counted.
        per_unit: How many of what is counted make one of what is shown.
        hides_zeros: Leave out series that never counted anything.
        is_of_the_store: Each process looks at the same thing, so the largest number counts, and not their sum.
    """

    name: str
    help: str
    kind: Literal["counter", "gauge", "histogram"] = "counter"
    labels: tuple[str, ...] = ()
    series: tuple[tuple[str, ...], ...] = ((),)
    bounds: tuple[int, ...] = ()
    per_unit: int = 1
    hides_zeros: bool = False
    is_of_the_store: bool = False

    @property
    def width(self) -> int:
        """Slots a series: one; or one a bucket, one for what is above all of them, and the sum."""
        return len(self.bounds) + 2 if self.kind == "histogram" else 1


MINTS = Metric(
    name="guestpass_mints", help="Sessions that were minted and committed.",
    labels=("environment", "format"), series=tuple(product(ENVIRONMENTS, ("jwt", "opaque"))),
)  # fmt: skip
REFRESHES = Metric(
    name="guestpass_refreshes", help="Refresh tokens that got a successor: rotated, or shown again and replayed.",
    labels=("environment", "outcome"), series=tuple(product(ENVIRONMENTS, REFRESH_OUTCOMES)),
)  # fmt: skip
REVOKED = Metric(
    name="guestpass_revokes", help="Acts that ended sessions: one session, or all below a cut.",
    labels=("what",), series=tuple((what,) for what in REVOKES),
)  # fmt: skip
GROUP_SIZE = Metric(
    name="guestpass_commit_group_size", help="Acts that were committed in one transaction.",
    kind="histogram", bounds=_GROUP_BOUNDS,
)  # fmt: skip
COMMIT_WAIT = Metric(
    name="guestpass_commit_wait_seconds", help="From handing an act to the store until its commit was on disk.",
    kind="histogram", bounds=_REQUEST_BOUNDS, per_unit=NS,
)  # fmt: skip
QUEUE = Metric(name="guestpass_store_queue_length", help="Acts that wait for their commit.", kind="gauge")
STORE_ERRORS = Metric(
    name="guestpass_store_errors", help="Acts that the store refused, and those that it did not answer in time."
)
DELIVERIES = Metric(
    name="guestpass_webhook_deliveries", help="Attempts to deliver a webhook, by what came of them.",
    labels=("outcome",), series=tuple((outcome,) for outcome in DELIVERY_OUTCOMES),
)  # fmt: skip
DELIVERY_AGE = Metric(
    name="guestpass_webhook_queue_age_seconds", help="For how long the delivery has been due that waits longest.",
    kind="gauge", is_of_the_store=True,
)  # fmt: skip
_OF_EVERY_SERVER = (MINTS, REFRESHES, REVOKED, GROUP_SIZE, COMMIT_WAIT, QUEUE, STORE_ERRORS, DELIVERIES, DELIVERY_AGE)
_FIRST_FREE = 1  # slot 0 holds the process id


def requests_over(routes: Sequence[tuple[str, str]]) -> Metric:
    """Return the count of requests to ``routes`` (method, path) by outcome."""
    return Metric(
        name="guestpass_requests", help="Requests by route, status and error code.",
        labels=("method", "route", "status", "code"), hides_zeros=True,
        series=tuple((method, path, *outcome) for method, path in routes for outcome in OUTCOMES),
    )  # fmt: skip


def durations_over(routes: Sequence[tuple[str, str]]) -> Metric:
    return Metric(
        name="guestpass_request_duration_seconds", help="From the head of a request to its answer, by route.",
        kind="histogram", labels=("method", "route"), hides_zeros=True, series=tuple(routes),
        bounds=_REQUEST_BOUNDS, per_unit=NS,
    )  # fmt: skip


class Reading(NamedTuple):
    """A series, added up over all processes. ``buckets``: not cumulative, and empty but for a histogram."""

    labels: tuple[str, ...]
    total: int
    buckets: tuple[int, ...]


class Tally:
    """The numbers of one process, and a view of its siblings'."""

    def __init__(self, memory: memoryview | None = None, place: int = 0) -> None:
        """Count in row ``place`` of ``memory`` (of format Q, ``SLOTS`` a process); without it, for this process alone."""
        self._memory = memoryview(bytearray(SLOTS * SLOT_BYTES)).cast("Q") if memory is None else memory
        self._row = self._memory[place * SLOTS : (place + 1) * SLOTS]
        self._row[0] = os.getpid()
        self._next = _FIRST_FREE
        self._firsts: dict[str, int] = {}
        self.metrics: list[Metric] = []
        self._of_route: dict[tuple[str, str], tuple[int, int]] = {}  # first slots of its outcomes and its histogram
        for metric in _OF_EVERY_SERVER:
            self._lay(metric)
        for gauge in (QUEUE, DELIVERY_AGE):  # what waited in the process before us waits no more
            self._row[self._firsts[gauge.name]] = 0

    def over_routes(self, routes: Iterable[tuple[str, str]]) -> None:
        """Count requests to these routes (method, path) from now on; every process must name the same ones, once."""
        every = (NO_ROUTE, PREFLIGHT, *dict.fromkeys(routes))
        if self._of_route:
            if not self._of_route.keys() >= set(every):
                raise RuntimeError("the routes that are counted cannot change while the server runs")
            return
        outcomes, durations = self._lay(requests_over(every)), self._lay(durations_over(every))
        width = durations_over(every).width
        self._of_route = {
            route: (outcomes + place * len(OUTCOMES), durations + place * width) for place, route in enumerate(every)
        }

    def _lay(self, metric: Metric) -> int:
        first = self._next
        self._next += metric.width * len(metric.series)
        if self._next > SLOTS:
            raise RuntimeError(f"{metric.name} needs more than the {SLOTS} slots of a process")
        self._firsts[metric.name] = first
        self.metrics.append(metric)
        return first

    def answered(self, route: tuple[str, str], status: int, code: str, nanoseconds: int) -> None:
        """Count an answer; ``code``: of an error, else empty."""
        outcomes, durations = self._of_route[route]
        self._row[outcomes + _place_of(status, code)] += 1
        self._observe(durations, _REQUEST_BOUNDS, nanoseconds)

    def minted(self, environment: str, form: str) -> None:
        self._row[self._firsts[MINTS.name] + MINTS.series.index((environment, form))] += 1

    def refreshed(self, environment: str, outcome: Literal["rotated", "replayed"]) -> None:
        self._row[self._firsts[REFRESHES.name] + REFRESHES.series.index((environment, outcome))] += 1

    def revoked(self, what: Literal["session", "cut"]) -> None:
        self._row[self._firsts[REVOKED.name] + REVOKES.index(what)] += 1

    def attempted(self, outcome: Literal["delivered", "retried", "failed"]) -> None:
        self._row[self._firsts[DELIVERIES.name] + DELIVERY_OUTCOMES.index(outcome)] += 1

    def deliveries_wait(self, seconds: int) -> None:
        self._row[self._firsts[DELIVERY_AGE.name]] = seconds

    def committed(self, acts: int) -> None:
        self._observe(self._firsts[GROUP_SIZE.name], _GROUP_BOUNDS, acts)

    def waited(self, seconds: float) -> None:
        self._observe(self._firsts[COMMIT_WAIT.name], _REQUEST_BOUNDS, int(seconds * NS))

    def waiting(self, acts: int) -> None:
        self._row[self._firsts[QUEUE.name]] = acts

    def store_failed(self) -> None:
        self._row[self._firsts[STORE_ERRORS.name]] += 1

    def _observe(self, first: int, bounds: tuple[int, ...], value: int) -> None:
        row = self._row
        row[first + bisect_left(bounds, value)] += 1
        row[first + len(bounds) + 1] += value

    def processes(self) -> Iterator[tuple[int, int]]:
        """Yield (place, process id) of each process that ever counted here."""
        for place in range(len(self._memory) // SLOTS):
            if self._memory[place * SLOTS]:
                yield place, self._memory[place * SLOTS]

    def read(self, metric: Metric) -> Iterator[Reading]:
        """Yield every series of a metric, over all processes."""
        for number, labels in enumerate(metric.series):
            first = self._firsts[metric.name] + number * metric.width
            of_all = max if metric.is_of_the_store else sum
            *buckets, total = (of_all(self._memory[first + offset :: SLOTS]) for offset in range(metric.width))
            if total or not metric.hides_zeros:
                yield Reading(labels, total, tuple(buckets))


_PLACES: dict[int | str, int] = {
    **{status: place for place, status in enumerate(_SUCCESSES)},
    **{code: len(_SUCCESSES) + place for place, code in enumerate(ERRORS)},
}
_PLACE_OF_OTHER = len(OUTCOMES) - 1


def _place_of(status: int, code: str) -> int:
    return _PLACES.get(code or status, _PLACE_OF_OTHER)

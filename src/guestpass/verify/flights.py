"""Calls that go out, in threads of the verifier's own.

A call that many wait for is made once. It belongs to the verifier and not to the request that needed it first, so a
request that is cancelled takes nothing away from the others.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.lowlevel

T = TypeVar("T")

WORKERS_MAX = 16  # threads; made when they are needed, gone after close()


class Flights:
    """Makes calls. Nothing runs before the first, or after ``close``."""

    def __init__(self) -> None:
        self.is_closed = False
        self.forget_threads()

    def forget_threads(self) -> None:
        """Begin anew, as a forked child must: its parent's threads and locks are not its own."""
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, Future[None]] = {}
        self._threads: ThreadPoolExecutor | None = None

    def join(self, key: Hashable, call: Callable[[], None], is_needed: Callable[[], bool]) -> Future[None] | None:
        """Return the call under ``key`` that is under way, or make it; None where it ended and is needed no more.

        Raises: RuntimeError once closed.
        """
        with self._lock:
            flight = self._under_way.get(key)
            if flight is not None and not flight.done():
                return flight
            if not is_needed():  # asked again: another's call may have ended since the caller looked
                return None
            flight = self._under_way[key] = self._pool().submit(call)
        flight.add_done_callback(partial(self._landed, key))
        return flight

    def _landed(self, key: Hashable, flight: Future[None]) -> None:
        with self._lock:
            if self._under_way.get(key) is flight:  # else the next is under way already
                del self._under_way[key]

    def apart(self, call: Callable[[], T]) -> Future[T]:
        """Make a call that is nobody else's. Raises: RuntimeError once closed."""
        with self._lock:
            return self._pool().submit(call)

    def close(self) -> None:
        """Wait for what is under way; no thread is left."""
        with self._lock:
            self.is_closed = True
            threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=True, cancel_futures=True)

    def _pool(self) -> ThreadPoolExecutor:
        if self.is_closed:
            raise RuntimeError("this Verifier is closed")
        if self._threads is None:
            self._threads = ThreadPoolExecutor(WORKERS_MAX, thread_name_prefix="guestpass-verifier")
        return self._threads


def landed(flight: Future[T], seconds: float) -> bool:
    """Wait for a call, blocking; say whether it ended in time."""
    return not wait((flight,), timeout=seconds).not_done


async def landed_soon(flight: Future[T], seconds: float) -> bool:
    """Do the same on asyncio or trio. Whoever is cancelled meanwhile stops waiting, and only he."""
    arrival = anyio.Event()
    wake = _waker(arrival)
    flight.add_done_callback(lambda _: wake())
    with anyio.move_on_after(seconds):
        await arrival.wait()
    return flight.done()


def _waker(arrival: anyio.Event) -> Callable[[], None]:
    loop: Any = anyio.lowlevel.current_token().native_token
    soon = loop.call_soon_threadsafe if hasattr(loop, "call_soon_threadsafe") else loop.run_sync_soon  # trio's

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop ended meanwhile: nobody waits any more
            soon(arrival.set)

    return wake

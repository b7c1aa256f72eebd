"""One call from plan to result, as a generator: it yields tries and is sent outcomes. No IO.

The two clients differ only in how they sleep and send; everything that decides is here.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from guestpass.client._answers import lost_error, read_answer
from guestpass.client._outcome import Answer, Lost, Try
from guestpass.client._proof import bearer, new_nonce, signature

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from guestpass.client._plan import Plan
    from guestpass.client._retry import RetryPolicy
    from guestpass.client._settings import Connection

T = TypeVar("T")


def new_idempotency_key() -> str:
    from uuid import uuid4  # noqa: PLC0415  7 ms that importing the SDK need not pay

    return str(uuid4())


@dataclass(frozen=True, slots=True, kw_only=True)
class Seams:
    """Where a call meets chance and time; tests give their own.

    Attributes:
        chance: Uniform in [0, 1).
        now: Unix time in seconds.
        new_key: A new Idempotency-Key, 1 to 255 visible ASCII characters, never the same twice.
        new_nonce: A new nonce for a signature, 16 to 64 of ``A-Za-z0-9_-``, never the same twice.
    """

    chance: Callable[[], float] = random.random
    now: Callable[[], float] = time.time
    new_key: Callable[[], str] = new_idempotency_key
    new_nonce: Callable[[], str] = new_nonce


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Makes calls to one server. Holds no state between calls."""

    connection: Connection
    retries: RetryPolicy
    user_agent: str
    seams: Seams

    def run(self, plan: Plan[T]) -> Generator[Try, Answer | Lost, T]:
        """Yield each try with the wait before it; return the result.

        Raises: the class of :mod:`guestpass.errors` that fits the last outcome.
        """
        headers = self._headers_for_all_tries(plan)
        url = self.connection.base_url + plan.target
        wait_seconds = 0.0
        begun_seconds = 0.0  # how long after the first this try begins, at the latest
        for tries in count(1):
            outcome = yield Try(
                wait_seconds=wait_seconds,
                method=plan.method,
                url=url,
                headers=headers | self._proof(plan, url, headers),
                body=plan.body,
                seconds_max=None if plan.grace is None else plan.grace.try_seconds,
            )
            wait = self.retries.wait_before_next(outcome, tries=tries)
            if wait is not None and plan.grace is not None:
                begun_seconds += plan.grace.try_seconds + wait
                if begun_seconds + plan.grace.try_seconds > plan.grace.seconds:
                    wait = None
            if wait is not None:
                wait_seconds = wait
            elif isinstance(outcome, Lost):
                raise lost_error(outcome, url=self.connection.base_url, tries=tries)
            else:
                return read_answer(outcome, plan.answer, url=self.connection.base_url, now=self.seams.now())
        raise AssertionError("count() never ends")

    def _headers_for_all_tries(self, plan: Plan[T]) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": self.user_agent}
        if plan.body is not None:
            headers["Content-Type"] = "application/json"
        if plan.changes:
            headers["Idempotency-Key"] = self.seams.new_key()
        return headers

    def _proof(self, plan: Plan[T], url: str, headers: dict[str, str]) -> dict[str, str]:
        if plan.token is not None:
            return bearer(plan.token) if plan.token else {}
        if self.connection.signing_key_id is None:
            return bearer(self.connection.secret_key)
        nonce, now = self.seams.new_nonce(), self.seams.now()
        return signature(self.connection, plan.method, url, headers, plan.body, nonce=nonce, now=now)

"""What is kept of requests that carry an Idempotency-Key."""

from __future__ import annotations

from typing import NamedTuple

CREDENTIAL_SECONDS = 3_600  # how long an answer that holds a credential can be had again
OTHER_SECONDS = 86_400
HASH_BYTES = 16
# Answers are numbered as they are written. So many make one generation of the index, its partition in time.
GENERATION_BITS = 19


def generation_of(number: int) -> int:
    return number >> GENERATION_BITS


def first_of(generation: int) -> int:
    """Return the lowest number of a generation."""
    return generation << GENERATION_BITS


class Keyed(NamedTuple):
    """A request that carries an Idempotency-Key.

    Args:
        hash: Of the API key's id, the method, the path and the Idempotency-Key.
        key: The Idempotency-Key, which is kept nowhere.
        body_hash: Of the query and the body.
        seconds: How long what is answered can be had again.
        nonce: 12 random bytes, to seal it with.
    """

    hash: bytes
    key: bytes
    body_hash: bytes
    seconds: int
    nonce: bytes


class Kept(NamedTuple):
    """An answer as it is kept. ``written_at``: Unix seconds, rising with the numbers but for the servers' clocks."""

    number: int
    hash: bytes
    written_at: int
    expires_at: int
    sealed: bytes


class AnsweredBefore(Exception):
    """The request was answered before, under the same hash; ``sealed`` holds what was made."""

    def __init__(self, sealed: bytes) -> None:
        super().__init__()
        self.sealed = sealed


class TwinUnderWay(Exception):
    """Another request with the same hash is being answered; what becomes of it will be known soon."""

"""The SDK half that verifies: ``Verifier``, the ``Session`` it gives, and guards against replay.

Importing this loads no HTTP library; making the first verifier does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestpass.verify.replay import MemoryReplayGuard, ReplayGuard, Use
from guestpass.verify.session import Session
from guestpass.verify.verifier import Verifier

if TYPE_CHECKING:
    from guestpass.verify.replay_redis import RedisReplayGuard
    from guestpass.verify.replay_sqlite import SqliteReplayGuard

__all__ = [
    "MemoryReplayGuard",
    "RedisReplayGuard",
    "ReplayGuard",
    "Session",
    "SqliteReplayGuard",
    "Use",
    "Verifier",
]


def __getattr__(name: str) -> object:
    """Load the guards that need a database when they are asked for."""
    if name == "RedisReplayGuard":
        from guestpass.verify.replay_redis import RedisReplayGuard  # noqa: PLC0415

        return RedisReplayGuard
    if name == "SqliteReplayGuard":
        from guestpass.verify.replay_sqlite import SqliteReplayGuard  # noqa: PLC0415

        return SqliteReplayGuard
    raise AttributeError(f"module 'guestpass.verify' has no attribute {name!r}")

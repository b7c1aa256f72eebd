"""Guestpass: session tokens for embedded products.

``Guestpass`` and ``AsyncGuestpass`` call a Guestpass server from a business's backend. ``Verifier`` checks tokens in an
API. The server itself is ``guestpass.server``, installed by ``pip install 'guestpass[server]'``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestpass.client import AsyncGuestpass, Guestpass
    from guestpass.errors import GuestpassError, OperationNotAllowed, TokenError, Unavailable
    from guestpass.verify import (
        MemoryReplayGuard,
        RedisReplayGuard,
        ReplayGuard,
        Session,
        SqliteReplayGuard,
        Verifier,
    )

__all__ = [
    "AsyncGuestpass",
    "Guestpass",
    "GuestpassError",
    "MemoryReplayGuard",
    "OperationNotAllowed",
    "RedisReplayGuard",
    "ReplayGuard",
    "Session",
    "SqliteReplayGuard",
    "TokenError",
    "Unavailable",
    "Verifier",
]

_HOMES = {
    "AsyncGuestpass": "guestpass.client",
    "Guestpass": "guestpass.client",
    "GuestpassError": "guestpass.errors",
    "OperationNotAllowed": "guestpass.errors",
    "TokenError": "guestpass.errors",
    "Unavailable": "guestpass.errors",
}


def __getattr__(name: str) -> object:
    """Load a name when it is first asked for: who calls has no use for a verifier, nor a verifier for a client."""
    if name in __all__:
        return getattr(import_module(_HOMES.get(name, "guestpass.verify")), name)
    raise AttributeError(f"module 'guestpass' has no attribute {name!r}")

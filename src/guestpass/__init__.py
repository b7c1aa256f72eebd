"""Guestpass: session tokens for embedded products.

``Guestpass`` and ``AsyncGuestpass`` call a Guestpass server from a business's backend. The server itself is
``guestpass.server``, installed by ``pip install 'guestpass[server]'``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestpass.client import AsyncGuestpass, Guestpass

__all__ = ["AsyncGuestpass", "Guestpass"]


def __getattr__(name: str) -> object:
    """Load the client when it is first asked for: a verifier or a server has no use for it."""
    if name in __all__:
        from guestpass import client  # noqa: PLC0415

        return getattr(client, name)
    raise AttributeError(f"module 'guestpass' has no attribute {name!r}")

"""The servers that are measured. Each says how it is started, how it mints, and how it is asked about a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from harness.processes import Server
    from harness.requests import Request


class Service(Protocol):
    """A running server, ready to mint."""

    server: Server

    def mint(self, user: str) -> Request: ...
    def token_of(self, answer: dict[str, Any]) -> str: ...
    def session(self, token: str) -> Request:
        """Ask whether the token lives and whose it is."""
        ...

    def introspect(self, token: str) -> Request:
        """Ask the same in the words of RFC 7662."""
        ...

    def kept(self) -> int | None:
        """How many tokens the store holds; None where nothing is stored."""
        ...


class Renewing(Service, Protocol):
    """A running server that rotates refresh tokens.

    Attributes:
        refresh_field: The member of its answers that holds a refresh token.
        sessions: How many take turns: so many that none is refreshed as often as only a thief would.
    """

    refresh_field: str
    sessions: int

    def log_in(self, user: str) -> Request: ...
    def refresh(self, token: str) -> Request: ...


class Contender(Protocol):
    name: str
    does: dict[str, str]  # per kind of request, what it is on this side

    def versions(self) -> dict[str, str]: ...
    def running(self, directory: Path, core: str | None) -> AbstractContextManager[Service]:
        """Start on the empty ``directory``, stop at the end of the block."""
        ...

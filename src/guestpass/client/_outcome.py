"""What one try of a call is made of, and what it can come back as."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """Wait, then send this. Headers and body hold credentials and are left out of ``repr``.

    ``seconds_max``: how long it may take at most, where that is less than the client allows.
    """

    wait_seconds: float
    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    seconds_max: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer came back. Header names are lowercase."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer came back: why, in words, and whether trying again may help."""

    why: str
    may_pass: bool = True

"""Refusals: which token was not accepted where, and why; never the token."""

from __future__ import annotations

from typing import NamedTuple


class Refusal(NamedTuple):
    """``session_id``: ``sess_…`` where the token's signature held, else None. ``route``: method and pattern."""

    at_ms: int
    request_id: str
    session_id: str | None
    code: str
    message: str
    route: str

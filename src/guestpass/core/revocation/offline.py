"""What published lists say of one token: the state that its checklist goes on with. Pure."""

from __future__ import annotations

import re

from msgspec import UNSET

from guestpass.core.revocation import cut_list
from guestpass.core.revocation.cut_list import CutList
from guestpass.core.revocation.cutoff import Ending
from guestpass.core.revocation.status_list import INVALID_REISSUE, SUSPENDED, VALID, StatusList
from guestpass.core.tokens.check import State
from guestpass.core.tokens.claims import SessionClaims

BY = "status list"
_ENDED = Ending(at_ms=0, by=BY, reissue=False)
_ENDED_REISSUE = Ending(at_ms=0, by=BY, reissue=True)
_LIVES = State(ending=None)
_PLACE = re.compile(r"(.+/status-lists/)([A-Za-z0-9_-]{1,64})", re.ASCII)


def split_uri(uri: str) -> tuple[str, str] | None:
    """Return the folder of a status list's address, with its slash, and the list's own name; None for any other.

    The folder says whose list it is, and is compared with what the list says of itself. It is never fetched from.
    """
    parts = _PLACE.fullmatch(uri)
    if parts is None or parts[2] == cut_list.NAME:
        return None
    return parts[1], parts[2]


def state_of(claims: SessionClaims, statuses: StatusList, cuts: CutList, *, suspended_scope: str = "") -> State:
    """Return the state of a token that names its place in ``statuses``.

    ``suspended_scope``: the operations that go on while a session is suspended.

    Raises: IndexError where the list has no such place.
    """
    assert claims.status is not UNSET  # noqa: S101 - the caller looked the list up by it
    own = statuses.status_of(claims.status.status_list.idx)
    tags = None if claims.status.cuts is UNSET else claims.status.cuts
    cut = cuts.status_of(claims.sid, tags)
    if own == cut == VALID:
        return _LIVES
    endings = {status for status in (own, cut) if status not in (VALID, SUSPENDED)}
    if endings:
        return State(_ENDED_REISSUE if endings == {INVALID_REISSUE} else _ENDED)
    return State(ending=None, suspended_scope=suspended_scope)

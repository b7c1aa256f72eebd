"""The one warning of the SDK: customers wait, and sessions are opened without the email that would bind them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestpass.client.results import SessionToken


class UnboundCustomersReminder:
    """Warns once in its life, which is a client's."""

    def __init__(self) -> None:
        self._said = False

    def look_at(self, token: SessionToken, *, email: str | None) -> None:
        if self._said or email is not None or not token.unresolved_customers:
            return
        self._said = True
        warnings.warn(
            f"{token.unresolved_customers} imported customers wait for their first session, and this one was opened "
            "without an email: pass email= (and email_verified=True where you checked it) to create_session_token(), "
            "so that they are recognised.",
            UserWarning,
            stacklevel=4,  # the line that calls create_session_token()
        )

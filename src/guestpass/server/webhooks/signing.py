"""Sign a delivery as Standard Webhooks has it, by that standard's own library."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from standardwebhooks import Webhook

from guestpass.server.webhooks.attempts import Headers

_AGENT = f"Guestpass/{version('guestpass')}"


def headers_of(event_id: str, body: str, secrets: Sequence[str], *, now: int) -> Headers:
    """Return the headers of an attempt: signed with each of ``secrets``, in one header.

    ``now``: Unix seconds; receivers refuse what is five minutes off.
    """
    moment = datetime.fromtimestamp(now, UTC)
    return (
        ("content-type", "application/json"),
        ("user-agent", _AGENT),
        ("webhook-id", event_id),
        ("webhook-timestamp", str(now)),
        ("webhook-signature", " ".join(Webhook(secret).sign(event_id, moment, body) for secret in secrets)),
    )

"""Who calls, proven on each try: the secret itself as Bearer, or a signature under it. Pure: time and nonces are given."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from guestpass.client._settings import Connection

NONCE_BYTES = 18


def new_nonce() -> str:
    """Return 24 characters that no other try has."""
    from secrets import token_urlsafe  # noqa: PLC0415  only signing needs it

    return token_urlsafe(NONCE_BYTES)


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


def signature(
    connection: Connection,
    method: str,
    url: str,
    headers: dict[str, str],
    body: bytes | None,
    *,
    nonce: str,
    now: float,
) -> dict[str, str]:
    """Return the headers that sign one try at ``now``, in Unix seconds.

    ``url`` is spelled as it is sent. ``headers`` are the others of the request, of which the signature covers two.
    ``nonce`` is new for this try: one that arrived and whose answer was lost does not make the next a replay.
    """
    from guestpass.core.callers.signed_request import SignedParts, signature_of  # noqa: PLC0415  as above

    _, _, path, query, _ = urlsplit(url)
    parts = SignedParts(
        method=method,
        path=(f"{path}?{query}" if query else path).encode("ascii"),
        timestamp=int(now),
        nonce=nonce,
        idempotency_key=headers.get("Idempotency-Key"),
        content_type=headers.get("Content-Type", "").encode("ascii"),
        body=body or b"",
    )
    return {
        "X-API-Key": str(connection.signing_key_id),
        "X-API-Timestamp": str(parts.timestamp),
        "X-API-Nonce": nonce,
        "X-API-Signature": signature_of(connection.secret_key, parts),
    }

"""Secrets of endpoints: ``whsec_`` and 32 random bytes in base64, as Standard Webhooks has them."""

from __future__ import annotations

import base64

from guestpass.core import ids
from guestpass.server.clock import Entropy
from guestpass.server.storage import facts
from guestpass.server.storage.sealing import SealedColumn, Sealer
from guestpass.server.storage.store import Transaction
from guestpass.server.webhooks.model import Secret

SECRET_BYTES = 32
_PREFIX = "whsec_"


def _purpose(secret_id: bytes) -> str:
    return f"webhook_secret:{secret_id.hex()}"


SEALED_WEBHOOK_SECRETS = SealedColumn(
    "webhook_secrets", "sealed_secret", ("issuer", "endpoint_id", "id"), _purpose, named_by=("id",)
)


def make(now: float, entropy: Entropy) -> tuple[bytes, str]:
    """Return the id and the text of a new secret."""
    text = _PREFIX + base64.b64encode(entropy(SECRET_BYTES)).decode()
    return ids.time_ordered(int(now * 1000), entropy(ids.ENTROPY_BYTES)), text


async def seal(tx: Transaction, sealer: Sealer, secret_id: bytes, text: str, *, now: float) -> Secret:
    """Return a secret as it is kept, in the transaction that keeps it. Raises: MasterKeyError."""
    sealed = await facts.seal(tx, sealer, _purpose(secret_id), text.encode())
    return Secret(secret_id, int(now), None, sealed)


def opened(sealer: Sealer, secret: Secret) -> str:
    """Return the text of a secret. Raises: MasterKeyError."""
    return sealer.open(_purpose(secret.id), secret.sealed).decode()

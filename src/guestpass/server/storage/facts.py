"""What is true of a store as a whole: its public URL, and the secrets it was made with."""

from __future__ import annotations

import os

from guestpass.server.storage.sealing import MasterKeyError, Sealer, wrong_master_key
from guestpass.server.storage.store import Transaction

PUBLIC_URL = "public_url"
_DERIVATION_SECRET = "derivation_secret"  # noqa: S105 - the name of a row
_MASTER_KEY = "master_key_fingerprint"
_SECRET_BYTES = 32


async def get(tx: Transaction, name: str) -> bytes | None:
    row = await tx.fetch_one("SELECT value FROM store_facts WHERE name = ?", (name,))
    return row[0] if row else None


async def put(tx: Transaction, name: str, value: bytes) -> None:
    await tx.execute(
        "INSERT INTO store_facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


async def master_key_fingerprint(tx: Transaction) -> str | None:
    """Return the fingerprint of the master key that this store needs, or None where it was never opened."""
    kept = await get(tx, _MASTER_KEY)
    return None if kept is None else kept.decode()


async def derivation_secret(tx: Transaction, sealer: Sealer) -> bytes:
    """Return the secret that ids are derived with, made at the first start. Opening it proves the master key.

    Raises: MasterKeyError, saying what to do, where the master key is not the one of this store.
    """
    fingerprint = await get(tx, _MASTER_KEY)
    if fingerprint is None:
        await put(tx, _MASTER_KEY, sealer.key.fingerprint.encode())
        await put(tx, _DERIVATION_SECRET, sealer.seal(_DERIVATION_SECRET, os.urandom(_SECRET_BYTES)))
    elif fingerprint != sealer.key.fingerprint.encode():
        raise MasterKeyError(wrong_master_key(used=sealer.key.fingerprint, needed=fingerprint.decode()))
    sealed = await get(tx, _DERIVATION_SECRET)
    if sealed is None:
        raise MasterKeyError("The store has lost the secret it was made with; restore it from a backup.")
    return sealer.open(_DERIVATION_SECRET, sealed)

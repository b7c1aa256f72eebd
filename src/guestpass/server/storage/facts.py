"""What is true of a store as a whole: its public URL, and the secrets it was made with."""

from __future__ import annotations

import os

from guestpass.server.storage.sealing import MasterKeyError, SealedColumn, Sealer
from guestpass.server.storage.store import Locks, Transaction

PUBLIC_URL = "public_url"
_DERIVATION_SECRET = "derivation_secret"  # noqa: S105 - the name of a row
_MASTER_KEY = "master_key_fingerprint"
_SECRET_BYTES = 32
SEALED_FACTS = SealedColumn("store_facts", "value", ("name",), str, only=f"name = '{_DERIVATION_SECRET}'")


async def get(tx: Transaction, name: str) -> bytes | None:
    row = await tx.fetch_one("SELECT value FROM store_facts WHERE name = ?", (name,))
    return row[0] if row else None


async def put(tx: Transaction, name: str, value: bytes) -> None:
    await tx.execute(
        "INSERT INTO store_facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


async def master_key_fingerprint(tx: Transaction) -> str | None:
    """Return the fingerprint of the master key that seals in this store, or None where it was never opened."""
    kept = await get(tx, _MASTER_KEY)
    return None if kept is None else kept.decode()


async def name_master_key(tx: Transaction, fingerprint: str) -> None:
    """Let the master key of that fingerprint seal whatever is sealed from the commit of this transaction on."""
    await tx.lock(Locks.MASTER_KEY, [0])
    await put(tx, _MASTER_KEY, fingerprint.encode())


async def seal(tx: Transaction, sealer: Sealer, purpose: str, plaintext: bytes) -> bytes:
    """Seal a value that this transaction stores, under the master key that the store names.

    While a store moves to another master key its servers have both, and none may seal under the one before once the
    store has named the next: whoever rewrapped then would not find it. Raises: MasterKeyError.
    """
    await tx.lock(Locks.MASTER_KEY, [0], shared=True)
    fingerprint = await master_key_fingerprint(tx)
    return sealer.named(fingerprint or sealer.key.fingerprint).seal(purpose, plaintext)


async def derivation_secret(tx: Transaction, sealer: Sealer) -> bytes:
    """Return the secret that ids are derived with, made at the first start. Opening it proves the master key.

    Raises: MasterKeyError, saying what to do, where the master key is not the one of this store.
    """
    fingerprint = await master_key_fingerprint(tx)
    if fingerprint is None:
        await put(tx, _MASTER_KEY, sealer.key.fingerprint.encode())
        await put(tx, _DERIVATION_SECRET, sealer.key.seal(_DERIVATION_SECRET, os.urandom(_SECRET_BYTES)))
    else:
        sealer.named(fingerprint)
    sealed = await get(tx, _DERIVATION_SECRET)
    if sealed is None:
        raise MasterKeyError("The store has lost the secret it was made with; restore it from a backup.")
    return sealer.open(_DERIVATION_SECRET, sealed)

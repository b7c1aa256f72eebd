"""Move a store to another master key. It may be broken off anywhere, and run again; servers go on meanwhile."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import NamedTuple

from guestpass.server.app import SEALED
from guestpass.server.audit import service as audit
from guestpass.server.audit.service import COMMAND_LINE, STORE, AuditEvent
from guestpass.server.opening import (
    MASTER_KEY_FILE,
    NEXT_KEY_FILE,
    keys_in,
    open_store,
    sealer_of,
    store_as_it_is,
)
from guestpass.server.operate.settings import Settings
from guestpass.server.storage import facts, migrate, rewrap
from guestpass.server.storage.sealing import VERSION_MAX, MasterKey, load_or_create_key_file, replace_key_file
from guestpass.server.storage.store import Transaction


class Moved(NamedTuple):
    """``values``: how many were sealed anew. ``kept``: where the key before lies, where that is a file of ours."""

    key: MasterKey
    values: int
    kept: Path | None


class Found(NamedTuple):
    """``named``: the fingerprint of the key that seals in the store. ``sealed``: how many values each key sealed."""

    named: str
    sealed: Counter[str]
    configured: MasterKey

    @property
    def is_whole(self) -> bool:
        """Say whether the one key that is configured is all that the store needs."""
        return {self.named, *self.sealed} == {self.configured.fingerprint}


def next_key(settings: Settings) -> MasterKey:
    """Make a key, of the version after the one that is configured."""
    if settings.master_key:
        return MasterKey.generate(_version_after(MasterKey.from_text(settings.master_key)))
    keys = [] if settings.database_url else keys_in(Path(settings.data_dir))
    return MasterKey.generate(_version_after(keys[0]) if keys else 1)


async def check(settings: Settings) -> Found:
    """Open every sealed value of the store. Raises: MasterKeyError, naming both fingerprints; Unavailable."""
    sealer = sealer_of(settings)
    async with store_as_it_is(settings) as store:
        migrate.readiness(await store.read(migrate.schema_of))
        named = await store.read(facts.master_key_fingerprint) or ""
        sealer.named(named)
        return Found(named, await rewrap.census(store, sealer, SEALED), sealer.key)


async def move(settings: Settings) -> Moved:
    """Seal every value of the store under the key that is configured; in a directory of ours, under a new one.

    Raises: MasterKeyError where the key before is not at hand, Unavailable.
    """
    if settings.master_key or settings.database_url:
        key = sealer_of(settings).key
        return Moved(key, await _rewrapped(settings, key), None)
    directory = Path(settings.data_dir)
    before = sealer_of(settings).key
    # It lies there before anything is sealed under it; where a move was broken off, it does already.
    key = load_or_create_key_file(directory / NEXT_KEY_FILE, version=_version_after(before))
    values = await _rewrapped(settings, key)
    kept = directory / f"{MASTER_KEY_FILE}.{before.fingerprint}"
    replace_key_file(directory / MASTER_KEY_FILE, directory / NEXT_KEY_FILE, kept)
    return Moved(key, values, kept)


async def _rewrapped(settings: Settings, key: MasterKey) -> int:
    store, sealer = await open_store(settings)
    try:
        return await rewrap.rewrap(store, sealer, key, SEALED, partial(_named, key=key))
    finally:
        await store.close()


async def _named(tx: Transaction, key: MasterKey) -> None:
    detail = {"fingerprint": key.fingerprint, "version": key.version}
    event = AuditEvent(issuer=STORE, action="master_key.rewrapped", actor=COMMAND_LINE, detail=detail)
    await audit.record(tx, [event])


def _version_after(key: MasterKey) -> int:
    return key.version % VERSION_MAX + 1

"""Whether the audit log of a store that was killed holds what was acknowledged: each event once, in a whole chain."""

from __future__ import annotations

import asyncio
from collections import Counter

from guestpass.core import ids
from guestpass.server.app import open_configured
from guestpass.server.audit.packed import split
from guestpass.server.audit.sealing import HELD_MS
from guestpass.server.operate.settings import Settings

TEST = 2  # the number of the issuer of the first project in test


async def breaches(directory, ledgers):
    """Seal what the killed server left, and say what is wrong. No server may have the store open."""
    service = await open_configured(Settings(data_dir=str(directory)))
    try:
        await asyncio.sleep(HELD_MS / 1000)  # so long nobody takes over from the one who was killed
        await service.audit.sealing.seal()
        said = [repr(fault) for fault in (await service.audit.checking.verify()).faults]
        sealed, there, targets = await service.store.read(everything)
    finally:
        await service.close()
    said += [f"{one.hex()} was sealed {count} times" for one, count in sealed.items() if count != 1]
    said += [f"{one.hex()} is in no batch" for one in there - sealed.keys()]
    for ledger in ledgers:
        minted = {ids.decode("sess", each) for each in (*ledger.living, *ledger.ended)}
        said += [f"{one.hex()} was acknowledged and is in no batch" for one in minted - sealed.keys()]
        customer = ids.encode("cust", service.derivation.customer_id(TEST, ledger.user))
        if ledger.ended and customer not in targets:
            said.append(f"{ledger.user} was revoked, and no event tells of it")
    return said


async def everything(tx):
    """Return how often each leaf was sealed, the ids of all rows that are events, and whom events name."""
    parts = await tx.fetch("SELECT ids FROM audit_leaves")
    sealed = Counter(one for (packed,) in parts for one in split(packed, ids.ID_BYTES))
    rows = [row for table in ("sessions", "audit_events") for row in await tx.fetch(f"SELECT id FROM {table}")]
    targets = await tx.fetch("SELECT target FROM audit_targets")
    return sealed, {row[0] for row in rows}, {row[0] for row in targets}

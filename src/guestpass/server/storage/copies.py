"""Whether a store is the one that was served last, or a copy of an earlier state of it.

A copy has forgotten what was revoked since, so it is not served as it is: ``guestpass restore`` cuts what came before,
and makes it the store. A copy is known by a mark that ``guestpass backup`` leaves in it, and in PostgreSQL by where it
lies: a dump that was read back lies elsewhere. A snapshot of a disk, or a recovery to a point in time, cannot be told
from the store itself.
"""

from __future__ import annotations

from guestpass.core import times
from guestpass.server.storage import facts
from guestpass.server.storage.store import Transaction

_COPIED_AT = "copied_at"
_HOME = "home"
_MAY_ASK_THE_CLUSTER = (
    "SELECT to_regprocedure('pg_control_system()') IS NOT NULL"
    " AND has_function_privilege('pg_control_system()', 'execute')"
)


class StoreRefused(Exception):
    """A store, or a copy of one, is not used as it is. The message says why, and what to do."""


async def mark(tx: Transaction, *, now: int) -> None:
    """Say in a copy that it is one, made at ``now``."""
    await facts.put(tx, _COPIED_AT, str(now).encode())


async def copied_at(tx: Transaction) -> int | None:
    """Return when a copy was made, as its mark says."""
    kept = await facts.get(tx, _COPIED_AT)
    return None if kept is None else int(kept)


async def settle(tx: Transaction) -> None:
    """Make a copy the store, once what came before is cut."""
    await tx.execute("DELETE FROM store_facts WHERE name = ?", (_COPIED_AT,))
    home = await _home_of(tx)
    if home is not None:
        await facts.put(tx, _HOME, home)


async def require_original(tx: Transaction) -> None:
    """Note where the store lies, where that is not known yet. Raises: StoreRefused, for a copy."""
    refusal = await refusal_of(tx)
    if refusal is not None:
        raise StoreRefused(refusal)
    home = await _home_of(tx)
    if home is not None and await facts.get(tx, _HOME) is None:
        await facts.put(tx, _HOME, home)


async def refusal_of(tx: Transaction) -> str | None:
    """Say why a store is not served, where it is a copy; nothing is changed."""
    made = await copied_at(tx)
    if made is not None:
        return _refusal(f"This store is a copy that was made at {times.of_seconds(made)}")
    home, kept = await _home_of(tx), await facts.get(tx, _HOME)
    if home is None or kept is None or home == kept:
        return None
    return _refusal("This store was made in another database, so it is a copy")


def _refusal(what: str) -> str:
    return (
        f"{what}. It has forgotten what was revoked since, so it is not served before everything issued until now is "
        f"cut. Run: guestpass restore --in-place"
    )


async def _home_of(tx: Transaction) -> bytes | None:
    """Return what changes when a dump is read back: cluster, database and table. It survives restarts and failovers."""
    if tx.dialect != "postgresql":
        return None
    cluster = 0
    if await tx.fetch_one(_MAY_ASK_THE_CLUSTER) == (True,):
        ((cluster,),) = await tx.fetch("SELECT system_identifier FROM pg_control_system()")
    ((database, table),) = await tx.fetch(
        "SELECT oid::bigint, 'store_facts'::regclass::oid::bigint FROM pg_database WHERE datname = current_database()"
    )
    return f"{cluster}/{database}/{table}".encode()

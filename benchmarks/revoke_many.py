"""End a million sessions of one organization in one call, while others mint.

    python benchmarks/revoke_many.py [--sessions 1000000] [--postgres]

The service in this process, over a store that is filled through its own statements. Told is how long the call took,
counting and all, and the slowest of a hundred mints of others before it and while it ran, 8 at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import secrets
import tempfile
import time
from typing import TYPE_CHECKING

from harness import FOLDER, databases, machine, report

from guestpass.core import ids
from guestpass.core.revocation.cutoff import Ending
from guestpass.server.api_keys.service import OPERATOR
from guestpass.server.app import Service, open_configured
from guestpass.server.operate.settings import Settings
from guestpass.server.revocation.service import Subject
from guestpass.server.sessions import index, sql
from guestpass.server.sessions.api import MintRequest
from guestpass.server.sessions.model import SessionRow
from guestpass.server.sessions.service import EndMany

if TYPE_CHECKING:
    from guestpass.server.api_keys.service import ApiKey
    from guestpass.server.storage.store import Transaction

CLIENTS = 8
QUIET_SECONDS = 4.0
ROWS = index.RUN_SESSIONS  # written in one transaction


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    results = machine.describe()
    results["sessions"] = options.sessions
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(databases.postgres(None)) if options.postgres else ""
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="guestpass-bench-"))
        key = f"1:{secrets.token_urlsafe(32)}" if options.postgres else ""
        settings = Settings(data_dir=directory, database_url=url, master_key=key)
        results["figures"] = asyncio.run(measure(settings, options.sessions))
    path = report.write("revoke-many-postgres" if options.postgres else "revoke-many", results)
    print(report.table(("", ""), list(results["figures"].items())))
    print(f"\nwritten: {path.relative_to(FOLDER.parent)}")


async def measure(settings: Settings, count: int) -> dict[str, float | str]:
    service = await open_configured(settings)
    made = await service.api_keys.create(await service.issuers.at("test"), "bench", actor=OPERATOR)
    key = made.key
    began = time.perf_counter()
    await fill(service, key, count)
    filled = time.perf_counter() - began
    await mint_for(service, key, 1.0)
    quiet = await mint_for(service, key, QUIET_SECONDS)
    revoke = asyncio.create_task(end_all(service, key))
    beside = await mint_for(service, key, 0.0, until=revoke)
    seconds, living = await revoke
    await service.close()
    return {
        "seconds to fill": round(filled, 1),
        "seconds of the call": round(seconds, 3),
        "counted": "over 10 000" if living is None else str(living),
        "mints before, p99 ms": p99(quiet),
        "mints beside it, p99 ms": p99(beside),
        "mints beside it": len(beside),
    }


async def fill(service: Service, key: ApiKey, count: int) -> None:
    organization = service.derivation.organization_key(key.issuer, "acme")
    start_ms = int(time.time() * 1000) - 1_800_000

    async def add(tx: Transaction, starts: list[int]) -> list[None]:
        for start in starts:
            size = min(ROWS, count - start)
            await sql.add(tx, [row(n) for n in range(start, start + size)])
            await index.add_run(tx, key.issuer, now_ms=int(time.time() * 1000))
        return [None] * len(starts)

    def row(number: int) -> SessionRow:
        minted_ms = start_ms + 1_700_000 * number // count
        user = f"user_{number}"
        return SessionRow(
            issuer=key.issuer, id=ids.time_ordered(minted_ms, os.urandom(ids.ENTROPY_BYTES)), api_key_id=key.id,
            customer_id=service.derivation.customer_id(key.issuer, user), external_user_id=user,
            organization_key=organization, external_organization_id="acme", scope="*", issued_at=minted_ms // 1000,
            not_before=None, expires_at=minted_ms // 1000 + 86_400, max_uses=None, format="jwt",
            status_list=1_000_000 + number // 65_536, status_index=number % 65_536,
        )  # fmt: skip

    for start in range(0, count, ROWS):
        await service.store.write(add, start)


async def end_all(service: Service, key: ApiKey) -> tuple[float, int | None]:
    subject = Subject("organization", service.derivation.organization_key(key.issuer, "acme"))
    began = time.perf_counter()
    ended = await service.sessions.end_many(
        EndMany(key.issuer, subject, Ending(int(time.time() * 1000), "bench", reissue=False))
    )
    return time.perf_counter() - began, ended.living


async def mint_for(
    service: Service, key: ApiKey, seconds: float, until: asyncio.Task[tuple[float, int | None]] | None = None
) -> list[float]:
    """Mint for others for so long, and until ``until`` is done; return the milliseconds of each mint."""
    taken: list[float] = []
    deadline = time.perf_counter() + seconds

    async def client(number: int) -> None:
        while time.perf_counter() < deadline or (until is not None and not until.done()):
            began = time.perf_counter()
            await service.minting.mint(key, MintRequest(external_user_id=f"other_{number}_{len(taken)}"))
            taken.append((time.perf_counter() - began) * 1000)

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    return taken


def p99(milliseconds: list[float]) -> float:
    return round(sorted(milliseconds)[int(len(milliseconds) * 0.99)], 1)


if __name__ == "__main__":
    main()

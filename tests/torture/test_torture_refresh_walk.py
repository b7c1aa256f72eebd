"""The walk of ``refresh_walk``, short: it meets every answer and every fault, and never differs from its model."""

from __future__ import annotations

import refresh_walk

MET = {
    "rotated", "replayed", "REFRESH_TOKEN_REUSED", "REFRESH_TOKEN_REVOKED", "REFRESH_TOKEN_EXPIRED", "REFRESH_TOKEN_INVALID",
    "CUSTOMER_BLOCKED", "rolled back", "unheard", "restored", "burst: rotated",
}  # fmt: skip


async def test_on_sqlite():
    assert (await refresh_walk.walk(2500, 1)).keys() >= MET


async def test_on_postgresql(migrated_url):
    assert (await refresh_walk.walk(1500, 3, migrated_url)).keys() >= MET

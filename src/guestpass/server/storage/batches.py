"""Housekeeping that leaves room: one bounded act after the other, and between them as long a pause as each took."""

from __future__ import annotations

import asyncio
import time
from typing import TypeVar

from guestpass.server.storage.store import Act, Store

Item = TypeVar("Item")


async def batch_by_batch(store: Store, act: Act[Item, int], item: Item) -> int:
    """Run ``act`` until it has nothing more to do; return how much it did in all."""
    total, began = 0, time.perf_counter()
    while done := await store.write(act, item):
        total += done
        await asyncio.sleep(time.perf_counter() - began)  # so that mints get their half
        began = time.perf_counter()
    return total

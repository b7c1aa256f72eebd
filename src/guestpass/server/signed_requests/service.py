"""Signed requests: who signed, and that nothing is done twice for one signature."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from guestpass.core.callers.signed_request import WINDOW_SECONDS, Proof, SignedParts, check_window, fits
from guestpass.errors import RequestReplayed, Unauthorized, Unavailable
from guestpass.server.api_keys.service import ApiKey, ApiKeys
from guestpass.server.clock import Clock, Entropy
from guestpass.server.signed_requests import sql
from guestpass.server.signed_requests.sql import Use
from guestpass.server.storage.batches import batch_by_batch
from guestpass.server.storage.store import Locks, Rider, Store, Transaction

Answer = TypeVar("Answer")

# Beyond the window in which a signature is taken: for servers whose clocks differ, and requests that wait.
KEPT_SECONDS = WINDOW_SECONDS + 60
PURGE_BATCH = 500
_SIGNATURE_BYTES = 16
_REQUEST_BYTES = 8
_NOT_GENUINE = (
    "X-API-Key is not the id of a key that signs here, or X-API-Signature does not fit the request: it covers the "
    "method, the path with its query, timestamp, nonce and Idempotency-Key, the content type and the raw body, each as "
    "it is sent."
)
_FORGOTTEN = "X-API-Timestamp lies before what this server still remembers; sign the request again."


class SignatureUse:
    """The one use of a signature, for the request that brought it; ``rider`` is to ride with what the request writes."""

    def __init__(self, use: Use) -> None:
        self.use = use
        self.rode = False
        self.rider = Rider(_check_each, self)


class SignedRequests:
    def __init__(self, store: Store, api_keys: ApiKeys, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self._api_keys = api_keys
        self._clock = clock
        self._entropy = entropy

    async def authenticate(self, proof: Proof, parts: SignedParts) -> ApiKey:
        """Return the key that signed ``parts``.

        Raises: Unauthorized; alike, and after the same work, for an unknown key, a wrong secret and a wrong signature.
        """
        check_window(proof.timestamp, self._clock())
        found = await self._api_keys.signing_secrets(proof.key_id)
        try:  # each of them, as during a rotation, whichever fits
            fitting = [secret for secret, text in found.secrets if fits(proof.signature, parts, text) and secret]
        except ValueError as fault:  # no signature could cover this
            raise Unauthorized(_NOT_GENUINE, internal=str(fault)) from None
        if found.key is None or not fitting:
            raise Unauthorized(_NOT_GENUINE, internal="no such key signs" if found.key is None else "it does not fit")
        key = replace(found.key, shown=fitting[0])
        if not key.works(self._clock()):
            raise Unauthorized(_NOT_GENUINE, internal="it has ended")
        return key

    def use_of(self, proof: Proof) -> SignatureUse:
        """Return the use of a signature that holds."""
        signature = bytes.fromhex(proof.signature)[:_SIGNATURE_BYTES]
        return SignatureUse(Use(proof.timestamp, signature, self._entropy(_REQUEST_BYTES)))

    async def once(self, use: SignatureUse, work: Callable[[], Awaitable[Answer]], *, rides: bool) -> Answer:
        """Do ``work`` for the first use of a signature, and remember the use whatever comes of it.

        ``rides``: whether ``work`` writes, and lets ``use.rider`` ride; else the use is remembered before it begins.

        Raises: RequestReplayed for every other use, and whatever ``work`` raises.
        """
        if not rides:
            await self._remember(use)
        try:
            answer = await work()
        except (RequestReplayed, Unavailable):
            raise  # written by someone else; or the store is away, and can tell nothing now
        except Exception:
            await self._remember(use)  # refused before it wrote: what was signed was heard all the same
            raise
        if not use.rode:
            await self._remember(use)
        return answer

    async def purge(self) -> int:
        """Forget, in bounded batches, what no server takes any more; return how many uses went."""

        async def act(tx: Transaction, edges: list[int]) -> list[int]:
            await tx.lock(Locks.HOUSEKEEPING, [0])
            return [await sql.forget(tx, edge, most=PURGE_BATCH) for edge in edges]

        return await batch_by_batch(self._store, act, int(self._clock()) - KEPT_SECONDS)

    async def _remember(self, use: SignatureUse) -> None:
        await self._store.write(_nothing, None, (use.rider,))


async def forget_before(tx: Transaction, now: int) -> None:
    """Take no signature that was made before ``now``, for a store that was put back: it has forgotten which were used."""
    await sql.set_forgotten_before(tx, now)


async def _check_each(tx: Transaction, uses: list[SignatureUse]) -> list[Exception | None]:
    """Write each use down, and refuse those whose signature was used before, or may have been and is forgotten."""
    firsts = await sql.claim(tx, [one.use for one in uses])
    edge = await sql.forgotten_before(tx)  # after the writing: of a purge beside it, one of the two sees the other
    outcomes: list[Exception | None] = []
    for one in uses:
        one.rode = True
        if one.use.request not in firsts:
            outcomes.append(RequestReplayed())
        else:
            outcomes.append(Unauthorized(_FORGOTTEN) if one.use.signed_at < edge else None)
    return outcomes


async def _nothing(_: Transaction, items: list[None]) -> list[None]:
    return items

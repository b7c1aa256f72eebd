"""Answer a request that is sent again as it was answered, and do nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from guestpass.errors import Conflict, IdempotencyConflict
from guestpass.server.clock import Clock, Entropy
from guestpass.server.idempotency.finding import Finding
from guestpass.server.idempotency.model import (
    CREDENTIAL_SECONDS,
    OTHER_SECONDS,
    AnsweredBefore,
    Kept,
    Keyed,
    TwinUnderWay,
)
from guestpass.server.idempotency.seals import NONCE_BYTES, Seals, body_hash_of
from guestpass.server.storage.store import Locks, Rider, Transaction

__all__ = [
    "CREDENTIAL_SECONDS", "OTHER_SECONDS", "AnsweredBefore", "KeptAnswers", "Keyed", "TwinUnderWay",
]  # fmt: skip

_encoder = msgspec.msgpack.Encoder()


class KeptAnswers:
    """Records, in the transaction of what a request asks for, what came of it; and finds it there."""

    def __init__(self, seals: Seals, finding: Finding, clock: Clock, entropy: Entropy) -> None:
        self._seals = seals
        self._finding = finding
        self._clock = clock
        self._entropy = entropy

    def keyed(self, scope: tuple[bytes, str, str], key: bytes, says: tuple[bytes, bytes], *, seconds: int) -> Keyed:
        """Return the request that carries ``key``; what is made of it can be had again for ``seconds``.

        ``scope``: the API key's id, the method, the path. ``says``: the query and the body.
        """
        return Keyed(self._seals.hash_of(*scope, key), key, body_hash_of(*says), seconds, self._entropy(NONCE_BYTES))

    def rider(self, keyed: Keyed) -> Rider:
        """Return what is to ride with the request: it refuses what was answered before, and keeps what is made now.

        The request's act is refused with AnsweredBefore, or with TwinUnderWay where that is to be known soon.
        """
        return Rider(self._check, keyed, self._note)

    def open(self, keyed: Keyed, sealed: bytes, shape: Any) -> Any:
        """Return what the request made, as ``shape``.

        Raises: IdempotencyConflict where it came with another body; Conflict where nobody can tell any more.
        """
        opened = self._seals.open(keyed, sealed)
        if opened is None:
            raise Conflict(_CANNOT_BE_TOLD, internal="the master key that sealed the stored answer is gone")
        if opened[0] != keyed.body_hash:
            raise IdempotencyConflict
        try:
            return msgspec.msgpack.decode(opened[1], type=shape)
        except msgspec.MsgspecError as fault:
            raise Conflict(_CANNOT_BE_TOLD, internal=f"the stored answer has another shape: {fault}") from None

    async def _check(self, tx: Transaction, requests: list[Keyed]) -> list[Exception | None]:
        hashes = [request.hash for request in requests]
        free = await tx.try_lock(Locks.IDEMPOTENCY, map(_number_of, hashes))
        found = await self._finding.find(tx, hashes, now=int(self._clock()))
        begun: set[bytes] = set()
        outcomes: list[Exception | None] = []
        for hashed in hashes:
            if hashed in found:
                outcomes.append(AnsweredBefore(found[hashed].sealed))
            elif hashed in begun or _number_of(hashed) not in free:
                outcomes.append(TwinUnderWay())
            else:
                begun.add(hashed)
                outcomes.append(None)
        return outcomes

    async def _note(self, tx: Transaction, answered: list[tuple[Keyed, Any]]) -> Sequence[None]:
        now = int(self._clock())
        answers = [
            Kept(0, request.hash, now, now + request.seconds, self._seals.seal(request, _encoder.encode(made)))
            for request, made in answered
        ]
        await self._finding.append(tx, answers)
        return [None] * len(answered)


_CANNOT_BE_TOLD = (
    "A request with this Idempotency-Key was answered before, and what was answered cannot be told any more. To do it "
    "again, send a new key."
)


def _number_of(hashed: bytes) -> int:
    return int.from_bytes(hashed[-4:], "big")

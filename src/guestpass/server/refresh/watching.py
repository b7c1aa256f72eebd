"""What becomes of a session of which a refresh was odd: it is told, and suspended or ended where its project wants that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from guestpass.core import ids
from guestpass.core.anomalies import Anomaly
from guestpass.core.revocation.cutoff import Ending
from guestpass.server.audit import service as audit
from guestpass.server.clock import Entropy
from guestpass.server.refresh import recording, sql
from guestpass.server.refresh.model import AnomalyRow, Outcome, Standing, Use
from guestpass.server.revocation import service as revocation
from guestpass.server.storage.store import Transaction

REUSE = "refresh token reuse"  # revokedBy of a session that ended because an old token was shown
SUSPICION = "suspicion"  # revokedBy of one that ended because its project wants that

_OUTCOMES: dict[str, Outcome] = {"record": "recorded", "suspend": "suspended", "revoke": "revoked"}
_Ended: TypeAlias = bool


class Watching:
    """Writes anomalies, and does what follows from them, in the transaction of the refresh."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy

    async def reuse(self, tx: Transaction, use: Use, stands: Standing, now_ms: int) -> None:
        """End a session since an old refresh token of it was shown, which may be stolen."""
        current = stands.renewal.generation
        evidence = {
            "generation": use.token.generation,
            "currentGeneration": current,
            "network": use.origin.network_text,
            "agent": use.origin.agent.hex(),
        }
        await self._note(tx, stands, [Anomaly("reuse", evidence)], "revoked", now_ms)
        reuse = recording.reuse_detected(
            stands.known.row, REUSE, use.where, generation=use.token.generation, current=current
        )
        await audit.record(tx, [reuse])
        await _end(tx, stands, Ending(now_ms, REUSE, reissue=False))

    async def odd(
        self, tx: Transaction, use: Use, stands: Standing, anomalies: Sequence[Anomaly], now_ms: int
    ) -> _Ended:
        """Tell of a refresh that was odd; say whether its session ended for it, so that it gets no token."""
        row, outcome = stands.known.row, _OUTCOMES[use.settings.on_suspicion]
        await self._note(tx, stands, anomalies, outcome, now_ms)
        events = [recording.anomaly(row, each, outcome, use.where) for each in anomalies]
        if outcome == "revoked":
            await _end(tx, stands, Ending(now_ms, SUSPICION, reissue=False))
            events.append(recording.revoked(row, SUSPICION, use.where))
        elif outcome == "suspended" and not stands.known.suspended:
            await revocation.suspend(tx, row.issuer, row.id, row.customer_id, row.entry, at_ms=now_ms)
            stands.known = stands.known._replace(suspended=True)
            events.append(recording.suspended(row, SUSPICION, use.where))
        await audit.record(tx, events)
        return outcome == "revoked"

    async def _note(
        self, tx: Transaction, stands: Standing, anomalies: Sequence[Anomaly], outcome: Outcome, now_ms: int
    ) -> None:
        row = stands.known.row
        rows = [
            AnomalyRow(
                issuer=row.issuer,
                id=ids.time_ordered(now_ms, self._entropy(ids.ENTROPY_BYTES)),
                session_id=row.id,
                kind=each.kind,
                outcome=outcome,
                evidence=msgspec.json.encode(each.evidence).decode(),
            )
            for each in anomalies
        ]
        await sql.add_anomalies(tx, rows)


async def _end(tx: Transaction, stands: Standing, ending: Ending) -> None:
    row = stands.known.row
    await revocation.end_one(tx, row.issuer, row.id, ending, row.entry)
    stands.known = stands.known._replace(ending=ending)

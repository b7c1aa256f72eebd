"""Refresh: decide about every token that waits, and write at most one row a session, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from guestpass.core.anomalies import anomalies_of
from guestpass.core.callers import secret_text
from guestpass.core.recent_refreshes import Refresh, with_one_more
from guestpass.core.refresh import SALT_BYTES, Deny, Replay, Rotate, salt_ends_at_ms, salt_number
from guestpass.core.tokens import operations
from guestpass.core.tokens.refresh_token import RefreshKeys, RefreshToken
from guestpass.errors import RefreshTokenInvalid, RefreshTokenRevoked
from guestpass.server.clock import Entropy
from guestpass.server.refresh import sql
from guestpass.server.refresh.model import Refreshed, SessionKey, Standing, Use
from guestpass.server.refresh.standing import Salts, locked, next_of, salts_in_use
from guestpass.server.refresh.watching import Watching
from guestpass.server.storage.store import Transaction, together


class Rotating:
    """The act of ``POST /v1/auth/refresh``."""

    def __init__(self, keys: RefreshKeys, entropy: Entropy, watching: Watching) -> None:
        self._keys = keys
        self._entropy = entropy
        self._watching = watching

    async def act(self, tx: Transaction, uses: list[Use]) -> list[Refreshed | Exception]:
        """Of several who show one token the first rotates, and the others get its successor again."""
        standing, now_ms = await together(tx, locked(tx, [use.session for use in uses]), tx.now_ms())
        salts = await self._salts(tx, uses, standing, now_ms)
        before = {session: stands.renewal for session, stands in standing.items()}
        outcomes = [await self._use(tx, use, standing.get(use.session), salts, now_ms) for use in uses]
        await sql.save(
            tx,
            [
                sql.Change(stands.renewal, before[session].generation)
                for session, stands in sorted(standing.items())
                if stands.renewal != before[session]
            ],
        )
        return outcomes

    async def _salts(
        self, tx: Transaction, uses: Sequence[Use], standing: dict[SessionKey, Standing], now_ms: int
    ) -> Salts:
        """Read the salts of tokens that are shown again, and make that of now where a token may be rotated."""
        graces = {
            use.settings.refresh_grace
            for use in uses
            if use.session in standing and standing[use.session].renewal.generation == use.token.generation
        }
        now_used = {salt_number(now_ms, grace): grace for grace in sorted(graces) if grace}
        salts = await sql.salts_of(tx, {*salts_in_use(uses, standing), *now_used})
        for number, grace in now_used.items():
            if number not in salts:
                ends_at_ms = salt_ends_at_ms(now_ms, grace)
                salts[number] = await sql.add_salt(tx, number, self._entropy(SALT_BYTES), ends_at_ms=ends_at_ms)
        return Salts(salts, self._keys)

    async def _use(
        self, tx: Transaction, use: Use, stands: Standing | None, salts: Salts, now_ms: int
    ) -> Refreshed | Exception:
        if stands is None:
            return RefreshTokenInvalid()
        decision, again = salts.decide(use, stands, now_ms)
        if isinstance(decision, Deny):
            if decision.ends_session:
                await self._watching.reuse(tx, use, stands, now_ms)
            return decision.error()
        renewal, refresh = stands.renewal, Refresh(now_ms, isinstance(decision, Rotate), use.origin)
        anomalies = anomalies_of(renewal.recent, refresh, last_ms=renewal.rotated_at_ms)
        if anomalies and await self._watching.odd(tx, use, stands, anomalies, now_ms):
            return RefreshTokenRevoked()
        token = again if isinstance(decision, Replay) else self._rotate(use, stands, salts, now_ms)
        assert token is not None  # noqa: S101 - a replay derives the current token
        stands.renewal = stands.renewal._replace(recent=with_one_more(renewal.recent, refresh))
        row = stands.known.row
        scope = operations.within(row.scope, stands.ceiling)
        return Refreshed(row, token, scope, stands.ends_at, rotated=refresh.rotated)

    def _rotate(self, use: Use, stands: Standing, salts: Salts, now_ms: int) -> RefreshToken:
        number: int | None = salt_number(now_ms, use.settings.refresh_grace)
        token = salts.successor(use, number) if number is not None else None
        if token is None:  # without a grace nobody derives it again
            number = None
            token = next_of(use, secret_text.encode(self._entropy(secret_text.ENTROPY_BYTES)), self._keys)
        stands.renewal = stands.renewal._replace(
            generation=token.generation,
            token_hash=token.hash,
            rotated_at_ms=now_ms,
            salt=number,
            idle_ends_at=now_ms // 1000 + use.settings.refresh_idle_in,
        )
        return token

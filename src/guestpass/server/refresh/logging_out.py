"""Log out: end the session of a token, or every session of its user, decided where it is written."""

from __future__ import annotations

from typing import NamedTuple

from guestpass.core.refresh import Deny
from guestpass.core.revocation.cutoff import Ending
from guestpass.core.tokens.refresh_token import RefreshKeys
from guestpass.errors import RefreshTokenInvalid, TokenRevoked
from guestpass.server.audit import service as audit
from guestpass.server.audit.service import Where
from guestpass.server.refresh import sql
from guestpass.server.refresh.model import SessionKey, Standing, Use
from guestpass.server.refresh.standing import Salts, locked, salts_in_use
from guestpass.server.refresh.watching import Watching
from guestpass.server.revocation import service as revocation
from guestpass.server.revocation.service import CutMade, Subject
from guestpass.server.sessions.recording import session_revoked, sessions_revoked
from guestpass.server.storage.store import Transaction


class Logout(NamedTuple):
    """Whose session ends: that of a refresh token (``use``), or of an access token that was checked before."""

    session: SessionKey
    use: Use | None
    ending: Ending
    where: Where


class LoggingOut:
    """The acts of ``POST /v1/auth/logout``."""

    def __init__(self, keys: RefreshKeys, watching: Watching) -> None:
        self._keys = keys
        self._watching = watching

    async def one(self, tx: Transaction, items: list[Logout]) -> list[bool | Exception]:
        """End each token's own session; say whether this did it. Any genuine token may, however old."""
        standing = await locked(tx, [item.session for item in items])
        outcomes: list[bool | Exception] = []
        for item in items:
            stands = standing.get(item.session)
            if stands is None or not _may_end(item, stands):
                outcomes.append(RefreshTokenInvalid() if item.use else TokenRevoked())
                continue
            row, lived = stands.known.row, stands.known.ending is None
            if lived:
                await revocation.end_one(tx, row.issuer, row.id, item.ending, row.entry)
                event = session_revoked(row, item.ending.by, item.where, reissue=False)
                await audit.record(tx, [event])
                stands.known = stands.known._replace(ending=item.ending)
            outcomes.append(lived)
        return outcomes

    async def everywhere(self, tx: Transaction, items: list[Logout]) -> list[CutMade | Exception]:
        """End every session of each token's user, where its own session lives and its refresh token is the current one.

        A token that was replaced longer ago is reuse here as well: it ends its own session, and no other.
        """
        standing = await locked(tx, [item.session for item in items], cuts=True)
        now_ms = await tx.now_ms()
        uses = [item.use for item in items if item.use is not None]
        salts = Salts(await sql.salts_of(tx, salts_in_use(uses, standing)), self._keys)
        outcomes: list[CutMade | Exception] = []
        for item in items:
            stands = standing.get(item.session)
            denied = _denied(item, stands, salts, now_ms)
            if stands is None or denied is not None:
                if item.use is not None and stands is not None and denied is not None and denied.ends_session:
                    await self._watching.reuse(tx, item.use, stands, now_ms)
                outcomes.append(RefreshTokenInvalid() if denied is None else denied.error())
                continue
            row = stands.known.row
            made = await revocation.cut(tx, row.issuer, Subject("user", row.customer_id), item.ending)
            await audit.record(tx, [sessions_revoked(made, item.where, row.external_user_id)])
            outcomes.append(made)
        return outcomes


def _may_end(item: Logout, stands: Standing) -> bool:
    """Say whether a token may end its own session: a refresh token, where it is not beyond what the store has known."""
    if item.use is None:
        return True
    renewal, token = stands.renewal, item.use.token
    return token.generation < renewal.generation or token.hash == renewal.token_hash


def _denied(item: Logout, stands: Standing | None, salts: Salts, now_ms: int) -> Deny | None:
    if stands is None:
        return Deny(RefreshTokenInvalid if item.use else TokenRevoked)
    if item.use is None:
        over = stands.known.ending is not None or now_ms >= stands.ends_at * 1000
        return Deny(TokenRevoked) if over else None
    decision, _ = salts.decide(item.use, stands, now_ms)
    return decision if isinstance(decision, Deny) else None

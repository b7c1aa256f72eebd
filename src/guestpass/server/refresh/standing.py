"""Renewable sessions as they stand now, read after their locks were taken: what every act of this room decides by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from guestpass.core.refresh import Decision, decide_refresh
from guestpass.core.tokens.refresh_token import RefreshKeys, RefreshToken, make, successor_secret
from guestpass.server.api_keys import service as api_keys
from guestpass.server.customers import service as customers
from guestpass.server.refresh.model import SessionKey, Standing, Use
from guestpass.server.revocation import service as revocation
from guestpass.server.sessions import service as sessions
from guestpass.server.storage.store import Transaction, together


async def locked(tx: Transaction, keys: Sequence[SessionKey], *, cuts: bool = False) -> dict[SessionKey, Standing]:
    """Take a turn at sessions, then read those that are there and renewable.

    Beside it no cut is made and none of them is ended. ``cuts``: the act makes cuts itself, and so has the issuers alone.
    """
    await revocation.lock_issuers(tx, {issuer for issuer, _ in keys}, shared=not cuts)
    await revocation.lock_sessions(tx, {session_id for _, session_id in keys})
    by_issuer: defaultdict[int, set[bytes]] = defaultdict(set)
    for issuer, session_id in keys:
        by_issuer[issuer].add(session_id)
    standing: dict[SessionKey, Standing] = {}
    for issuer, session_ids in by_issuer.items():
        standing |= await _of_issuer(tx, issuer, sorted(session_ids))
    return standing


async def _of_issuer(tx: Transaction, issuer: int, session_ids: Sequence[bytes]) -> dict[SessionKey, Standing]:
    found = [known for known in await sessions.known_among(tx, issuer, session_ids) if known.renewal is not None]
    blocked, ceilings = await together(
        tx,
        customers.blocked_among(tx, {(issuer, known.row.customer_id) for known in found}),
        api_keys.ceilings_of(tx, {known.row.api_key_id for known in found}),
    )
    return {
        (issuer, known.row.id): Standing(
            known=known,
            renewal=known.renewal,
            blocked=(issuer, known.row.customer_id) in blocked,
            ceiling=ceilings.get(known.row.api_key_id, ""),
        )
        for known in found
        if known.renewal is not None
    }


class Salts:
    """The salts that a transaction needs: of tokens that were derived before, and of now. It decides by them."""

    def __init__(self, salts: dict[int, bytes], keys: RefreshKeys) -> None:
        self._salts = salts
        self._keys = keys
        self._derived: dict[tuple[str, int], RefreshToken] = {}  # of many who show one token, all get one answer

    def decide(self, use: Use, stands: Standing, now_ms: int) -> tuple[Decision, RefreshToken | None]:
        """Decide about a token; of a replay, return the successor, too."""
        renewal, again = stands.renewal, None
        if renewal.salt is not None and renewal.generation == use.token.generation + 1:
            again = self.successor(use, renewal.salt)
        derives_current = None if again is None else again.hash == renewal.token_hash
        grace = use.settings.refresh_grace
        decision = decide_refresh(
            use.token, stands.held, now_ms=now_ms, grace_seconds=grace, derives_current=derives_current
        )
        return decision, again

    def successor(self, use: Use, number: int) -> RefreshToken | None:
        """Derive the successor of a token; None where its salt is gone."""
        salt = self._salts.get(number)
        if salt is None:
            return None
        derived = self._derived.get((use.token.text, number))
        if derived is None:
            secret = successor_secret(use.token.text, salt, self._keys)
            derived = self._derived[use.token.text, number] = next_of(use, secret, self._keys)
        return derived


def next_of(use: Use, secret: str, keys: RefreshKeys) -> RefreshToken:
    token = use.token
    return make(use.prefix, token.session_id, token.issuer, token.generation + 1, secret, keys)


def salts_in_use(uses: Iterable[Use], standing: dict[SessionKey, Standing]) -> set[int]:
    """Return the numbers of the salts with which tokens that are shown again were followed up."""
    numbers = set()
    for use in uses:
        stands = standing.get(use.session)
        if stands is None or stands.renewal.salt is None or stands.renewal.generation != use.token.generation + 1:
            continue
        numbers.add(stands.renewal.salt)
    return numbers

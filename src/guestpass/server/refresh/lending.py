"""An access token for a host that knows the session: server rendering, which never rotates anything."""

from __future__ import annotations

from guestpass.core.refresh import refusal_of
from guestpass.core.tokens import operations
from guestpass.errors import Forbidden, GuestpassError, NotFound
from guestpass.server.api_keys import service as api_keys
from guestpass.server.clock import Clock
from guestpass.server.refresh.model import Lend, Lent, Standing
from guestpass.server.refresh.standing import locked
from guestpass.server.storage.store import Transaction

NO_SUCH_SESSION = "There is no such renewable session."


class Lending:
    """The act of ``POST /v1/auth/refresh`` by an API key. It writes nothing; what rides with it does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def act(self, tx: Transaction, items: list[Lend]) -> list[Lent | Exception]:
        standing = await locked(tx, [item.session for item in items])
        now_ms = await tx.now_ms()
        scopes = [_scope(item, standing.get(item.session)) for item in items]
        keys = zip((item.key for item in items), scopes, strict=True)
        refused = await api_keys.refusals(tx, keys, self._clock())
        return [
            _lent(standing.get(item.session), scope, refusal, now_ms)
            for item, scope, refusal in zip(items, scopes, refused, strict=True)
        ]


def _scope(item: Lend, stands: Standing | None) -> str:
    """Return granted, today's ceiling of the key that opened the session, and that of the key that asks: what all allow."""
    if stands is None:
        return operations.NOTHING
    return operations.within(operations.within(stands.known.row.scope, stands.ceiling), item.key.ceiling)


def _lent(stands: Standing | None, scope: str, refusal: GuestpassError | None, now_ms: int) -> Lent | Exception:
    if stands is None:
        return NotFound(NO_SUCH_SESSION)
    denied = refusal_of(stands.held, now_ms)
    if denied is not None:
        return denied()
    if refusal is not None:
        return refusal
    if not scope and stands.known.row.scope:
        return Forbidden("This API key may grant none of the operations that the session was opened with.")
    return Lent(stands.known.row, scope, stands.ends_at, stands.known.suspended)

"""Which issuer's desk a token goes to: one, or with ``projects="all"`` one for each project of an issuer."""

from __future__ import annotations

import threading
from collections.abc import Callable

from guestpass.core.bounds import TOKEN_BYTES_MAX
from guestpass.core.tokens import check
from guestpass.errors import GuestpassError, TokenKeyUnknown, Unavailable
from guestpass.verify.desk import Desk
from guestpass.verify.documents import RETRY_SECONDS, age_of
from guestpass.verify.keys import COOLDOWN_SECONDS, FORGOTTEN_KID_SECONDS
from guestpass.verify.settings import Place, Settings

DESKS_MAX = 1000
HEADERS_MAX = 20_000


class Desks:
    """The desks. ``open_desk`` makes one; nothing is fetched by that."""

    def __init__(self, settings: Settings, open_desk: Callable[[Place], Desk], tick: Callable[[], float]) -> None:
        self._settings = settings
        self._open = open_desk
        self._tick = tick
        self.home = open_desk(settings.home)
        self._met: dict[str, Desk] = {}  # projects whose keys were fetched
        self._strangers: dict[str, Desk] = {}  # projects that a token claims; apart, so that none is pushed out by them
        self._by_header: dict[str, Desk] = {}
        self._missed_at: float | None = None  # when a project was last looked for that does not exist
        self._outage: tuple[float, str] | None = None
        self.forget_locks()

    def forget_locks(self) -> None:
        """A forked child may have inherited some that somebody holds."""
        self._lock = threading.Lock()
        for desk in (self.home, *self._met.values(), *self._strangers.values()):
            desk.forget_locks()

    def of(self, token: str) -> Desk:
        """Choose the desk that a token is held against; its checklist then proves that it is the right one."""
        if self._settings.projects == "one" or len(token) > TOKEN_BYTES_MAX:
            return self.home
        header, _, rest = token.removeprefix(self.home.expect.prefix).partition(".")
        desk = self._by_header.get(header)
        if desk is not None:
            return desk
        place = self._settings.sibling(check.unverified_issuer(rest.partition(".")[0]))
        if place is None:
            return self.home
        desk = self._met.get(place.issuer)
        if desk is None:
            return self._stranger(place)
        if header in desk.token_keys.current(self._tick()).by_header:  # not what anyone may have written
            self._remember(header, desk)
        return desk

    def may_look_for_key(self, desk: Desk, kid: str) -> bool:
        """Say whether a key that is not known is worth a fetch now."""
        now = self._tick()
        keys = desk.token_keys
        if not self._is_stranger(desk):
            return keys.may_look_for(kid, now)
        if keys.is_absent and age_of(keys.document.tried_at, now) < FORGOTTEN_KID_SECONDS:
            return False
        # Whoever can write a token can make names up: of those that lead nowhere one is looked for in 30 s.
        if age_of(self._missed_at, now) < COOLDOWN_SECONDS:
            return False
        if self._outage is not None and age_of(self._outage[0], now) < RETRY_SECONDS:
            return False
        return keys.may_look_for(kid, now)

    def looked(self, desk: Desk) -> None:
        """Note how a look for keys ended."""
        if not self._is_stranger(desk):
            return
        keys = desk.token_keys
        if keys.document.copy is not None:
            self._meet(desk)
        elif keys.is_absent:
            self._missed_at = self._tick()
        else:
            self._outage = self._tick(), keys.document.fault or "no answer"

    def why_unknown(self, desk: Desk, error: TokenKeyUnknown) -> GuestpassError:
        """Return the error for a token whose key is not known: our side's, where no key at all is known."""
        keys = desk.token_keys
        if keys.fixed is not None or keys.document.usable(self._tick()):
            return error
        if self._is_stranger(desk) and (keys.is_absent or self._outage is None):
            return error
        fault = keys.document.fault or (self._outage and self._outage[1]) or "no answer"
        return Unavailable(
            f"Could not fetch the issuer's keys from {keys.document.url}: {fault}.",
            retry_after_seconds=int(RETRY_SECONDS),
        )

    def _is_stranger(self, desk: Desk) -> bool:
        return desk is not self.home and desk.name not in self._met

    def _stranger(self, place: Place) -> Desk:
        with self._lock:
            desk = self._strangers.get(place.issuer)
            if desk is None:
                if len(self._strangers) >= DESKS_MAX:
                    self._strangers.pop(next(iter(self._strangers)))
                desk = self._strangers[place.issuer] = self._open(place)
            return desk

    def _meet(self, desk: Desk) -> None:
        with self._lock:
            self._strangers.pop(desk.name, None)
            if len(self._met) >= DESKS_MAX:
                gone = self._met.pop(next(iter(self._met)))
                self._by_header = {header: one for header, one in self._by_header.items() if one is not gone}
            self._met[desk.name] = desk

    def _remember(self, header: str, desk: Desk) -> None:
        if len(self._by_header) >= HEADERS_MAX:
            self._by_header.clear()
        self._by_header[header] = desk

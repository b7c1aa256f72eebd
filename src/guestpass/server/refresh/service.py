"""Renewable sessions: log in, refresh, log out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from guestpass.core import ids, times
from guestpass.core.callers import secret_text
from guestpass.core.recent_refreshes import Origin
from guestpass.core.tokens import operations, refresh_token
from guestpass.core.tokens.kinds import REFRESH, prefix_of
from guestpass.core.tokens.refresh_token import GENERATION_FIRST, RefreshKeys, RefreshToken
from guestpass.errors import Conflict, NotFound, RefreshTokenInvalid
from guestpass.server.api_keys.service import ApiKey
from guestpass.server.audit.service import Where
from guestpass.server.clock import Clock, Entropy
from guestpass.server.projects.service import Issuer, Issuers
from guestpass.server.refresh import sql
from guestpass.server.refresh.access import Access, AccessTokens
from guestpass.server.refresh.api import AccessAnswer, TokensAnswer
from guestpass.server.refresh.lending import NO_SUCH_SESSION, Lending
from guestpass.server.refresh.logging_out import LoggingOut, Logout
from guestpass.server.refresh.model import Lend, LoggedIn, Use
from guestpass.server.refresh.rotating import Rotating
from guestpass.server.refresh.watching import Watching
from guestpass.server.sessions.api import LoginRequest
from guestpass.server.sessions.minting import Minting
from guestpass.server.sessions.model import WORD, Credential, RenewalRow, SessionRow
from guestpass.server.sessions.policy import Plan
from guestpass.server.sessions.retelling import living
from guestpass.server.sessions.service import Sessions
from guestpass.server.sessions.verifying import Verifying
from guestpass.server.signing_keys.service import Keyring, Signer
from guestpass.server.storage.store import Riders, Store, Transaction

BY_ITSELF = "session"  # revokedBy of a session that its own token ended


class Pair(NamedTuple):
    """What a refresh gives. ``ends_at``: of the session, Unix seconds, unless it is refreshed again."""

    row: SessionRow
    access: Access
    refresh_token: str
    ends_at: int


class Renewing:
    """``/v1/auth``: policy and signing here; what becomes of a refresh token is decided in the store's transaction."""

    def __init__(
        self,
        store: Store,
        issuers: Issuers,
        keyring: Keyring,
        minting: Minting,
        secret: bytes,
        *,
        clock: Clock,
        entropy: Entropy,
        prefix_word: str,
    ) -> None:
        self._store = store
        self._issuers = issuers
        self._keyring = keyring
        self._minting = minting
        self.keys = keys = RefreshKeys.of(secret)  # of the secret that the store was made with
        self._clock = clock
        self._entropy = entropy
        self._prefix_word = prefix_word
        self._access = AccessTokens(clock, entropy)
        self.watching = Watching(entropy)
        self._rotating = Rotating(keys, entropy, self.watching)
        self._lending = Lending(clock)

    async def login(self, key: ApiKey, request: LoginRequest, riders: Riders = ()) -> TokensAnswer:
        """Open a renewable session for a caller who may mint; the answer is given when it is on disk.

        Raises: as a mint.
        """
        accesses: list[Access] = []

        def credential_of(row: SessionRow, planned: Plan, issuer: Issuer, signer: Signer) -> Credential:
            ends_at = min(row.expires_at, planned.idle_ends_at or row.expires_at)
            accesses.append(self._access.sign(row, issuer, signer, scope=row.scope, ends_at=ends_at))
            secret = secret_text.encode(self._entropy(secret_text.ENTROPY_BYTES))
            token = self._first(row, issuer, secret)
            renewal = RenewalRow(
                issuer=row.issuer,
                id=row.id,
                generation=token.generation,
                token_hash=token.hash,
                rotated_at_ms=row.issued_at * 1000,
                salt=None,
                idle_ends_at=ends_at,
                recent=b"",
            )
            return Credential((token.text,), LoggedIn(row.id, secret), renewal=renewal)

        opened = await self._minting.open(key, request, credential_of, riders)
        renewal = opened.credential.renewal
        assert renewal is not None  # noqa: S101 - it was made above
        return _answer(opened.row, accesses[-1], opened.credential.tokens[0], renewal.idle_ends_at)

    async def login_again(self, key: ApiKey, made: LoggedIn) -> TokensAnswer:
        """Answer a login once more, with a fresh access token.

        Raises: Conflict where the session has ended, or its refresh token was used; as ``Minting.again``.
        """
        issuer = await self._issuers.by_number(key.issuer)
        signer = (await self._keyring.of(issuer)).signer
        session = await self._store.read(lambda tx: living(tx, key, made.id, now=int(self._clock())))
        row, renewal = session.row, session.renewal
        token = self._first(row, issuer, made.secret)
        if renewal is None or renewal.token_hash != token.hash:
            raise Conflict(
                "The session that was opened with this Idempotency-Key has been refreshed since, so its first tokens are not "
                "answered again."
            )
        ends_at = min(row.expires_at, renewal.idle_ends_at)
        return _answer(
            row, self._access.sign(row, issuer, signer, scope=row.scope, ends_at=ends_at), token.text, ends_at
        )

    async def refresh(self, text: str, origin: Origin, where: Where) -> TokensAnswer:
        """Give a pair of tokens for the refresh token that was given last, or for the one before within the grace.

        Raises: as ``use_of`` and ``rotate``.
        """
        pair = await self.rotate(*await self.use_of(text, origin, where))
        return _answer(pair.row, pair.access, pair.refresh_token, pair.ends_at)

    async def rotate(self, use: Use, issuer: Issuer, riders: Riders = (), *, scope: str | None = None) -> Pair:
        """Do the same for a token whose tag holds. ``scope``: what the access token may do at most, joined by spaces.

        Raises: RefreshTokenError, CustomerBlocked; JwtConfigurationError, Unavailable.
        """
        signer = (await self._keyring.of(issuer)).signer  # before anything is written
        done = await self._store.write(self._rotating.act, use, riders)
        self._store.tally.refreshed(issuer.environment, "rotated" if done.rotated else "replayed")
        granted = done.scope if scope is None else operations.within(operations.scope_of(scope.split()), done.scope)
        access = self._access.sign(done.row, issuer, signer, scope=granted, ends_at=done.ends_at)
        return Pair(done.row, access, done.token.text, done.ends_at)

    async def lend(self, key: ApiKey, session_id: str, riders: Riders = ()) -> AccessAnswer:
        """Give an access token of a session to a host that may mint; nothing of the session moves.

        Raises: NotFound, also for another issuer's session and for a fixed one; RefreshTokenExpired, RefreshTokenRevoked,
        CustomerBlocked, Forbidden where no operation is left; Unauthorized where the key was revoked meanwhile.
        """
        issuer = await self._issuers.by_number(key.issuer)
        decoded = ids.decode(WORD, session_id)
        if decoded is None:
            raise NotFound(NO_SUCH_SESSION)
        signer = (await self._keyring.of(issuer)).signer
        lent = await self._store.write(self._lending.act, Lend(key, decoded), riders)
        access = self._access.sign(lent.row, issuer, signer, scope=lent.scope, ends_at=lent.ends_at)
        ends_at = times.of_seconds(access.expires_at)
        return AccessAnswer(lent.row.public_id, access.token, ends_at, access.expires_in, lent.suspended)

    def is_refresh_token(self, text: str) -> bool:
        """Say whether a text is a refresh token of ours, whatever has become of it."""
        return refresh_token.read(text, self.keys) is not None

    async def use_of(self, text: str, origin: Origin, where: Where) -> tuple[Use, Issuer]:
        """Hold a text against its tag, before anything is looked up. Raises: RefreshTokenInvalid."""
        token = refresh_token.read(text, self.keys)
        if token is None:
            raise RefreshTokenInvalid(_what_is_wrong_with(text))
        try:
            issuer = await self._issuers.by_number(token.issuer)
        except NotFound:
            raise RefreshTokenInvalid(internal=f"there is no issuer {token.issuer}") from None
        return Use(token, issuer.settings, self._prefix(issuer), origin, where), issuer

    async def erase_salts(self) -> None:
        """Drop the salts whose grace is over; called every second."""
        if await self._store.read(sql.has_salts):
            await self._store.write(_erase_each, None)

    def _first(self, row: SessionRow, issuer: Issuer, secret: str) -> RefreshToken:
        return refresh_token.make(self._prefix(issuer), row.id, row.issuer, GENERATION_FIRST, secret, self.keys)

    def _prefix(self, issuer: Issuer) -> str:
        return prefix_of(REFRESH, issuer.environment, word=self._prefix_word)


class Leaving:
    """``POST /v1/auth/logout``: by a refresh token, or by an access token."""

    def __init__(self, store: Store, renewing: Renewing, verifying: Verifying, sessions: Sessions) -> None:
        self._store = store
        self._renewing = renewing
        self._verifying = verifying
        self._sessions = sessions
        self._acts = LoggingOut(renewing.keys, renewing.watching)

    async def with_refresh_token(
        self, use: Use, riders: Riders = (), *, everywhere: bool = False, by: str = BY_ITSELF
    ) -> int | None:
        """End the session of a refresh token, however old; or ``everywhere``, for one that could be refreshed now.

        Returns how many living sessions that ended, None over 10 000. Raises: RefreshTokenError, Unavailable.
        """
        logout = Logout(use.session, use, self._sessions.ending(by), use.where)
        return await self._end(logout, riders, everywhere=everywhere)

    async def with_access_token(self, text: str, where: Where, *, everywhere: bool) -> int | None:
        """Do the same with an access token; an expired one may end its own session, and no other. Raises: TokenError."""
        issuer, session_id = await self._verifying.session_of_access_token(text, may_be_expired=not everywhere)
        logout = Logout((issuer.number, session_id), None, self._sessions.ending(BY_ITSELF), where)
        return await self._end(logout, (), everywhere=everywhere)

    async def _end(self, logout: Logout, riders: Riders, *, everywhere: bool) -> int | None:
        if everywhere:
            return await self._sessions.count_ended(await self._store.write(self._acts.everywhere, logout, riders))
        ended_now = await self._store.write(self._acts.one, logout, riders)
        if ended_now:
            self._sessions.ended_one()
        return int(ended_now)


async def _erase_each(tx: Transaction, items: list[None]) -> list[int]:
    now_ms = await tx.now_ms()
    return [await sql.erase_salts(tx, now_ms=now_ms) for _ in items]


def _answer(row: SessionRow, access: Access, token: str, ends_at: int) -> TokensAnswer:
    return TokensAnswer(
        session_id=row.public_id,
        access_token=access.token,
        access_token_expires_at=times.of_seconds(access.expires_at),
        access_token_expires_in=access.expires_in,
        refresh_token=token,
        refresh_token_expires_at=times.of_seconds(ends_at),
    )


def _what_is_wrong_with(text: str) -> str:
    if text.startswith("ey") or "_session_" in text:
        return "This is not a refresh token (gp_refresh_…), but one that is sent as Bearer."
    return ""


async def forget_evidence(tx: Transaction, issuer: int, session_ids: Sequence[bytes]) -> None:
    """Forget from where sessions were refreshed oddly; that they were, and what was done about it, stays."""
    if session_ids:
        await sql.erase_evidence(tx, issuer, session_ids)

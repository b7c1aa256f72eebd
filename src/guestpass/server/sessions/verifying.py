"""Hold a token against the checklist, and its session against the store."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from msgspec import UNSET

from guestpass.core import ids
from guestpass.core.bounds import SERVER_START_LEEWAY_SECONDS, TOKEN_BYTES_MAX
from guestpass.core.tokens import check, kinds, operations
from guestpass.core.tokens.check import Expectation, Inspection, State
from guestpass.core.tokens.claims import SessionClaims
from guestpass.core.tokens.explain import Finding, explain
from guestpass.core.tokens.keys import KeySet
from guestpass.core.tokens.kinds import ENVIRONMENTS
from guestpass.core.tokens.remembered import RememberingVerifier
from guestpass.errors import (
    GuestpassError,
    NotFound,
    TokenKeyUnknown,
    TokenMalformed,
    TokenMissing,
    TokenReplayed,
    TokenRevoked,
)
from guestpass.server.clock import Clock
from guestpass.server.projects.service import Issuer, Issuers
from guestpass.server.revocation import service as revocation
from guestpass.server.sessions import sql
from guestpass.server.sessions.claims import claims_of
from guestpass.server.sessions.model import WORD, Known, SessionRow
from guestpass.server.signing_keys.service import Keyring
from guestpass.server.storage.store import Store, Transaction


class Verified(NamedTuple):
    """A token that passed every check, with its session."""

    claims: SessionClaims
    issuer: Issuer
    known: Known

    @property
    def scope(self) -> str:
        """What the token allows now: less, while its session is suspended."""
        scope = operations.NOTHING if self.claims.scope is UNSET else self.claims.scope
        return operations.within(scope, self.issuer.settings.suspended_operations) if self.known.suspended else scope

    @property
    def row(self) -> SessionRow:
        return self.known.row


class Explained(NamedTuple):
    findings: list[Finding]
    error: GuestpassError | None
    known: Known | None


class _Desk(NamedTuple):
    """What tokens of one issuer are held against. Made anew whenever its keys or its audience change."""

    keys: KeySet
    expect: Expectation
    verifier: RememberingVerifier


class Verifying:
    def __init__(self, store: Store, issuers: Issuers, keyring: Keyring, clock: Clock, *, prefix_word: str) -> None:
        self._store = store
        self._issuers = issuers
        self._keyring = keyring
        self._clock = clock
        self._prefix_word = prefix_word
        self._desks: dict[int, _Desk] = {}
        self._issuer_of_header: dict[str, int] = {}
        self._prefixes = [(kinds.prefix_of(kinds.SESSION, each, word=prefix_word), each) for each in ENVIRONMENTS]

    async def bearer(self, token: str, *, suspended_too: bool = False) -> Verified:
        """Check a token that names its issuer itself, on a route that any of our users' browsers may call.

        Raises: TokenError.
        """
        _readable(token)
        return await self.at(await self.issuer_of(token), token, suspended_too=suspended_too)

    async def at(
        self, issuer: Issuer, token: str, operation: str | None = None, *, suspended_too: bool = False
    ) -> Verified:
        """Check a token that must be one of ``issuer``, and may have to allow an operation.

        ``suspended_too``: whoever asks looks at the scope, or ends the session.

        Raises: TokenError, OperationNotAllowed.
        """
        _readable(token)
        desk = await self._desk(issuer)
        now = int(self._clock())
        if "." not in token:
            return await self._opaque(token, issuer, desk, now, operation)
        try:
            claims = desk.verifier.verify(token, now=now)
        except TokenKeyUnknown:
            desk = await self._desk(issuer, look_again=True)
            claims = desk.verifier.verify(token, now=now)
        known = await self.known(issuer, claims.sid)
        ins = Inspection(token, desk.expect, desk.keys, now, operation)
        ins.claims, ins.state = claims, _state(known, issuer)
        check.verify(ins, check.STATE_CHECKS_BUT_SUSPENSION if suspended_too else check.STATE_CHECKS)
        assert known is not None  # noqa: S101 - the revocation check refuses a session that is not there
        return Verified(claims, issuer, known)

    async def session_of_access_token(self, token: str, *, may_be_expired: bool) -> tuple[Issuer, bytes]:
        """Return (issuer, session id) of an access token of ours, whatever has become of its session.

        Raises: TokenError where it is none, or of another kind; TokenExpired unless it may be.
        """
        _readable(token)
        issuer = await self.issuer_of(token)
        checks = check.GATES if may_be_expired else check.TOKEN_CHECKS
        desk = await self._desk(issuer)
        try:
            claims = _access_claims(token, desk, int(self._clock()), checks)
        except TokenKeyUnknown:
            desk = await self._desk(issuer, look_again=True)
            claims = _access_claims(token, desk, int(self._clock()), checks)
        session_id = ids.decode(WORD, claims.sid)
        assert session_id is not None  # noqa: S101 - we signed it
        return issuer, session_id

    async def count_use(self, verified: Verified) -> None:
        """Count one use of a token that passed every check, on disk; free where it may be used without end.

        Raises: TokenReplayed, TokenRevoked where the session was ended meanwhile.
        """
        if verified.row.max_uses is not None:
            await self._store.write(_count_each, verified.row)

    async def explain(self, issuer: Issuer, token: str, operation: str | None) -> Explained:
        """Walk the whole checklist for a caller of ``issuer`` and say what each line found."""
        desk = await self._desk(issuer)
        now = int(self._clock())
        ins = Inspection(token, desk.expect, desk.keys, now, operation)
        known = await self._prepare_opaque(ins, issuer)
        walked = explain(ins, check.TOKEN_CHECKS)
        if isinstance(walked.first_error, TokenKeyUnknown):
            desk = await self._desk(issuer, look_again=True)
            ins = Inspection(token, desk.expect, desk.keys, now, operation)
            walked = explain(ins, check.TOKEN_CHECKS)
        if not walked.may_go_on or ins.claims is None:
            return Explained(walked.findings, walked.first_error, None)
        if ins.opaque_id is None:
            known = await self.known(issuer, ins.claims.sid)
            ins.state = _state(known, issuer)
        findings = walked.findings + explain(ins, check.STATE_CHECKS).findings
        return Explained(findings, next((finding.error for finding in findings if finding.error), None), known)

    async def explain_session(self, issuer: Issuer, session_id: str, operation: str | None) -> Explained:
        """Walk the lines about time and state for a session of ``issuer``, as its token would meet them now.

        Raises: NotFound.
        """
        known = await self.known(issuer, session_id)
        if known is None:
            raise NotFound("There is no such session.")
        desk = await self._desk(issuer)
        ins = Inspection("", desk.expect, desk.keys, int(self._clock()), operation)
        ins.claims, ins.state = claims_of(known.row, issuer, expires_at=known.ends_at), _state(known, issuer)
        findings = explain(ins, check.TIME_CHECKS + check.STATE_CHECKS).findings
        return Explained(findings, next((finding.error for finding in findings if finding.error), None), known)

    async def issuer_of(self, token: str) -> Issuer:
        """Choose the issuer that a token is held against; the checks then prove that it is the right one.

        The text is not trusted by this: a token that names another issuer than its own meets keys that do not fit.
        """
        prefix, environment = "", ENVIRONMENTS[0]
        for each, its_environment in self._prefixes:
            if token.startswith(each):
                prefix, environment = each, its_environment
        header, _, rest = token[len(prefix) :].partition(".")
        number = self._issuer_of_header.get(header)
        if number is None and not rest and prefix:
            found = await self._opaque_token("sess_" + header[: ids.ID_CHARACTERS])
            number = found[0] if found else None
        if number is not None:
            return await self._issuers.by_number(number)
        named = await self._issuers.by_url(check.unverified_issuer(rest.partition(".")[0])) if rest else None
        return named or await self._issuers.at(environment)

    async def known(self, issuer: Issuer, session_id: str) -> Known | None:
        """Return a session of this issuer, or None; another issuer's is not found."""
        key = ids.decode(WORD, session_id)
        found = await sql.look_up(self._store, issuer.number, key) if key else None
        if found is None:
            return None
        row = found.row
        ending = await revocation.look_up_ending(
            self._store, row.issuer, row.id, row.subjects, found.own, found.horizon
        )
        uses = 0 if row.max_uses is None else await sql.look_up_uses(self._store, row.issuer, row.id)
        return Known(row, ending, row.is_used_up(uses), found.renewal, found.suspended)

    async def _opaque(self, token: str, issuer: Issuer, desk: _Desk, now: int, operation: str | None) -> Verified:
        ins = Inspection(token, desk.expect, desk.keys, now, operation)
        known = await self._prepare_opaque(ins, issuer)
        claims = check.verify(ins, check.CHECKS)
        assert known is not None  # noqa: S101 - the signature check refuses a session that is not there
        return Verified(claims, issuer, known)

    async def _prepare_opaque(self, ins: Inspection, issuer: Issuer) -> Known | None:
        """Lay beside an opaque token what it is to be compared with; nothing is shown unless its hash is equal."""
        session_id = check.session_to_load_first(ins)
        found = await self._opaque_token(session_id) if session_id else None
        if session_id is None or found is None or found[0] != issuer.number:
            return None
        known = await self.known(issuer, session_id)
        if known is not None:
            ins.claims = claims_of(known.row, issuer)
            ins.state = _state(known, issuer, found[1])
        return known

    async def _opaque_token(self, session_id: str) -> tuple[int, bytes] | None:
        key = ids.decode(WORD, session_id)
        return await sql.look_up_opaque_token(self._store, key) if key else None

    async def _desk(self, issuer: Issuer, *, look_again: bool = False) -> _Desk:
        held = await (self._keyring.look_again(issuer) if look_again else self._keyring.of(issuer))
        keys = held.verifying
        desk = self._desks.get(issuer.number)
        if desk is None or desk.keys is not keys or desk.expect.audience != issuer.audience:
            expect = Expectation(
                issuer=issuer.url,
                audience=issuer.audience,
                environment=issuer.environment,
                project_id=issuer.project.id,
                algorithms=held.algorithms,
                base=self._issuers.base_url,
                prefix_word=self._prefix_word,
                start_leeway_seconds=SERVER_START_LEEWAY_SECONDS,
            )
            desk = self._desks[issuer.number] = _Desk(keys, expect, RememberingVerifier(keys, expect))
            self._issuer_of_header.update(dict.fromkeys(keys.by_header, issuer.number))
        return desk


def _access_claims(token: str, desk: _Desk, now: int, checks: tuple[check.Check, ...]) -> SessionClaims:
    expect = dataclasses.replace(desk.expect, accepted_kinds=(kinds.ACCESS,))
    return check.verify(Inspection(token, expect, desk.keys, now), checks)


def _state(known: Known | None, issuer: Issuer, token_hash: bytes | None = None) -> State | None:
    if known is None:
        return None
    goes_on = issuer.settings.suspended_operations if known.suspended else None
    return State(known.ending, token_hash, known.used_up, goes_on)


def _readable(token: str) -> None:
    if not token:
        raise TokenMissing
    if len(token) > TOKEN_BYTES_MAX:
        raise TokenMalformed(f"The token is longer than {TOKEN_BYTES_MAX} bytes; it was not read.")


async def _count_each(tx: Transaction, rows: list[SessionRow]) -> list[Exception | None]:
    outcomes: list[Exception | None] = []
    await revocation.lock_sessions(tx, [row.id for row in rows])
    for row in rows:
        found = await sql.find(tx, row.issuer, row.id)
        if found is None or row.max_uses is None:
            outcomes.append(TokenRevoked("The server has no such session (any more)."))
            continue
        ending = await revocation.ending_in(tx, row.issuer, row.id, row.subjects, found.own, found.horizon)
        if ending is not None:
            outcomes.append(TokenRevoked(reissue=ending.reissue))
        else:
            counted = await sql.count_use(tx, row.issuer, row.id, most=row.max_uses)
            outcomes.append(None if counted else TokenReplayed())
    return outcomes

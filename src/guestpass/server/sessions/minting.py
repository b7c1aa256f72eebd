"""Mint: make a token, commit its session, and only then answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from msgspec import UNSET, Struct, structs

from guestpass.core import ids, times
from guestpass.core.bounds import LIFE_SECONDS_MAX, RENEWABLE_SECONDS_MAX
from guestpass.core.callers import secret_text
from guestpass.core.tokens import issue, opaque, operations
from guestpass.core.tokens.kinds import SESSION, prefix_of
from guestpass.errors import CustomerBlocked
from guestpass.server.api_keys import service as api_keys
from guestpass.server.api_keys.service import ApiKey
from guestpass.server.clock import Clock, Entropy
from guestpass.server.customers import service as customers
from guestpass.server.customers.service import Derivation, Sighting
from guestpass.server.projects.service import Issuer, Issuers
from guestpass.server.revocation import service as revocation
from guestpass.server.revocation.service import Entry, LeasedList
from guestpass.server.sessions import index, sql
from guestpass.server.sessions.api import AnalyticsRequest, LoginRequest, MintAnswer, MintRequest
from guestpass.server.sessions.claims import claims_of
from guestpass.server.sessions.model import Credential, Made, Mint, SessionRow, TooEarly
from guestpass.server.sessions.policy import Plan, plan
from guestpass.server.sessions.retelling import living, made_of, token_again
from guestpass.server.sessions.suspended import end_suspended
from guestpass.server.signing_keys.service import Keyring, Signer
from guestpass.server.storage.store import Riders, Store, Transaction, together

LATE_MS = 5_000  # a mint that waited longer for its transaction takes a new id; see ``audit.service.WINDOW_MS``


class Opened(NamedTuple):
    """A session that is on disk. ``denied``: operations that were asked for and are not in it."""

    row: SessionRow
    credential: Credential
    issuer: Issuer
    denied: list[str]


class _ListOf(NamedTuple):
    """Whose tokens share a status list: it is kept until the last of them has ended."""

    issuer: int
    lives_long: bool


class Minting:
    """``POST /v1/session-tokens``: policy, clock and entropy here; the token in ``core``; the row in ``sql``."""

    def __init__(
        self,
        store: Store,
        issuers: Issuers,
        keyring: Keyring,
        derivation: Derivation,
        *,
        clock: Clock,
        entropy: Entropy,
        prefix_word: str,
    ) -> None:
        self._store = store
        self._issuers = issuers
        self._keyring = keyring
        self._derivation = derivation
        self._clock = clock
        self._entropy = entropy
        self._prefix_word = prefix_word
        self._tally = store.tally
        self._lists: dict[_ListOf, LeasedList] = {}

    async def mint(self, key: ApiKey, request: MintRequest | AnalyticsRequest, riders: Riders = ()) -> MintAnswer:
        """Mint for a caller who may; the answer is given when the session is on disk.

        Raises: ValidationFailed, InvalidExpiration, InvalidNotBefore, Forbidden, CustomerBlocked,
        Unauthorized where the key was revoked meanwhile, JwtConfigurationError, Unavailable.
        """
        opened = await self.open(key, request, self._credential, riders)
        return _answer(opened.row, opened.credential.tokens[0], opened.issuer, opened.denied)

    async def open(
        self,
        key: ApiKey,
        request: MintRequest | LoginRequest | AnalyticsRequest,
        credential_of: Callable[[SessionRow, Plan, Issuer, Signer], Credential],
        riders: Riders,
    ) -> Opened:
        """Commit a session, with what ``credential_of`` makes for its row: the last that it made counts.

        Raises: as ``mint``.
        """
        issuer = await self._issuers.by_number(key.issuer)
        signer = (await self._keyring.of(issuer)).signer
        planned = plan(request, key.ceiling, issuer.settings, now=int(self._clock()))
        entry = await self._status_entry(issuer, lives_long=planned.is_renewable)
        floor_ms = int(self._clock() * 1000)
        while True:
            row = self._row(key, planned, entry, ids.time_ordered(floor_ms, self._entropy(ids.ENTROPY_BYTES)))
            credential = credential_of(row, planned, issuer, signer)
            mint = Mint(key, row, credential, planned.metadata, planned.email, planned.email_verified)
            try:
                await self._store.write(self._commit, mint, riders)
            except TooEarly as early:
                floor_ms = early.floor_ms  # below a cut: signed again with a later id, never answered
            else:
                self._tally.minted(issuer.environment, row.format)
                return Opened(row, credential, issuer, planned.denied)

    async def again(self, key: ApiKey, made: Made) -> MintAnswer:
        """Return, as of now, what was answered to a mint of this key.

        Raises: Conflict where the token is dead by now, or cannot be told any more; Unauthorized where the key was
        revoked meanwhile; JwtConfigurationError, Unavailable.
        """
        issuer = await self._issuers.by_number(key.issuer)
        now = int(self._clock())
        session = await self._store.read(lambda tx: living(tx, key, made.id, now=now))
        keys = (await self._keyring.of(issuer)).verifying
        if made.kid not in keys.by_kid:  # it may be another server's, and new
            keys = (await self._keyring.look_again(issuer)).verifying
        token = token_again(session, made, issuer, keys, prefix=self._prefix(issuer))
        answer = _answer(session.row, token, issuer, made.denied)
        return structs.replace(answer, expires_in=session.row.expires_at - now)

    def bare(self, minted: MintAnswer) -> str:
        """Return the token alone, without its prefix."""
        return minted.session_token.removeprefix(prefix_of(SESSION, minted.environment, word=self._prefix_word))

    def _row(self, key: ApiKey, planned: Plan, entry: Entry, session_id: bytes) -> SessionRow:
        organization = planned.external_organization_id
        return SessionRow(
            issuer=key.issuer,
            id=session_id,
            api_key_id=key.id,
            customer_id=self._derivation.customer_id(key.issuer, planned.external_user_id),
            external_user_id=planned.external_user_id,
            organization_key=(
                None if organization is None else self._derivation.organization_key(key.issuer, organization)
            ),
            external_organization_id=organization,
            scope=planned.scope,
            issued_at=planned.issued_at,
            not_before=planned.not_before,
            expires_at=planned.expires_at,
            max_uses=planned.max_uses,
            format=planned.format,
            status_list=entry.number,
            status_index=entry.place,
        )

    def _credential(self, row: SessionRow, planned: Plan, issuer: Issuer, signer: Signer) -> Credential:
        prefix, token_hash = self._prefix(issuer), None
        if row.format == "opaque":
            token = opaque.make(prefix, row.public_id, self._entropy(secret_text.ENTROPY_BYTES))
            token_hash = opaque.hash_of(token)
        else:
            claims = claims_of(row, issuer)
            token = issue.issue(claims, prefix=prefix, header_segment=signer.session_header, key=signer.key)
        return Credential((token,), made_of(row, token, signer, planned.denied), token_hash)

    def _prefix(self, issuer: Issuer) -> str:
        return prefix_of(SESSION, issuer.environment, word=self._prefix_word)

    async def _status_entry(self, issuer: Issuer, *, lives_long: bool) -> Entry:
        lists = _ListOf(issuer.number, lives_long)
        while True:
            leased = self._lists.get(lists)
            now = int(self._clock())
            entry = leased.draw(self._entropy(LeasedList.draw_bytes), now=now) if leased else None
            if entry is not None:
                return entry
            number = await self._store.write(self._lease, lists)
            if self._lists.get(lists) is leased:  # another mint may have leased one while we waited
                self._lists[lists] = LeasedList(number, now)

    async def _lease(self, tx: Transaction, lists: list[_ListOf]) -> list[int]:
        now = int(self._clock())
        return [
            await revocation.lease_status_list(
                tx, each.issuer, now=now, life_seconds=RENEWABLE_SECONDS_MAX if each.lives_long else LIFE_SECONDS_MAX
            )
            for each in lists
        ]

    async def _commit(self, tx: Transaction, mints: list[Mint]) -> list[Struct | Exception]:
        """Decide and write every mint that waits, in one transaction."""
        await revocation.lock_issuers(tx, {mint.row.issuer for mint in mints}, shared=True)
        refused, blocked, floors = await together(
            tx,
            api_keys.refusals(tx, ((mint.key, mint.row.scope) for mint in mints), self._clock()),
            customers.blocked_among(tx, {(mint.row.issuer, mint.row.customer_id) for mint in mints}),
            _floors(tx, mints, self._clock),
        )
        outcomes: list[Struct | Exception] = []
        accepted: list[Mint] = []
        for mint, refusal in zip(mints, refused, strict=True):
            row = mint.row
            if refusal is not None:
                outcomes.append(refusal)
            elif (row.issuer, row.customer_id) in blocked:
                outcomes.append(CustomerBlocked())
            elif floors[row.id]:
                outcomes.append(TooEarly(floors[row.id]))
            else:
                accepted.append(mint)
                outcomes.append(mint.credential.made)
        await _write(tx, accepted)
        return outcomes


async def _floors(tx: Transaction, mints: list[Mint], clock: Clock) -> dict[bytes, int]:
    """Return for each session id the milliseconds it must reach to be committed, 0 where it may be as it is."""
    by_issuer: defaultdict[int, list[SessionRow]] = defaultdict(list)
    for mint in mints:
        by_issuer[mint.row.issuer].append(mint.row)
    floors: dict[bytes, int] = {}
    for issuer, rows in by_issuer.items():
        indexed, after_cuts = await together(
            tx,
            index.indexed_up_to(tx, issuer),
            revocation.floors(tx, issuer, [(row.subjects, row.minted_ms) for row in rows]),
        )
        now_ms = int(clock() * 1000)  # since the transaction was begun, and its locks were had
        for row, floor in zip(rows, after_cuts, strict=True):
            if row.minted_ms < now_ms - LATE_MS:
                floor = max(floor, now_ms)  # noqa: PLW2901 - the sealer no longer waits for ids as old
            floors[row.id] = max(floor, ids.unix_ms_of(indexed) + 1) if row.id <= indexed else floor
    return floors


async def _write(tx: Transaction, mints: list[Mint]) -> None:
    await sql.add(tx, [mint.row for mint in mints])
    logins = [mint.row for mint in mints if mint.credential.renewal is not None]
    await end_suspended(tx, ((row.issuer, row.customer_id) for row in logins))
    await sql.add_renewals(tx, [mint.credential.renewal for mint in mints if mint.credential.renewal is not None])
    for mint in mints:
        row = mint.row
        if mint.metadata is not None:
            await sql.add_metadata(tx, row.issuer, row.id, mint.metadata)
        if mint.credential.token_hash is not None:
            await sql.add_opaque_token(tx, row.issuer, row.id, mint.credential.token_hash)
    seen = [
        Sighting(m.row.issuer, m.row.customer_id, m.row.external_user_id, m.email, m.email_verified, m.row.issued_at)
        for m in mints
        if m.email is not None
    ]
    for sighting in sorted(seen, key=lambda one: one.customer_id):  # in one order on every server: no deadlock
        await customers.record(tx, sighting)


def _answer(row: SessionRow, token: str, issuer: Issuer, denied: list[str]) -> MintAnswer:
    return MintAnswer(
        id=row.public_id,
        session_token=token,
        expires_at=times.of_seconds(row.expires_at),
        expires_in=row.expires_at - row.issued_at,
        issued_at=times.of_seconds(row.issued_at),
        environment=issuer.environment,
        external_user_id=row.external_user_id,
        allowed_operations=operations.names_of(row.scope),
        denied_operations=denied or UNSET,
        external_organization_id=UNSET if row.external_organization_id is None else row.external_organization_id,
        not_before=UNSET if row.not_before is None else times.of_seconds(row.not_before),
    )

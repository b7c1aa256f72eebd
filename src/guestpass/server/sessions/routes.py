"""The doors of the sessions room: decode, call, encode."""

from __future__ import annotations

import math
from typing import get_args

from msgspec import UNSET

from guestpass.core import ids, times
from guestpass.core.revocation.cutoff import Status
from guestpass.core.tokens import operations
from guestpass.errors import Detail, NotFound, ValidationFailed
from guestpass.server.api_keys import service as api_keys
from guestpass.server.clock import Clock
from guestpass.server.customers import service as customers
from guestpass.server.customers.service import Derivation
from guestpass.server.http import paging
from guestpass.server.http.exchange import Answer, Exchange, answer
from guestpass.server.http.routes import Creates, QueryParameter, Route
from guestpass.server.projects.service import Issuers
from guestpass.server.revocation.service import ALL, Subject
from guestpass.server.sessions import api
from guestpass.server.sessions.explaining import Explaining
from guestpass.server.sessions.minting import Minting
from guestpass.server.sessions.model import Made
from guestpass.server.sessions.policy import check_host_id, invalid
from guestpass.server.sessions.service import EndMany, Listing, Sessions, Unblock, view_of
from guestpass.server.sessions.verifying import Verifying

OWN_SESSION = "session"  # revokedBy of a session that its own token ended
STATUSES: tuple[Status, ...] = get_args(Status)
_LIST_QUERY = (
    QueryParameter("externalUserId", {"type": "string", "minLength": 1, "maxLength": 255}, "Sessions of this user."),
    QueryParameter("externalOrganizationId", {"type": "string", "minLength": 1, "maxLength": 255}, "Of this one."),
    QueryParameter("status", {"type": "string", "enum": list(STATUSES)}, "Sessions with this status now."),
    *paging.query("Sessions"),
)


class SessionRoutes:
    def __init__(
        self,
        minting: Minting,
        sessions: Sessions,
        verifying: Verifying,
        issuers: Issuers,
        derivation: Derivation,
        explaining: Explaining,
        clock: Clock,
    ) -> None:
        self._minting = minting
        self._sessions = sessions
        self._verifying = verifying
        self._issuers = issuers
        self._derivation = derivation
        self._explaining = explaining
        self._clock = clock

    async def mint(self, call: Exchange) -> Answer:
        return answer(await self._minting.mint(call.key, call.body, call.riders), status=201)

    async def mint_again(self, call: Exchange, made: Made) -> Answer:
        return answer(await self._minting.again(call.key, made), status=201)

    async def mint_for_analytics(self, call: Exchange) -> Answer:
        minted = await self._minting.mint(call.key, call.body, call.riders)
        return answer(api.AnalyticsAnswer(self._minting.bare(minted)), status=201)

    async def mint_for_analytics_again(self, call: Exchange, made: Made) -> Answer:
        minted = await self._minting.again(call.key, made)
        return answer(api.AnalyticsAnswer(self._minting.bare(minted)), status=201)

    async def revoke_token(self, call: Exchange) -> Answer:
        ending = self._sessions.ending(call.key.public_id)
        session_id = call.parameters["id"]
        at_ms, _ = await self._sessions.end_one(call.key.issuer, session_id, ending, call.riders, where=call.where)
        return answer(api.Revoked(session_id, times.of_milliseconds(at_ms)))

    async def page(self, call: Exchange) -> Answer:
        issuer, query = call.key.issuer, call.query
        user, organization = query.get("externalUserId"), query.get("externalOrganizationId")
        check_host_id("externalUserId", UNSET if user is None else user)
        check_host_id("externalOrganizationId", UNSET if organization is None else organization)
        organization_key = None if organization is None else self._derivation.organization_key(issuer, organization)
        listing = Listing(
            issuer=issuer,
            owner=organization_key if user is None else self._derivation.customer_id(issuer, user),
            organization=organization_key,
            status=_status(query.get("status")),
            below=paging.below(query),
            limit=paging.limit(query),
        )
        return answer(await self._sessions.page(listing))

    async def get(self, call: Exchange) -> Answer:
        return answer(await self._sessions.get(call.key.issuer, call.parameters["id"]))

    async def revoke(self, call: Exchange) -> Answer:
        body: api.RevokeRequest = call.body
        ending = self._sessions.ending(call.key.public_id, reissue=body.reissue)
        if body.id is not UNSET:
            _only_one_named(body)
            if body.issued_before is not UNSET:
                raise invalid("issuedBefore", "does not go with id: one session is named already")
            at_ms, ended_now = await self._sessions.end_one(
                call.key.issuer, body.id, ending, call.riders, where=call.where
            )
            return answer(api.RevokeAnswer(int(ended_now), times.of_milliseconds(at_ms)))
        subject = self._subject(call.key.issuer, body)
        issued_before_ms = self._issued_before(body)
        end = EndMany(
            call.key.issuer, subject, ending, issued_before_ms, must_exist=body.api_key_id is not UNSET,
            external_user_id=None if body.external_user_id is UNSET else body.external_user_id, where=call.where,
        )  # fmt: skip
        ended = await self._sessions.end_many(end, call.riders)
        return answer(api.RevokeAnswer(ended.living, times.of_milliseconds(ended.cut.before_ms)))

    async def verify(self, call: Exchange) -> Answer:
        body: api.VerifyRequest = call.body
        issuer = await self._issuers.by_number(call.key.issuer)
        operation = None if body.operation is UNSET else body.operation
        fault = operations.fault_of_name(operation) if operation is not None else None
        if fault:
            raise invalid("operation", fault)
        return answer(await self._explaining.of(issuer, body.token, operation))

    async def own(self, call: Exchange) -> Answer:
        verified = await self._verifying.bearer(call.token)
        return answer(view_of(verified.known, int(self._clock())))

    async def end_own(self, call: Exchange) -> Answer:
        verified = await self._verifying.bearer(call.token, suspended_too=True)
        session_id = verified.row.public_id
        ending = self._sessions.ending(OWN_SESSION)
        at_ms, _ = await self._sessions.end_one(
            verified.issuer.number, session_id, ending, call.riders, where=call.where
        )
        return answer(api.Revoked(session_id, times.of_milliseconds(at_ms)))

    async def block(self, call: Exchange) -> Answer:
        customer_id = _customer_id(call)
        ending = self._sessions.ending(call.key.public_id)
        end = EndMany(
            call.key.issuer, Subject("user", customer_id), ending, block=True, must_exist=True, where=call.where
        )
        ended = await self._sessions.end_many(end, call.riders)
        before = times.of_milliseconds(ended.cut.before_ms)
        return answer(
            api.BlockAnswer(call.parameters["id"], blocked=ended.blocked, revoked=ended.living, before=before)
        )

    async def unblock(self, call: Exchange) -> Answer:
        unblock = Unblock(call.key.issuer, _customer_id(call), call.key.public_id, call.where)
        await self._sessions.unblock(unblock, call.riders)
        return answer(api.BlockAnswer(call.parameters["id"], blocked=False))

    async def revoke_user(self, call: Exchange) -> Answer:
        body: api.UserRevokeRequest = call.body
        call.key.require("manage" if body.block else "revoke")
        check_host_id("externalUserId", body.external_user_id)
        customer_id = self._derivation.customer_id(call.key.issuer, body.external_user_id)
        ending = self._sessions.ending(call.key.public_id)
        subject = Subject("user", customer_id)
        end = EndMany(
            call.key.issuer, subject, ending, block=body.block, external_user_id=body.external_user_id, remember=True,
            where=call.where,
        )  # fmt: skip
        ended = await self._sessions.end_many(end, call.riders)
        return answer(
            api.UserRevokeAnswer(
                customer_id=ids.encode(customers.WORD, customer_id),
                blocked=ended.blocked,
                revoked=ended.living,
                before=times.of_milliseconds(ended.cut.before_ms),
            )
        )

    def _subject(self, issuer: int, body: api.RevokeRequest) -> Subject:
        _only_one_named(body)
        if body.external_user_id is not UNSET:
            check_host_id("externalUserId", body.external_user_id)
            return Subject("user", self._derivation.customer_id(issuer, body.external_user_id))
        if body.external_organization_id is not UNSET:
            check_host_id("externalOrganizationId", body.external_organization_id)
            return Subject("organization", self._derivation.organization_key(issuer, body.external_organization_id))
        if body.api_key_id is not UNSET:
            key_id = ids.decode(api_keys.WORD, body.api_key_id)
            if key_id is None:
                raise NotFound("There is no such API key.")
            return Subject("api_key", key_id)
        return ALL

    def _issued_before(self, body: api.RevokeRequest) -> int | None:
        if body.issued_before is UNSET:
            return None
        try:
            moment = times.parse(body.issued_before)
        except ValueError as fault:
            raise invalid("issuedBefore", str(fault)) from None
        if moment > self._clock():
            raise invalid(
                "issuedBefore", "must not be in the future; leave it out to revoke all that was minted until now"
            )
        # Part of a millisecond counts as the whole of it: rather one session too many ends than one too few.
        return max(0, math.ceil(round(moment * 1_000_000) / 1000))

    def table(self) -> list[Route]:
        """Return the routes of this room."""
        sessions, tokens, customers_, browser = "Sessions", "Session tokens", "Customers", "In the browser"
        return [
            Route(method="POST", path="/v1/session-tokens", handler=self.mint, tag=tokens, can="mint", bucket="mints",
                  summary="Mint a session and its token", body=api.MintRequest, answers={201: api.MintAnswer},
                  creates=Creates(Made, self.mint_again),
                  codes=("INVALID_EXPIRATION", "INVALID_NOT_BEFORE", "CUSTOMER_BLOCKED", "JWT_CONFIGURATION_ERROR")),
            Route(method="POST", path="/sessions", handler=self.mint_for_analytics, tag=tokens, can="mint", bucket="mints",
                  summary="Mint by the contract of embedded analytics", body=api.AnalyticsRequest,
                  answers={201: api.AnalyticsAnswer}, creates=Creates(Made, self.mint_for_analytics_again),
                  codes=("INVALID_EXPIRATION", "INVALID_NOT_BEFORE", "CUSTOMER_BLOCKED", "JWT_CONFIGURATION_ERROR"),
                  note="A fixed session like every other: it can be listed, verified and revoked. Names are in snake_case "
                  "here. Times are ISO 8601; without an offset they are UTC."),
            Route(method="DELETE", path="/v1/session-tokens/{id}", handler=self.revoke_token, tag=tokens,
                  can="revoke", summary="End a session", answers={200: api.Revoked}, codes=("NOT_FOUND",)),
            Route(method="GET", path="/v1/sessions", handler=self.page, tag=sessions, can="read",
                  summary="List sessions, newest first", query=_LIST_QUERY, answers={200: api.SessionPage}),
            Route(method="GET", path="/v1/sessions/{id}", handler=self.get, tag=sessions, can="read",
                  summary="Get a session", answers={200: api.SessionView}, codes=("NOT_FOUND",)),
            Route(method="POST", path="/v1/sessions/revoke", handler=self.revoke, tag=sessions, can="revoke",
                  summary="End one session, or any number in one cheap write", body=api.RevokeRequest,
                  answers={200: api.RevokeAnswer}, codes=("NOT_FOUND",)),
            Route(method="POST", path="/v1/tokens/verify", handler=self.verify, tag=tokens, can="verify",
                  writes=False,
                  summary="Check a token and explain every step; or say why a session or a request was refused", body=api.VerifyRequest,
                  answers={200: api.VerifyAnswer}, codes=("NOT_FOUND",)),
            Route(method="GET", path="/v1/session", handler=self.own, tag=browser, caller="token", browser=True,
                  bucket="browser", summary="Who am I", answers={200: api.SessionView}),
            Route(method="DELETE", path="/v1/session", handler=self.end_own, tag=browser, caller="token", browser=True,
                  bucket="browser", summary="End my own session", answers={200: api.Revoked}),
            Route(method="POST", path="/v1/customers/{id}/block", handler=self.block, tag=customers_, can="manage",
                  summary="End a customer's sessions and refuse new ones", answers={200: api.BlockAnswer},
                  codes=("NOT_FOUND",)),
            Route(method="POST", path="/v1/customers/{id}/unblock", handler=self.unblock, tag=customers_,
                  can="manage", summary="Allow a blocked customer again", answers={200: api.BlockAnswer},
                  codes=("NOT_FOUND",)),
            Route(method="POST", path="/v1/users/revoke", handler=self.revoke_user, tag=customers_,
                  summary="The stolen-laptop call: end all sessions of a user", body=api.UserRevokeRequest,
                  answers={200: api.UserRevokeAnswer},
                  note="The API key needs `revoke`; with `block`, `manage`. Also for a user never seen."),
        ]  # fmt: skip


def _only_one_named(body: api.RevokeRequest) -> None:
    named = [
        name
        for name, value in (
            ("id", body.id),
            ("externalUserId", body.external_user_id),
            ("externalOrganizationId", body.external_organization_id),
            ("apiKeyId", body.api_key_id),
            ("all", body.all),
        )
        if value is not UNSET
    ]
    if len(named) != 1:
        rule = "send exactly one of id, externalUserId, externalOrganizationId, apiKeyId, all"
        raise ValidationFailed(f"The body names {len(named)} of them; {rule}.", details=(Detail("", rule),))


def _status(text: str | None) -> Status | None:
    if text is not None and text not in STATUSES:
        raise invalid("status", f"must be one of {', '.join(STATUSES)}")
    return text


def _customer_id(call: Exchange) -> bytes:
    customer_id = ids.decode(customers.WORD, call.parameters["id"])
    if customer_id is None:
        raise NotFound("There is no such customer.")
    return customer_id

"""The doors of renewable sessions: decode, call, encode."""

from __future__ import annotations

from msgspec import UNSET

from guestpass.core.recent_refreshes import Origin
from guestpass.errors import ERRORS, TokenError, TokenMissing, Unauthorized
from guestpass.server.customers.service import Derivation
from guestpass.server.http import paging
from guestpass.server.http.exchange import Answer, Exchange, answer
from guestpass.server.http.routes import Creates, Route
from guestpass.server.refresh import api
from guestpass.server.refresh.anomalies import Anomalies
from guestpass.server.refresh.model import LoggedIn
from guestpass.server.refresh.service import Leaving, Renewing
from guestpass.server.revocation.service import Subject
from guestpass.server.sessions.api import LoginRequest
from guestpass.server.sessions.policy import check_host_id, invalid
from guestpass.server.sessions.service import EndMany, Sessions

_OF_TOKEN = tuple(code for code, kind in ERRORS.items() if issubclass(kind, TokenError))
_ONE_CREDENTIAL = "An API key was sent beside a refresh token; send exactly one credential."


class RefreshRoutes:
    def __init__(
        self,
        renewing: Renewing,
        leaving: Leaving,
        sessions: Sessions,
        derivation: Derivation,
        anomalies: Anomalies,
    ) -> None:
        self._anomalies = anomalies
        self._renewing = renewing
        self._leaving = leaving
        self._sessions = sessions
        self._derivation = derivation

    async def login(self, call: Exchange) -> Answer:
        return answer(await self._renewing.login(call.key, call.body, call.riders), status=201)

    async def login_again(self, call: Exchange, made: LoggedIn) -> Answer:
        return answer(await self._renewing.login_again(call.key, made), status=201)

    async def refresh(self, call: Exchange) -> Answer:
        body: api.RefreshRequest = call.body
        if call.caller is not None:
            return answer(await self._lend(call, body))
        if body.session_id is not UNSET:
            raise Unauthorized("Only an API key names a session; a browser sends its refreshToken.")
        if body.refresh_token is UNSET:
            raise invalid("refreshToken", "is required")
        return answer(await self._renewing.refresh(body.refresh_token, origin_of(call), call.where))

    async def _lend(self, call: Exchange, body: api.RefreshRequest) -> api.AccessAnswer:
        call.key.require("mint")
        if body.refresh_token is not UNSET:
            raise Unauthorized(_ONE_CREDENTIAL)
        if body.session_id is UNSET:
            raise invalid("sessionId", "is required with an API key")
        return await self._renewing.lend(call.key, body.session_id, call.riders)

    async def logout(self, call: Exchange) -> Answer:
        body: api.LogoutRequest = call.body
        if call.caller is not None:
            return answer(api.LogoutAnswer(await self._logout_user(call, body)))
        if body.external_user_id is not UNSET:
            raise Unauthorized("Only an API key says whose sessions end; a token ends those of its own user.")
        if body.refresh_token is not UNSET:
            use, _ = await self._renewing.use_of(body.refresh_token, origin_of(call), call.where)
            ended = await self._leaving.with_refresh_token(use, everywhere=body.everywhere)
        elif call.token:
            ended = await self._leaving.with_access_token(call.token, call.where, everywhere=body.everywhere)
        else:
            raise TokenMissing("Send refreshToken in the body, or the access token as Bearer.")
        return answer(api.LogoutAnswer(ended))

    async def _logout_user(self, call: Exchange, body: api.LogoutRequest) -> int | None:
        call.key.require("revoke")
        if body.refresh_token is not UNSET:
            raise Unauthorized(_ONE_CREDENTIAL)
        if body.external_user_id is UNSET:
            raise invalid("externalUserId", "is required with an API key")
        if not body.everywhere:
            raise invalid("everywhere", "must be true with an API key: it ends all sessions of the user")
        check_host_id("externalUserId", body.external_user_id)
        subject = Subject("user", self._derivation.customer_id(call.key.issuer, body.external_user_id))
        ending = self._sessions.ending(call.key.public_id)
        end = EndMany(call.key.issuer, subject, ending, external_user_id=body.external_user_id, where=call.where)
        return (await self._sessions.end_many(end, call.riders)).living

    async def anomalies(self, call: Exchange) -> Answer:
        below, limit = paging.below(call.query), paging.limit(call.query)
        return answer(await self._anomalies.page(call.key.issuer, below=below, limit=limit))

    def table(self) -> list[Route]:
        """Return the routes of this room."""
        tag = "Renewable sessions"
        return [
            Route(method="POST", path="/v1/auth/login", handler=self.login, tag=tag, can="mint", bucket="mints",
                  summary="Open a renewable session", body=LoginRequest, answers={201: api.TokensAnswer},
                  creates=Creates(LoggedIn, self.login_again),
                  codes=("INVALID_NOT_BEFORE", "CUSTOMER_BLOCKED", "JWT_CONFIGURATION_ERROR")),
            Route(method="POST", path="/v1/auth/refresh", handler=self.refresh, tag=tag, caller="holder", browser=True,
                  bucket="refresh", key_bucket="mints", summary="Give a new pair of tokens for a refresh token", body=api.RefreshRequest,
                  answers={200: api.RefreshAnswer},
                  codes=("REFRESH_TOKEN_INVALID", "REFRESH_TOKEN_EXPIRED", "REFRESH_TOKEN_REVOKED",
                         "REFRESH_TOKEN_REUSED", "FORBIDDEN", "CUSTOMER_BLOCKED", "NOT_FOUND", "JWT_CONFIGURATION_ERROR"),
                  note="Always rotated. The token used last gives the same successor again within the project's grace. With "
                  "`sessionId` and an API key that can `mint`: an access token alone, and nothing is rotated or moved."),
            Route(method="POST", path="/v1/auth/logout", handler=self.logout, tag=tag, caller="holder", browser=True,
                  bucket="refresh", summary="End the session of a token, or every session of its user",
                  body=api.LogoutRequest, needs_body=False, answers={200: api.LogoutAnswer},
                  codes=("REFRESH_TOKEN_INVALID", "REFRESH_TOKEN_EXPIRED", "REFRESH_TOKEN_REVOKED",
                         "REFRESH_TOKEN_REUSED", "CUSTOMER_BLOCKED", "FORBIDDEN", *_OF_TOKEN),
                  note="With `refreshToken`, or with the access token as Bearer, which may be expired unless `everywhere` is "
                  "asked for. An API key needs `revoke`, and sends `everywhere` and `externalUserId`."),
            Route(method="GET", path="/v1/auth/anomalies", handler=self.anomalies, tag=tag, can="read",
                  summary="List refreshes that were odd, newest first", query=paging.query("Anomalies"),
                  answers={200: api.AnomalyPage},
                  note="Kept as long as ended sessions are. `evidence` says by what each was seen."),
        ]  # fmt: skip


def origin_of(call: Exchange) -> Origin:
    address = call.client_address
    return Origin.of(None if address is None else address.ip, call.header(b"user-agent"))

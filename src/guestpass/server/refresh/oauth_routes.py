"""Doors for standard OAuth clients: refresh (RFC 6749 section 6) and revoke (RFC 7009)."""

from __future__ import annotations

from msgspec import Struct

from guestpass.errors import GuestpassError, ServiceError, Unauthorized, ValidationFailed
from guestpass.server.api_keys.service import ApiKey
from guestpass.server.http.exchange import NO_STORE, Answer, Exchange, answer
from guestpass.server.http.routes import Route
from guestpass.server.refresh.routes import origin_of
from guestpass.server.refresh.service import BY_ITSELF, Leaving, Renewing
from guestpass.server.sessions.api import TokenForm
from guestpass.server.sessions.service import Sessions
from guestpass.server.sessions.verifying import Verifying

_GRANT = "refresh_token"
_NEVER_KEPT = (*NO_STORE, (b"pragma", b"no-cache"))  # RFC 6749 section 5.1


class GrantForm(Struct, frozen=True):
    """A refresh token to be exchanged. ``scope``: operations, joined by spaces; the access token has no others."""

    grant_type: str
    refresh_token: str = ""
    scope: str | None = None
    client_id: str | None = None
    client_secret: str | None = None


class Grant(Struct, frozen=True):
    """A pair of tokens, in the words of RFC 6749 section 5.1. ``scope``: operations, or ``*`` for all."""

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str
    scope: str


class Nothing(Struct, frozen=True):
    """An empty object."""


class OAuthRoutes:
    def __init__(self, renewing: Renewing, leaving: Leaving, sessions: Sessions, verifying: Verifying) -> None:
        self._renewing = renewing
        self._leaving = leaving
        self._sessions = sessions
        self._verifying = verifying

    async def token(self, call: Exchange) -> Answer:
        form: GrantForm = call.body
        if form.grant_type != _GRANT:
            raise _unsupported()
        if not form.refresh_token:
            raise ValidationFailed.of("refresh_token", "is required")
        use, issuer = await self._renewing.use_of(form.refresh_token, origin_of(call), call.where)
        _require_same_issuer(call.caller, issuer.number)
        pair = await self._renewing.rotate(use, issuer, call.riders, scope=form.scope)
        grant = Grant(
            access_token=pair.access.token,
            token_type="Bearer",  # noqa: S106 - RFC 6750
            expires_in=pair.access.expires_in,
            refresh_token=pair.refresh_token,
            scope=pair.access.scope,
        )
        return answer(grant, headers=_NEVER_KEPT)

    async def revoke(self, call: Exchange) -> Answer:
        """End the session of a good token, or of a refresh token; of any other there is nothing to end (RFC 7009 section 2.2)."""
        form: TokenForm = call.body
        if call.caller is not None:
            call.caller.require("revoke")
        by = BY_ITSELF if call.caller is None else call.caller.public_id
        try:
            if self._renewing.is_refresh_token(form.token):
                await self._end_by_refresh_token(call, form.token, by)
            else:
                await self._end_by_bearer(call, form.token, by)
        except GuestpassError as error:
            if isinstance(error, ServiceError | Unauthorized):
                raise
        return answer(Nothing())

    async def _end_by_refresh_token(self, call: Exchange, token: str, by: str) -> None:
        use, issuer = await self._renewing.use_of(token, origin_of(call), call.where)
        _require_same_issuer(call.caller, issuer.number)
        await self._leaving.with_refresh_token(use, by=by, riders=call.riders)

    async def _end_by_bearer(self, call: Exchange, token: str, by: str) -> None:
        verified = await self._verifying.bearer(token, suspended_too=True)
        _require_same_issuer(call.caller, verified.issuer.number)
        ending = self._sessions.ending(by)
        await self._sessions.end_one(
            verified.issuer.number, verified.row.public_id, ending, call.riders, where=call.where
        )

    def table(self) -> list[Route]:
        """Return the routes of this file."""
        tag = "Standard clients and proxies"
        return [
            Route(method="POST", path="/oauth/token", handler=self.token, tag=tag, caller="client", bucket="refresh",
                  summary="Refresh, as OAuth clients do (RFC 6749 section 6)", form=GrantForm, answers={200: Grant},
                  codes=("REFRESH_TOKEN_INVALID", "REFRESH_TOKEN_EXPIRED", "REFRESH_TOKEN_REVOKED",
                         "REFRESH_TOKEN_REUSED", "CUSTOMER_BLOCKED", "JWT_CONFIGURATION_ERROR"),
                  note="`grant_type` is `refresh_token`, and the token alone is enough. An API key, when sent, must be of the "
                  "token's project and environment. A refused token is 400 with `invalid_grant` here, and 401 elsewhere."),
            Route(method="POST", path="/oauth/revoke", handler=self.revoke, tag=tag, caller="client",
                  summary="End a token's session (RFC 7009)", form=TokenForm, answers={200: Nothing},
                  codes=("UNAUTHORIZED", "FORBIDDEN"),
                  note="A session, access or refresh token alone is enough. An API key, when sent, needs `revoke` and must be of "
                  "the token's project and environment. A token that is not good is answered 200 as well."),
        ]  # fmt: skip


def _unsupported() -> ValidationFailed:
    error = ValidationFailed.of("grant_type", f"must be {_GRANT}")
    error.oauth_error = "unsupported_grant_type"
    return error


def _require_same_issuer(caller: ApiKey | None, issuer: int) -> None:
    if caller is not None and caller.issuer != issuer:
        raise Unauthorized("This API key is not of the token's project and environment.")

"""Doors for standard clients and proxies: introspection (RFC 7662), forward-auth."""

from __future__ import annotations

from urllib.parse import quote

from msgspec import UNSET, Struct, UnsetType

from guestpass.core.tokens import operations
from guestpass.errors import (
    GuestpassError,
    NotFound,
    OperationNotAllowed,
    ServiceError,
    TokenProjectMismatch,
)
from guestpass.server.http.exchange import NO_STORE, Answer, Exchange, answer
from guestpass.server.http.routes import ANY_METHOD, Route
from guestpass.server.projects.service import DEFAULT_PROJECT, Issuer, Issuers
from guestpass.server.refusals.service import Refusals
from guestpass.server.sessions.api import TokenForm
from guestpass.server.sessions.verifying import Verified, Verifying

NO_OPERATION = "-"
_SAFE = "*.:_-@"  # in a header as it is; all else percent-encoded


class Introspection(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is true of an active token (RFC 7662 section 2.2). Of any other nothing is said but that it is not."""

    active: bool
    scope: str | UnsetType = UNSET
    client_id: str | UnsetType = UNSET
    token_type: str | UnsetType = UNSET
    exp: int | UnsetType = UNSET
    iat: int | UnsetType = UNSET
    nbf: int | UnsetType = UNSET
    sub: str | UnsetType = UNSET
    aud: str | UnsetType = UNSET
    iss: str | UnsetType = UNSET
    jti: str | UnsetType = UNSET
    sid: str | UnsetType = UNSET
    project_id: str | UnsetType = UNSET
    environment: str | UnsetType = UNSET
    organization_id: str | UnsetType = UNSET
    max_uses: int | UnsetType = UNSET


_INACTIVE = Introspection(active=False)


class StandardRoutes:
    def __init__(self, verifying: Verifying, issuers: Issuers, refusals: Refusals) -> None:
        self._refusals = refusals
        self._verifying = verifying
        self._issuers = issuers

    async def introspect(self, call: Exchange) -> Answer:
        form: TokenForm = call.body
        try:
            verified = await self._verifying.at(
                await self._issuers.by_number(call.key.issuer), form.token, suspended_too=True
            )
            await self._verifying.count_use(verified)
        except GuestpassError as error:
            if isinstance(error, ServiceError):
                raise
            self._refusals.note(error, request_id=call.request_id, route="POST /oauth/introspect")
            return answer(_INACTIVE)
        return answer(_introspection(verified))

    async def forward_auth(self, call: Exchange) -> Answer:
        path = call.parameters
        issuer = await self._issuer(path["environment"], path["project"])
        operation = None if path["operation"] == NO_OPERATION else path["operation"]
        if operation is not None and operations.fault_of_name(operation):
            raise OperationNotAllowed("The path of the proxy's check names no operation that there could be.")
        verified = await self._verifying.at(issuer, call.token, operation)
        await self._verifying.count_use(verified)
        return Answer(200, b"", NO_STORE + _identity(verified))

    async def _issuer(self, environment: str, project: str) -> Issuer:
        try:
            return await self._issuers.at(environment, None if project == DEFAULT_PROJECT else project)
        except NotFound:  # a proxy takes 401 and 403 for an answer, and all else for a fault
            raise TokenProjectMismatch(
                "The path of the proxy's check names no environment and project; the first project is `default`."
            ) from None

    def table(self) -> list[Route]:
        """Return the routes of this file."""
        tag = "Standard clients and proxies"
        return [
            Route(method="POST", path="/oauth/introspect", handler=self.introspect, tag=tag, caller="client",
                  can="verify", summary="Is this token good? (RFC 7662)", form=TokenForm, answers={200: Introspection},
                  writes=False,
                  codes=("UNAUTHORIZED", "FORBIDDEN"),
                  note='What is not active, for whatever reason, is exactly `{"active":false}`. A use of a token with '
                  "`maxUses` is counted."),
            Route(method=ANY_METHOD, path="/v1/forward-auth/{environment}/{project}/{operation}",
                  handler=self.forward_auth, tag=tag, caller="token", is_proxied=True, answers={200: None}, writes=False,
                  summary="May this request pass? For nginx, Traefik, Envoy", codes=("OPERATION_NOT_ALLOWED",),
                  note="Any method. `project` is `default` or `proj_…`; `operation` is `-` for none. Whatever follows the "
                  "path, the query and the body are not read. 200 carries `X-Guestpass-User`, `-Organization`, "
                  "`-Operations`, `-Session`, `-Project`, `-Environment`, percent-encoded, empty where there is none."),
        ]  # fmt: skip


def _introspection(verified: Verified) -> Introspection:
    claims = verified.claims
    return Introspection(
        active=True,
        scope=verified.scope,
        client_id=claims.client_id,
        token_type="Bearer",  # noqa: S106 - RFC 6750
        exp=claims.exp,
        iat=claims.iat,
        nbf=claims.nbf,
        sub=claims.sub,
        aud=claims.aud,
        iss=claims.iss,
        jti=claims.jti,
        sid=claims.sid,
        project_id=claims.project_id,
        environment=claims.environment,
        organization_id=claims.organization_id,
        max_uses=claims.max_uses,
    )


def _identity(verified: Verified) -> tuple[tuple[bytes, bytes], ...]:
    row, issuer = verified.row, verified.issuer
    values = (
        (b"x-guestpass-user", row.external_user_id),
        (b"x-guestpass-organization", row.external_organization_id or ""),
        (b"x-guestpass-operations", verified.scope),
        (b"x-guestpass-session", row.public_id),
        (b"x-guestpass-project", issuer.project.id),
        (b"x-guestpass-environment", issuer.environment),
    )
    return tuple((name, quote(value, safe=_SAFE).encode()) for name, value in values)

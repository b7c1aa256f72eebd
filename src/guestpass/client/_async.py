"""``AsyncGuestpass``: the same names and plans as ``Guestpass``, awaited."""
# ruff: noqa: A002  the service's own field names, `id` and `all`, are the names a user will guess

from __future__ import annotations

from typing import TYPE_CHECKING, Self, Unpack

from guestpass.client import _requests as requests
from guestpass.client._reminder import UnboundCustomersReminder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from datetime import datetime

    import httpx2

    from guestpass.client import results
    from guestpass.client._callers import AsyncCaller
    from guestpass.client._exchange import Seams


class AsyncGuestpass:
    """:class:`Guestpass` with every call awaited, on asyncio or trio: same arguments, results and errors.

    ``http_client`` is an ``httpx2.AsyncClient``. Close it with ``await gp.close()`` or ``async with``.
    """

    def __init__(  # noqa: PLR0913  options, given by name
        self,
        secret_key: str | None = None,
        *,
        base_url: str | None = None,
        signing_key_id: str | None = None,
        timeout_seconds: float = 10.0,
        connect_timeout_seconds: float = 2.0,
        max_retries: int = 2,
        http_client: httpx2.AsyncClient | None = None,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        seams: Seams | None = None,
    ) -> None:
        from guestpass.client import _callers as callers  # noqa: PLC0415  it loads httpx2

        exchange = callers.open_exchange(secret_key, base_url, signing_key_id, max_retries=max_retries, seams=seams)
        patience = callers.checked_patience(timeout_seconds, connect_timeout_seconds)
        self._caller = callers.AsyncCaller(exchange, patience, http_client, sleep)
        self.session_tokens = AsyncSessionTokens(self._caller)
        self.sessions = AsyncSessions(self._caller)
        self.tokens = AsyncTokens(self._caller)
        self.customers = AsyncCustomers(self._caller)
        self.users = AsyncUsers(self._caller)
        self.api_keys = AsyncApiKeys(self._caller)
        self.audit_events = AsyncAuditEvents(self._caller)
        self.auth = AsyncAuth(self._caller)

    @property
    def environment(self) -> str:
        """``test`` or ``live``."""
        return self._caller.exchange.connection.environment

    @property
    def secret_key(self) -> str:
        """The API key itself, for whoever derives from it, as the session routes do. Keep it from logs."""
        return self._caller.exchange.connection.secret_key

    async def create_session_token(
        self,
        *,
        external_user_id: str,
        **options: Unpack[requests.SessionTokenOptions],
    ) -> results.SessionToken:
        """Open a session for one user and return its token; short for ``session_tokens.create``."""
        return await self.session_tokens.create(external_user_id=external_user_id, **options)

    async def revoke_session_token(self, id: str) -> results.RevokedSessionToken:
        """End the session ``sess_…``; short for ``session_tokens.revoke``."""
        return await self.session_tokens.revoke(id)

    async def close(self) -> None:
        """Close the connections this client opened."""
        await self._caller.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return (
            f"AsyncGuestpass(base_url={self._caller.exchange.connection.base_url!r}, environment={self.environment!r})"
        )


class AsyncSessionTokens:
    """Opening and ending sessions with one token each."""

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller
        self._reminder = UnboundCustomersReminder()

    async def create(
        self,
        *,
        external_user_id: str,
        **options: Unpack[requests.SessionTokenOptions],
    ) -> results.SessionToken:
        """As :meth:`SessionTokens.create`."""
        token = await self._caller.call(requests.create_session_token(external_user_id, **options))
        self._reminder.look_at(token, email=options.get("email"))
        return token

    async def revoke(self, id: str) -> results.RevokedSessionToken:
        """End the session ``sess_…`` now; the same answer when repeated. Raises: NotFound."""
        return await self._caller.call(requests.revoke_session_token(id))


class AsyncSessions:
    """Every session of the key's project and environment."""

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    def list(
        self,
        *,
        external_user_id: str | None = None,
        external_organization_id: str | None = None,
        status: requests.SessionStatus | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[results.SessionDetails]:
        """As :meth:`Sessions.list`, for ``async for``."""
        return self._caller.pages(
            requests.list_sessions(
                external_user_id=external_user_id,
                external_organization_id=external_organization_id,
                status=status,
                limit=limit,
            ),
        )

    async def get(self, id: str) -> results.SessionDetails:
        """Return the session ``sess_…``. Raises: NotFound."""
        return await self._caller.call(requests.get_session(id))

    async def revoke(
        self,
        id: str | None = None,
        *,
        external_user_id: str | None = None,
        external_organization_id: str | None = None,
        api_key_id: str | None = None,
        all: bool = False,
        issued_before: datetime | None = None,
        reissue: bool = False,
    ) -> results.Revocation:
        """As :meth:`Sessions.revoke`."""
        return await self._caller.call(
            requests.revoke_sessions(
                id=id,
                external_user_id=external_user_id,
                external_organization_id=external_organization_id,
                api_key_id=api_key_id,
                all=all,
                issued_before=issued_before,
                reissue=reissue,
            ),
        )


class AsyncTokens:
    """Asking the service about a token."""

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def verify(self, token: str, operation: str | None = None) -> results.Verification:
        """As :meth:`Tokens.verify`."""
        return await self._caller.call(requests.verify_token(token, operation))


class AsyncCustomers:
    """Your end users, by the service's own id ``cust_…``."""

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def block(self, id: str) -> results.CustomerBlock:
        """End the customer's sessions and refuse new ones until :meth:`unblock`. Raises: NotFound."""
        return await self._caller.call(requests.block_customer(id))

    async def unblock(self, id: str) -> results.CustomerBlock:
        """Let sessions be opened again; ended ones stay ended. Raises: NotFound."""
        return await self._caller.call(requests.unblock_customer(id))


class AsyncUsers:
    """Your end users, by your own id."""

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def revoke(self, external_user_id: str, *, block: bool = False) -> results.UserRevocation:
        """End every session of a user, also of one never seen; with ``block``, refuse new ones too."""
        return await self._caller.call(requests.revoke_user(external_user_id, block=block))


class AsyncApiKeys:
    """API keys of your project and environment, for a key that can ``manage``; never beyond what it can itself."""

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    def list(self, *, limit: int | None = None) -> AsyncIterator[results.ApiKey]:
        """As :meth:`ApiKeys.list`, for ``async for``."""
        return self._caller.pages(requests.list_api_keys(limit=limit))

    async def get(self, id: str) -> results.ApiKey:
        """Return the key ``key_…``. Raises: NotFound."""
        return await self._caller.call(requests.get_api_key(id))

    async def create(
        self, *, name: str, signing: bool = False, **options: Unpack[requests.ApiKeyOptions]
    ) -> results.NewApiKey:
        """As :meth:`ApiKeys.create`."""
        return await self._caller.call(requests.create_api_key(name, signing=signing, **options))

    async def edit(
        self, id: str, *, name: str | None = None, **options: Unpack[requests.ApiKeyOptions]
    ) -> results.ApiKey:
        """As :meth:`ApiKeys.edit`."""
        return await self._caller.call(requests.edit_api_key(id, name=name, **options))

    async def rotate(self, id: str, *, overlap_seconds: int | None = None) -> results.NewApiKey:
        """As :meth:`ApiKeys.rotate`."""
        return await self._caller.call(requests.rotate_api_key(id, overlap_seconds=overlap_seconds))

    async def revoke(self, id: str, *, keep_sessions: bool = False) -> results.ApiKey:
        """End a key for good and, unless ``keep_sessions``, every session that it minted. Raises: NotFound."""
        return await self._caller.call(requests.revoke_api_key(id, keep_sessions=keep_sessions))


class AsyncAuditEvents:
    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    def list(
        self, *, action: str | None = None, target: str | None = None, limit: int | None = None
    ) -> AsyncIterator[results.AuditEvent]:
        """As :meth:`AuditEvents.list`, for ``async for``."""
        return self._caller.pages(requests.list_audit_events(action=action, target=target, limit=limit))


class AsyncAuth:
    """Renewable sessions: short-lived access tokens, and a refresh token that gets the next."""

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def login(self, *, external_user_id: str, **options: Unpack[requests.LoginOptions]) -> results.TokenPair:
        """As :meth:`Auth.login`."""
        return await self._caller.call(requests.login(external_user_id, **options))

    async def refresh(self, *, refresh_token: str) -> results.TokenPair:
        """As :meth:`Auth.refresh`."""
        return await self._caller.call(requests.refresh(refresh_token))

    async def access_token(self, *, session_id: str) -> results.AccessToken:
        """As :meth:`Auth.access_token`."""
        return await self._caller.call(requests.access_token(session_id))

    async def logout(
        self,
        *,
        refresh_token: str | None = None,
        access_token: str | None = None,
        external_user_id: str | None = None,
        everywhere: bool = False,
    ) -> results.Logout:
        """As :meth:`Auth.logout`."""
        return await self._caller.call(
            requests.logout(
                refresh_token=refresh_token,
                access_token=access_token,
                external_user_id=external_user_id,
                everywhere=everywhere,
            ),
        )

    def anomalies(self, *, limit: int | None = None) -> AsyncIterator[results.Anomaly]:
        """As :meth:`Auth.anomalies`, for ``async for``."""
        return self._caller.pages(requests.list_anomalies(limit=limit))

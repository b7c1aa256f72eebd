"""``Guestpass``: the plans of ``_requests``, sent one after the other."""
# ruff: noqa: A002  the service's own field names, `id` and `all`, are the names a user will guess

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self, Unpack

from guestpass.client import _requests as requests
from guestpass.client._reminder import UnboundCustomersReminder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    import httpx2

    from guestpass.client import results
    from guestpass.client._callers import Caller
    from guestpass.client._exchange import Seams


class Guestpass:
    """Calls a Guestpass server from your backend. Thread-safe; make one and keep it.

    Args:
        secret_key: ``sk_test_…`` or ``sk_live_…``; else ``GUESTPASS_SECRET_KEY``. The key decides the environment.
        base_url: Of the server; else ``GUESTPASS_URL``, else ``http://127.0.0.1:8787``.
        signing_key_id: The id ``key_…`` of a key that was made with signing on: every request is then signed with
            the secret (``X-API-Signature``, with a new nonce each try) instead of carrying it.
        timeout_seconds: Of silence in one try, above 0.
        connect_timeout_seconds: To reach the server in one try, above 0.
        max_retries: Tries after the first, 0 to 10.
        http_client: Your own ``httpx2.Client``, for a proxy, certificates or tests; closing it stays yours.
        sleep, seams: For tests: how to wait (seconds), chance, clock, keys and nonces.

    Raises: Unauthorized for a missing or wrong kind of key; ValidationFailed for another argument out of bounds.

    Every call raises the class of :mod:`guestpass.errors` that fits the answer, and ``Unavailable`` when none came.
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
        http_client: httpx2.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
        seams: Seams | None = None,
    ) -> None:
        from guestpass.client import _callers as callers  # noqa: PLC0415  it loads httpx2

        exchange = callers.open_exchange(secret_key, base_url, signing_key_id, max_retries=max_retries, seams=seams)
        patience = callers.checked_patience(timeout_seconds, connect_timeout_seconds)
        self._caller = callers.Caller(exchange, patience, http_client, sleep)
        self.session_tokens = SessionTokens(self._caller)
        self.sessions = Sessions(self._caller)
        self.tokens = Tokens(self._caller)
        self.customers = Customers(self._caller)
        self.users = Users(self._caller)
        self.api_keys = ApiKeys(self._caller)
        self.audit_events = AuditEvents(self._caller)
        self.auth = Auth(self._caller)

    @property
    def environment(self) -> str:
        """``test`` or ``live``."""
        return self._caller.exchange.connection.environment

    @property
    def secret_key(self) -> str:
        """The API key itself, for whoever derives from it, as the session routes do. Keep it from logs."""
        return self._caller.exchange.connection.secret_key

    def create_session_token(
        self,
        *,
        external_user_id: str,
        **options: Unpack[requests.SessionTokenOptions],
    ) -> results.SessionToken:
        """Open a session for one user and return its token; short for ``session_tokens.create``."""
        return self.session_tokens.create(external_user_id=external_user_id, **options)

    def revoke_session_token(self, id: str) -> results.RevokedSessionToken:
        """End the session ``sess_…``; short for ``session_tokens.revoke``."""
        return self.session_tokens.revoke(id)

    def close(self) -> None:
        """Close the connections this client opened."""
        self._caller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Guestpass(base_url={self._caller.exchange.connection.base_url!r}, environment={self.environment!r})"


class SessionTokens:
    """Opening and ending sessions with one token each."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._reminder = UnboundCustomersReminder()

    def create(
        self,
        *,
        external_user_id: str,
        **options: Unpack[requests.SessionTokenOptions],
    ) -> results.SessionToken:
        """Open a session for one user and return its token, which is answered this once.

        Args:
            external_user_id: Your own id of the user, 1 to 255 characters, compared exactly.
            options: ``email``, ``email_verified``, ``external_organization_id``, ``expires_in`` (seconds, 60 to
                86 400, default 3 600), ``not_before``, ``allowed_operations``, ``metadata``, ``format``, ``max_uses``;
                see :class:`SessionTokenOptions`.

        Raises: ValidationFailed, InvalidExpiration, InvalidNotBefore, CustomerBlocked, Forbidden when nothing
            of ``allowed_operations`` is within the key's, RateLimited.
        """
        token = self._caller.call(requests.create_session_token(external_user_id, **options))
        self._reminder.look_at(token, email=options.get("email"))
        return token

    def revoke(self, id: str) -> results.RevokedSessionToken:
        """End the session ``sess_…`` now; the same answer when repeated. Raises: NotFound."""
        return self._caller.call(requests.revoke_session_token(id))


class Sessions:
    """Every session of the key's project and environment."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(
        self,
        *,
        external_user_id: str | None = None,
        external_organization_id: str | None = None,
        status: requests.SessionStatus | None = None,
        limit: int | None = None,
    ) -> Iterator[results.SessionDetails]:
        """Iterate over all sessions that fit every filter given, asking for page after page as you go.

        ``limit`` is the size of a page, 1 to 100, by default 20; not of the whole. A session opened less than
        1 s ago may be missing; :meth:`get` always finds it.
        """
        return self._caller.pages(
            requests.list_sessions(
                external_user_id=external_user_id,
                external_organization_id=external_organization_id,
                status=status,
                limit=limit,
            ),
        )

    def get(self, id: str) -> results.SessionDetails:
        """Return the session ``sess_…``. Raises: NotFound."""
        return self._caller.call(requests.get_session(id))

    def revoke(
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
        """End the sessions that one selector names: what was minted before the answer is dead.

        Args:
            id: One session, ``sess_…``.
            external_user_id: All sessions of one user.
            external_organization_id: All sessions of one organization.
            api_key_id: All sessions that one API key opened, ``key_…``.
            all: True for every session of the project in this environment.
            issued_before: Aware, not in the future; spare what was minted from then on.
            reissue: Tell browsers to fetch a new token at once. Without it their users stay out; to keep your
                own backend from minting again, block the customer.

        Raises: ValidationFailed unless exactly one selector is given.
        """
        return self._caller.call(
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


class Tokens:
    """Asking the service about a token."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def verify(self, token: str, operation: str | None = None) -> results.Verification:
        """Return the verdict on a token, true only if it is valid, with the checklist. It counts as no use.

        A token that is not valid is an answer, not an error.
        """
        return self._caller.call(requests.verify_token(token, operation))


class Customers:
    """Your end users, by the service's own id ``cust_…``."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def block(self, id: str) -> results.CustomerBlock:
        """End the customer's sessions and refuse new ones until :meth:`unblock`. Raises: NotFound."""
        return self._caller.call(requests.block_customer(id))

    def unblock(self, id: str) -> results.CustomerBlock:
        """Let sessions be opened again; ended ones stay ended. Raises: NotFound."""
        return self._caller.call(requests.unblock_customer(id))


class Users:
    """Your end users, by your own id."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def revoke(self, external_user_id: str, *, block: bool = False) -> results.UserRevocation:
        """End every session of a user, also of one never seen; with ``block``, refuse new ones too."""
        return self._caller.call(requests.revoke_user(external_user_id, block=block))


class ApiKeys:
    """API keys of your project and environment, for a key that can ``manage``; never beyond what it can itself."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(self, *, limit: int | None = None) -> Iterator[results.ApiKey]:
        """Iterate over all keys, the newest first, also what has ended. ``limit`` is the size of a page."""
        return self._caller.pages(requests.list_api_keys(limit=limit))

    def get(self, id: str) -> results.ApiKey:
        """Return the key ``key_…``. Raises: NotFound."""
        return self._caller.call(requests.get_api_key(id))

    def create(
        self, *, name: str, signing: bool = False, **options: Unpack[requests.ApiKeyOptions]
    ) -> results.NewApiKey:
        """Make a key and return it with its secret, which is answered this once.

        Args:
            name: For people.
            signing: Let requests be signed with it; its secret is then kept, sealed.
            options: ``can``, ``operations``, ``ip_ranges``, ``expires_at``: what is not given is as your own key's;
                see :class:`ApiKeyOptions`.

        Raises: ValidationFailed; Forbidden when something of it is more than your own key has.
        """
        return self._caller.call(requests.create_api_key(name, signing=signing, **options))

    def edit(self, id: str, *, name: str | None = None, **options: Unpack[requests.ApiKeyOptions]) -> results.ApiKey:
        """Change what is given of a key: its name, or what it may do. Every server follows within a second.

        Raises: NotFound; Conflict when it has ended; Forbidden when it is, or would be, more than your own.
        """
        return self._caller.call(requests.edit_api_key(id, name=name, **options))

    def rotate(self, id: str, *, overlap_seconds: int | None = None) -> results.NewApiKey:
        """Give a key a new secret, answered this once; sessions live on.

        ``overlap_seconds``: how long older secrets work on, 0 to 604 800, by default 86 400.

        Raises: NotFound; Conflict when it has ended or five secrets work; Forbidden when it can do more than yours.
        """
        return self._caller.call(requests.rotate_api_key(id, overlap_seconds=overlap_seconds))

    def revoke(self, id: str, *, keep_sessions: bool = False) -> results.ApiKey:
        """End a key for good and, unless ``keep_sessions``, every session that it minted. Raises: NotFound."""
        return self._caller.call(requests.revoke_api_key(id, keep_sessions=keep_sessions))


class AuditEvents:
    """Who did what in your project and environment; your key needs ``read``."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(
        self, *, action: str | None = None, target: str | None = None, limit: int | None = None
    ) -> Iterator[results.AuditEvent]:
        """Iterate over events that fit every filter given, the newest first. ``limit`` is the size of a page."""
        return self._caller.pages(requests.list_audit_events(action=action, target=target, limit=limit))


class Auth:
    """Renewable sessions: short-lived access tokens, and a refresh token that gets the next."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def login(self, *, external_user_id: str, **options: Unpack[requests.LoginOptions]) -> results.TokenPair:
        """Open a renewable session for a user whom you have signed in; it ends suspended ones of the same user.

        Args:
            external_user_id: Your own id of the user, 1 to 255 characters, compared exactly.
            options: ``email``, ``email_verified``, ``external_organization_id``, ``not_before``, ``allowed_operations``,
                ``metadata``; see :class:`LoginOptions`.

        Raises: ValidationFailed, InvalidNotBefore, CustomerBlocked, Forbidden when nothing of ``allowed_operations`` is
            within the key's, RateLimited.
        """
        return self._caller.call(requests.login(external_user_id, **options))

    def refresh(self, *, refresh_token: str) -> results.TokenPair:
        """Use a refresh token; it is answered the next one, and an access token.

        Trying again after a lost answer is safe: for 30 s the same token is answered the same successor. So a try takes
        at most 8 s, and none is made that could come later. The API key is not sent.

        Raises: RefreshTokenInvalid, RefreshTokenExpired, RefreshTokenRevoked; RefreshTokenReused when the token was used
            before, which ends its session; CustomerBlocked.
        """
        return self._caller.call(requests.refresh(refresh_token))

    def access_token(self, *, session_id: str) -> results.AccessToken:
        """Get an access token of the session ``sess_…`` by your API key. Nothing is rotated, and no end moves.

        Raises: NotFound; RefreshTokenExpired or RefreshTokenRevoked when it has ended; CustomerBlocked; Forbidden when
            your key may grant none of its operations.
        """
        return self._caller.call(requests.access_token(session_id))

    def logout(
        self,
        *,
        refresh_token: str | None = None,
        access_token: str | None = None,
        external_user_id: str | None = None,
        everywhere: bool = False,
    ) -> results.Logout:
        """End the session that exactly one of the arguments names; with ``everywhere``, all of its user's.

        An older refresh token of yours, or an expired access token, ends its own session, never all. With
        ``external_user_id`` your API key decides, and ``everywhere`` has to be True.

        Raises: RefreshTokenInvalid or another of its family; TokenError of an access token.
        """
        return self._caller.call(
            requests.logout(
                refresh_token=refresh_token,
                access_token=access_token,
                external_user_id=external_user_id,
                everywhere=everywhere,
            ),
        )

    def anomalies(self, *, limit: int | None = None) -> Iterator[results.Anomaly]:
        """Iterate over refreshes that were odd, the newest first. ``limit`` is the size of a page, 1 to 100."""
        return self._caller.pages(requests.list_anomalies(limit=limit))

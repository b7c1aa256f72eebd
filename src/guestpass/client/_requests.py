"""Every call of the SDK as a plan. Both clients are built on these; nothing here does IO."""
# ruff: noqa: A002  the service's own field names, `id` and `all`, are the names a user will guess

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from guestpass.client import results
from guestpass.client._plan import NO_TOKEN, NULL, Grace, Plan, json_body, path_id, query_of
from guestpass.errors import Detail, ValidationFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

Can = Literal["mint", "read", "revoke", "verify", "manage"]
SessionStatus = Literal["scheduled", "active", "expired", "revoked", "suspended"]


# The server repeats the answer of a refresh for 30 s: room for three tries with what they wait between them.
REFRESH_GRACE = Grace(seconds=30.0, try_seconds=8.0)


class LoginOptions(TypedDict, total=False):
    """What a new session may be given besides its user. None is the same as not given.

    Keys:
        email: Binds an imported customer on first use, when it is verified.
        email_verified: That you checked that the user owns ``email``.
        external_organization_id: 1 to 255 characters.
        not_before: When its life begins; aware, at most 60 s past, before its end.
        allowed_operations: Names; not given: all that your key may, empty: none. At most 64, and 1 024 bytes together.
        metadata: At most 16 KiB of JSON; shown to you, never inside the token.
    """

    email: str | None
    email_verified: bool | None
    external_organization_id: str | None
    not_before: datetime | None
    allowed_operations: Iterable[str] | None
    metadata: Mapping[str, Any] | None


class SessionTokenOptions(LoginOptions, total=False):
    """What a session of one token may be given besides: its life is settled when it is opened.

    Keys:
        expires_in: Whole seconds from issue, 60 to 86 400; 3 600 when not given.
        format: ``jwt`` (default), or ``opaque`` for a token that only the service can read.
        max_uses: How often it may be used, 1 or more.
    """

    expires_in: int | None
    format: Literal["jwt", "opaque"] | None
    max_uses: int | None


class ApiKeyOptions(TypedDict, total=False):
    """What an API key may do. None is the same as not given: of a new key then as your own, of an edit as it is.

    Keys:
        can: What it may call.
        operations: The most that its tokens may do; ``["*"]``: everything.
        ip_ranges: Networks that it may be used from, like ``10.0.0.0/8``; ``"any"``: from anywhere.
        expires_at: Aware, in the future; ``"never"``: it has no end.
    """

    can: Iterable[Can] | None
    operations: Iterable[str] | None
    ip_ranges: Iterable[str] | Literal["any"] | None
    expires_at: datetime | Literal["never"] | None


def create_session_token(external_user_id: str, **options: Unpack[SessionTokenOptions]) -> Plan[results.SessionToken]:
    _check_known(
        options, SessionTokenOptions, "session_tokens.create() has no argument {}; it takes external_user_id, {}"
    )
    body = json_body({"external_user_id": external_user_id, **options})
    return Plan("POST", "/v1/session-tokens", results.SessionToken, body, changes=True)


def revoke_session_token(id: str) -> Plan[results.RevokedSessionToken]:
    return Plan("DELETE", f"/v1/session-tokens/{path_id(id, like='sess_')}", results.RevokedSessionToken)


def list_sessions(
    *,
    external_user_id: str | None,
    external_organization_id: str | None,
    status: SessionStatus | None,
    limit: int | None,
) -> Plan[results.Page[results.SessionDetails]]:
    filters = query_of(
        {
            "external_user_id": external_user_id,
            "external_organization_id": external_organization_id,
            "status": status,
            "limit": limit,
        },
    )
    return Plan("GET", "/v1/sessions", results.Page[results.SessionDetails], query=filters)


def get_session(id: str) -> Plan[results.SessionDetails]:
    return Plan("GET", f"/v1/sessions/{path_id(id, like='sess_')}", results.SessionDetails)


def revoke_sessions(
    *,
    id: str | None,
    external_user_id: str | None,
    external_organization_id: str | None,
    api_key_id: str | None,
    all: bool,
    issued_before: datetime | None,
    reissue: bool,
) -> Plan[results.Revocation]:
    selectors = {
        "id": id,
        "external_user_id": external_user_id,
        "external_organization_id": external_organization_id,
        "api_key_id": api_key_id,
        "all": True if all is True else None,
    }
    given = {name: value for name, value in selectors.items() if value is not None}
    # A variable that happens to be None must never widen what is revoked.
    if len(given) != 1:
        rule = f"give exactly one of {', '.join(selectors)}"
        raise ValidationFailed(f"sessions.revoke() cannot tell what to end: {rule}.", details=(Detail("", rule),))
    body = json_body({**given, "issued_before": issued_before, "reissue": reissue or None})
    return Plan("POST", "/v1/sessions/revoke", results.Revocation, body, changes=True)


def verify_token(token: str, operation: str | None) -> Plan[results.Verification]:
    return Plan("POST", "/v1/tokens/verify", results.Verification, json_body({"token": token, "operation": operation}))


def block_customer(id: str) -> Plan[results.CustomerBlock]:
    path = f"/v1/customers/{path_id(id, like='cust_')}/block"
    return Plan("POST", path, results.CustomerBlock, changes=True)


def unblock_customer(id: str) -> Plan[results.CustomerBlock]:
    path = f"/v1/customers/{path_id(id, like='cust_')}/unblock"
    return Plan("POST", path, results.CustomerBlock, changes=True)


def revoke_user(external_user_id: str, *, block: bool) -> Plan[results.UserRevocation]:
    body = json_body({"external_user_id": external_user_id, "block": block or None})
    return Plan("POST", "/v1/users/revoke", results.UserRevocation, body, changes=True)


def list_api_keys(*, limit: int | None) -> Plan[results.Page[results.ApiKey]]:
    return Plan("GET", "/v1/api-keys", results.Page[results.ApiKey], query=query_of({"limit": limit}))


def get_api_key(id: str) -> Plan[results.ApiKey]:
    return Plan("GET", f"/v1/api-keys/{path_id(id, like='key_')}", results.ApiKey)


def create_api_key(name: str, *, signing: bool, **options: Unpack[ApiKeyOptions]) -> Plan[results.NewApiKey]:
    _check_known(options, ApiKeyOptions, "api_keys.create() has no argument {}; it takes name, signing, {}")
    body = json_body({"name": name, "signing": signing or None, **_with_nulls(options)})
    return Plan("POST", "/v1/api-keys", results.NewApiKey, body, changes=True)


def edit_api_key(id: str, *, name: str | None, **options: Unpack[ApiKeyOptions]) -> Plan[results.ApiKey]:
    _check_known(options, ApiKeyOptions, "api_keys.edit() has no argument {}; it takes id, name, {}")
    body = json_body({"name": name, **_with_nulls(options)})
    return Plan("POST", f"/v1/api-keys/{path_id(id, like='key_')}", results.ApiKey, body, changes=True)


def rotate_api_key(id: str, *, overlap_seconds: int | None) -> Plan[results.NewApiKey]:
    path = f"/v1/api-keys/{path_id(id, like='key_')}/rotate"
    return Plan("POST", path, results.NewApiKey, json_body({"overlap_seconds": overlap_seconds}), changes=True)


def revoke_api_key(id: str, *, keep_sessions: bool) -> Plan[results.ApiKey]:
    path = f"/v1/api-keys/{path_id(id, like='key_')}/revoke"
    return Plan("POST", path, results.ApiKey, json_body({"keep_sessions": keep_sessions or None}), changes=True)


def login(external_user_id: str, **options: Unpack[LoginOptions]) -> Plan[results.TokenPair]:
    _check_known(options, LoginOptions, "auth.login() has no argument {}; it takes external_user_id, {}")
    body = json_body({"external_user_id": external_user_id, **options})
    return Plan("POST", "/v1/auth/login", results.TokenPair, body, changes=True)


def refresh(refresh_token: str) -> Plan[results.TokenPair]:
    body = json_body({"refresh_token": refresh_token})
    return Plan("POST", "/v1/auth/refresh", results.TokenPair, body, grace=REFRESH_GRACE, token=NO_TOKEN)


def access_token(session_id: str) -> Plan[results.AccessToken]:
    return Plan("POST", "/v1/auth/refresh", results.AccessToken, json_body({"session_id": session_id}))


def logout(
    *, refresh_token: str | None, access_token: str | None, external_user_id: str | None, everywhere: bool
) -> Plan[results.Logout]:
    given = {"refresh_token": refresh_token, "access_token": access_token, "external_user_id": external_user_id}
    # A variable that happens to be None must not end another session than was meant, nor all of a user's.
    if sum(value is not None for value in given.values()) != 1:
        rule = f"give exactly one of {', '.join(given)}"
        raise ValidationFailed(f"auth.logout() cannot tell what to end: {rule}.", details=(Detail("", rule),))
    if external_user_id is not None and everywhere is not True:
        raise ValidationFailed.of("everywhere", "must be True with external_user_id: it ends all that the user has")
    path, everywhere_or_not = "/v1/auth/logout", everywhere or None
    if access_token is not None:
        return Plan("POST", path, results.Logout, json_body({"everywhere": everywhere_or_not}), token=access_token)
    if refresh_token is not None:
        body = json_body({"refresh_token": refresh_token, "everywhere": everywhere_or_not})
        return Plan("POST", path, results.Logout, body, token=NO_TOKEN)
    body = json_body({"external_user_id": external_user_id, "everywhere": True})
    return Plan("POST", path, results.Logout, body, changes=True)


def list_audit_events(
    *, action: str | None, target: str | None, limit: int | None
) -> Plan[results.Page[results.AuditEvent]]:
    query = query_of({"action": action, "target": target, "limit": limit})
    return Plan("GET", "/v1/audit-events", results.Page[results.AuditEvent], query=query)


def list_anomalies(*, limit: int | None) -> Plan[results.Page[results.Anomaly]]:
    return Plan("GET", "/v1/auth/anomalies", results.Page[results.Anomaly], query=query_of({"limit": limit}))


def _with_nulls(options: ApiKeyOptions) -> dict[str, Any]:
    """Say null for the words that lift a bound."""
    lifts = {("ip_ranges", "any"), ("expires_at", "never")}
    return {
        name: NULL if isinstance(value, str) and (name, value) in lifts else value for name, value in options.items()
    }


def _check_known(options: Mapping[str, Any], shape: type, sentence: str) -> None:
    """Raises: TypeError, as Python does for an argument that there is not."""
    unknown = sorted(options.keys() - shape.__annotations__.keys())
    if unknown:
        raise TypeError(sentence.format(repr(unknown[0]), ", ".join(shape.__annotations__)))

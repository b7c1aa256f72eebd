"""What each method sends, and what it makes of the answer; the same for both clients."""

import inspect
from datetime import UTC, datetime, timedelta, timezone

import pytest
from scripted_service import CUSTOMER_ID, LISTED, MINTED, SECRET_KEY, SESSION_ID, TOKEN, reply

from guestpass.client import _async, _sync
from guestpass.errors import ValidationFailed

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CUT = {"revoked": 3, "before": "2026-11-21T12:00:00.125Z"}
BLOCKED = {"id": CUSTOMER_ID, "blocked": True}

CALLS = {
    "mint": (
        lambda gp: gp.create_session_token(external_user_id="user_42"),
        ("POST", "/v1/session-tokens", {"externalUserId": "user_42"}),
        MINTED,
    ),
    "mint by its long name, with everything": (
        lambda gp: gp.session_tokens.create(
            external_user_id="user_42",
            email="ada@example.com",
            email_verified=True,
            external_organization_id="org_7",
            expires_in=600,
            not_before=NOON,
            allowed_operations={"read_invoices"},
            metadata={"plan_name": "pro", "seats": [1, None]},
            format="opaque",
            max_uses=1,
        ),
        (
            "POST",
            "/v1/session-tokens",
            {
                "externalUserId": "user_42",
                "email": "ada@example.com",
                "emailVerified": True,
                "externalOrganizationId": "org_7",
                "expiresIn": 600,
                "notBefore": "2026-11-21T12:00:00Z",
                "allowedOperations": ["read_invoices"],
                "metadata": {"plan_name": "pro", "seats": [1, None]},
                "format": "opaque",
                "maxUses": 1,
            },
        ),
        MINTED,
    ),
    "no operations is not the same as none named": (
        lambda gp: gp.create_session_token(external_user_id="u", allowed_operations=[], email_verified=False),
        ("POST", "/v1/session-tokens", {"externalUserId": "u", "allowedOperations": [], "emailVerified": False}),
        MINTED,
    ),
    "one name instead of a list is sent as it is, for the server to refuse": (
        lambda gp: gp.create_session_token(external_user_id="u", allowed_operations="read"),
        ("POST", "/v1/session-tokens", {"externalUserId": "u", "allowedOperations": "read"}),
        MINTED,
    ),
    "revoke a session token": (
        lambda gp: gp.revoke_session_token(SESSION_ID),
        ("DELETE", f"/v1/session-tokens/{SESSION_ID}", None),
        {"id": SESSION_ID, "revokedAt": "2026-11-21T12:00:00Z"},
    ),
    "revoke a session token by its long name": (
        lambda gp: gp.session_tokens.revoke(SESSION_ID),
        ("DELETE", f"/v1/session-tokens/{SESSION_ID}", None),
        {"id": SESSION_ID, "revokedAt": "2026-11-21T12:00:00Z"},
    ),
    "get a session": (
        lambda gp: gp.sessions.get(SESSION_ID),
        ("GET", f"/v1/sessions/{SESSION_ID}", None),
        LISTED,
    ),
    "revoke one session": (
        lambda gp: gp.sessions.revoke(SESSION_ID),
        ("POST", "/v1/sessions/revoke", {"id": SESSION_ID}),
        CUT,
    ),
    "revoke a user's sessions": (
        lambda gp: gp.sessions.revoke(external_user_id="user_42", issued_before=NOON, reissue=True),
        (
            "POST",
            "/v1/sessions/revoke",
            {"externalUserId": "user_42", "issuedBefore": "2026-11-21T12:00:00Z", "reissue": True},
        ),
        CUT,
    ),
    "revoke an organization's sessions": (
        lambda gp: gp.sessions.revoke(external_organization_id="org_7"),
        ("POST", "/v1/sessions/revoke", {"externalOrganizationId": "org_7"}),
        {"revoked": None, "before": "2026-11-21T12:00:00.125Z"},
    ),
    "revoke a key's sessions": (
        lambda gp: gp.sessions.revoke(api_key_id="key_1"),
        ("POST", "/v1/sessions/revoke", {"apiKeyId": "key_1"}),
        CUT,
    ),
    "revoke all sessions": (
        lambda gp: gp.sessions.revoke(all=True),
        ("POST", "/v1/sessions/revoke", {"all": True}),
        CUT,
    ),
    "verify a token": (
        lambda gp: gp.tokens.verify(TOKEN),
        ("POST", "/v1/tokens/verify", {"token": TOKEN}),
        {"valid": True, "session": LISTED, "checks": [{"check": "signature", "passed": True, "detail": "ES256"}]},
    ),
    "verify a token for an operation": (
        lambda gp: gp.tokens.verify(TOKEN, operation="read_invoices"),
        ("POST", "/v1/tokens/verify", {"token": TOKEN, "operation": "read_invoices"}),
        {"valid": False, "code": "OPERATION_NOT_ALLOWED", "checks": []},
    ),
    "block": (
        lambda gp: gp.customers.block(CUSTOMER_ID),
        ("POST", f"/v1/customers/{CUSTOMER_ID}/block", None),
        BLOCKED,
    ),
    "unblock": (
        lambda gp: gp.customers.unblock(CUSTOMER_ID),
        ("POST", f"/v1/customers/{CUSTOMER_ID}/unblock", None),
        {"id": CUSTOMER_ID, "blocked": False},
    ),
    "a stolen laptop": (
        lambda gp: gp.users.revoke("user_42", block=True),
        ("POST", "/v1/users/revoke", {"externalUserId": "user_42", "block": True}),
        CUT | {"customerId": CUSTOMER_ID, "blocked": True},
    ),
}


@pytest.mark.parametrize(("call", "request_sent", "answered"), CALLS.values(), ids=CALLS.keys())
def test_each_method_sends_its_documented_request(host, service, call, request_sent, answered):
    service.will(reply(200, answered))
    host.do(call)
    sent = service.last
    assert (sent.method, sent.url.raw_path.decode(), service.last_body) == request_sent
    assert sent.headers["authorization"] == f"Bearer {SECRET_KEY}"
    assert sent.headers["accept"] == "application/json"
    assert sent.headers["user-agent"].startswith("guestpass-python")
    assert sent.headers.get("content-type") == ("application/json" if request_sent[2] is not None else None)


@pytest.mark.parametrize(("call", "request_sent", "answered"), CALLS.values(), ids=CALLS.keys())
def test_fields_that_a_later_server_adds_are_ignored(host, service, call, request_sent, answered):
    service.will(reply(200, answered | {"addedLater": {"deep": [1]}}))
    assert host.do(call) is not None


def test_a_minted_token_is_typed(host):
    token = host.mint()
    assert (token.id, token.session_token, token.expires_in) == (SESSION_ID, TOKEN, 3600)
    assert token.expires_at == datetime(2026, 11, 21, 11, 0, tzinfo=UTC)
    assert token.issued_at.utcoffset() == timedelta(0)
    assert token.allowed_operations == ("*",)
    assert (token.denied_operations, token.not_before, token.unresolved_customers) == ((), None, 0)


def test_a_result_cannot_be_changed(host):
    token = host.mint()
    with pytest.raises(AttributeError):
        token.expires_in = 10**9


def test_times_are_sent_in_utc_whatever_zone_they_came_in(host, service):
    host.mint(not_before=datetime(2026, 11, 21, 14, 0, tzinfo=timezone(timedelta(hours=2))))
    assert service.last_body["notBefore"] == "2026-11-21T12:00:00Z"


def test_a_time_without_a_zone_is_refused_rather_than_guessed(host, service):
    with pytest.raises(ValidationFailed, match="time zone") as refused:
        host.mint(not_before=datetime(2026, 11, 21, 12, 0))  # noqa: DTZ001
    assert refused.value.details[0].path == "notBefore"
    assert service.requests == []


def test_a_misspelt_option_is_a_type_error_that_names_the_right_ones(host, service):
    with pytest.raises(TypeError, match=r"expire_in.*expires_in"):
        host.mint(expire_in=60)
    assert service.requests == []


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), "\ud800", object(), b"x", {1, object()}],
    ids=["NaN", "infinity", "lone surrogate", "object", "bytes", "set"],
)
def test_a_value_without_an_exact_json_form_is_refused_unsent(host, service, value):
    with pytest.raises(ValidationFailed, match="metadata") as refused:
        host.mint(metadata={"x": value})
    assert refused.value.details[0].path == "metadata"
    assert service.requests == []


def test_metadata_that_holds_itself_is_refused_unsent(host, service):
    ring: dict = {}
    ring["ring"] = ring
    with pytest.raises(ValidationFailed, match="metadata"):
        host.mint(metadata=ring)
    assert service.requests == []


def test_a_verdict_is_true_only_if_the_token_is_valid(host, service):
    service.will(reply(200, {"valid": False, "code": "TOKEN_EXPIRED", "checks": []}))
    verdict = host.do(lambda gp: gp.tokens.verify(TOKEN))
    assert not verdict
    assert verdict.code == "TOKEN_EXPIRED"
    service.will(reply(200, {"valid": True, "checks": [{"check": "time", "passed": True, "detail": None}]}))
    assert host.do(lambda gp: gp.tokens.verify(TOKEN))


SELECTORS_IN_DOUBT = {
    "nothing": {},
    "a variable that happened to be None": {"external_user_id": None},
    "two": {"external_user_id": "user_42", "external_organization_id": "org_7"},
    "all beside one": {"all": True, "external_user_id": "user_42"},
    "all=False": {"all": False},
    "something true that is not True": {"all": "false"},
}


@pytest.mark.parametrize("selectors", SELECTORS_IN_DOUBT.values(), ids=SELECTORS_IN_DOUBT.keys())
def test_a_revoke_that_is_in_doubt_is_not_sent(host, service, selectors):
    with pytest.raises(ValidationFailed, match="exactly one"):
        host.do(lambda gp: gp.sessions.revoke(**selectors))
    assert service.requests == []


@pytest.mark.parametrize("bad_id", ["", "..", "a/b", "a?b", "sess_1%2e", "é", "x" * 65, None, 7])
def test_an_id_that_would_name_another_address_is_refused_unsent(host, service, bad_id):
    for call in (
        lambda gp: gp.revoke_session_token(bad_id),
        lambda gp: gp.sessions.get(bad_id),
        lambda gp: gp.customers.block(bad_id),
        lambda gp: gp.customers.unblock(bad_id),
    ):
        with pytest.raises(ValidationFailed, match=r"sess_…|cust_…"):
            host.do(call)
    assert service.requests == []


@pytest.mark.parametrize("credential", [TOKEN, TOKEN.removeprefix("gp_session_test_"), SECRET_KEY])
def test_a_token_never_gets_into_an_address(host, service, credential):
    with pytest.raises(ValidationFailed, match="this is a credential; pass the id") as refused:
        host.do(lambda gp: gp.revoke_session_token(credential))
    assert credential not in str(refused.value)
    assert service.requests == []


def test_minting_without_email_while_customers_wait_warns_once(host, service):
    service.will(reply(201, MINTED | {"unresolvedCustomers": 3}))
    with pytest.warns(UserWarning, match="3 imported customers") as caught:
        host.mint()
    host.mint()  # a second warning would be an error here
    assert len(caught) == 1
    assert caught[0].filename.endswith("scripted_service.py")  # the caller's line, not one of ours


def test_minting_with_email_or_with_nobody_waiting_does_not_warn(host, service):
    host.mint()
    service.will(reply(201, MINTED | {"unresolvedCustomers": 3}))
    host.mint(email="ada@example.com")


def test_a_listed_session_is_typed(host, service):
    service.will(reply(200, LISTED | {"revokedAt": "2026-11-21T10:30:00.125Z", "revokedBy": "key_1"}))
    session = host.do(lambda gp: gp.sessions.get(SESSION_ID))
    assert (session.status, session.customer_id, session.metadata) == ("active", CUSTOMER_ID, {"plan": "pro"})
    assert session.allowed_operations == ("read_invoices",)
    assert session.revoked_at == datetime(2026, 11, 21, 10, 30, 0, 125_000, tzinfo=UTC)
    assert session.not_before is None


def test_both_clients_have_the_same_names_and_parameters():
    for name, sync_class in vars(_sync).items():
        if inspect.isclass(sync_class) and sync_class.__module__ == _sync.__name__:
            async_class = getattr(_async, f"Async{name}")
            assert public_signatures(async_class) == public_signatures(sync_class)


def public_signatures(cls):
    return {
        name: list(inspect.signature(member).parameters)
        for name, member in vars(cls).items()
        if callable(member) and not name.startswith("_")
    }

"""Renewable sessions through the clients: who proves each call, what is safe to try again, and what is never shown."""

from datetime import UTC, datetime

import httpx2
import pytest
from scripted_service import SECRET_KEY, SESSION_ID, refusal, reply

from guestpass.errors import (
    GuestpassError,
    RefreshTokenReused,
    SessionSuspended,
    Unavailable,
    ValidationFailed,
)

REFRESH_TOKEN = "gp_refresh_test_01jd9x3m5n7p8q9r0s1t2v3w4x" + "S3cretOfTheRefreshToken" * 3
ACCESS_TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1c2VyXzQyIn0.c2lnbmF0dXJl"
PAIR = {
    "sessionId": SESSION_ID,
    "accessToken": ACCESS_TOKEN,
    "accessTokenExpiresAt": "2026-11-21T10:15:00Z",
    "accessTokenExpiresIn": 900,
    "refreshToken": REFRESH_TOKEN,
    "refreshTokenExpiresAt": "2026-11-28T10:00:00Z",
}
ONE = {name: PAIR[name] for name in ("accessToken", "accessTokenExpiresAt", "accessTokenExpiresIn")}
ENDED = {"tokensRevoked": 1}
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KEY, NOBODY = f"Bearer {SECRET_KEY}", None

CALLS = {
    "log in": (
        lambda gp: gp.auth.login(external_user_id="user_42"),
        ("/v1/auth/login", {"externalUserId": "user_42"}, KEY),
        PAIR,
    ),
    "log in with everything": (
        lambda gp: gp.auth.login(
            external_user_id="user_42",
            email="ada@example.com",
            email_verified=True,
            external_organization_id="org_7",
            not_before=NOON,
            allowed_operations=["read_invoices"],
            metadata={"plan": "pro"},
        ),
        (
            "/v1/auth/login",
            {
                "externalUserId": "user_42",
                "email": "ada@example.com",
                "emailVerified": True,
                "externalOrganizationId": "org_7",
                "notBefore": "2026-11-21T12:00:00Z",
                "allowedOperations": ["read_invoices"],
                "metadata": {"plan": "pro"},
            },
            KEY,
        ),
        PAIR,
    ),
    "refresh": (
        lambda gp: gp.auth.refresh(refresh_token=REFRESH_TOKEN),
        ("/v1/auth/refresh", {"refreshToken": REFRESH_TOKEN}, NOBODY),
        PAIR,
    ),
    "an access token by the session's id": (
        lambda gp: gp.auth.access_token(session_id=SESSION_ID),
        ("/v1/auth/refresh", {"sessionId": SESSION_ID}, KEY),
        ONE,
    ),
    "log out with the refresh token": (
        lambda gp: gp.auth.logout(refresh_token=REFRESH_TOKEN),
        ("/v1/auth/logout", {"refreshToken": REFRESH_TOKEN}, NOBODY),
        ENDED,
    ),
    "log out everywhere with the refresh token": (
        lambda gp: gp.auth.logout(refresh_token=REFRESH_TOKEN, everywhere=True),
        ("/v1/auth/logout", {"refreshToken": REFRESH_TOKEN, "everywhere": True}, NOBODY),
        ENDED,
    ),
    "log out with the access token": (
        lambda gp: gp.auth.logout(access_token=ACCESS_TOKEN),
        ("/v1/auth/logout", {}, f"Bearer {ACCESS_TOKEN}"),
        ENDED,
    ),
    "log a user out everywhere": (
        lambda gp: gp.auth.logout(external_user_id="user_42", everywhere=True),
        ("/v1/auth/logout", {"externalUserId": "user_42", "everywhere": True}, KEY),
        ENDED,
    ),
}


@pytest.mark.parametrize(("call", "request_sent", "answered"), CALLS.values(), ids=CALLS.keys())
def test_each_method_sends_its_documented_request_and_one_proof(host, service, call, request_sent, answered):
    service.will(reply(200, answered))
    host.do(call)
    path, body, authorization = request_sent
    sent = service.last
    assert (sent.method, sent.url.raw_path.decode(), service.last_body) == ("POST", path, body)
    assert sent.headers.get("authorization") == authorization
    assert sent.headers["content-type"] == "application/json"


def test_a_key_that_signs_signs_what_it_proves_and_nothing_else(host, service):
    gp = host.client(signing_key_id="key_1")
    service.will(reply(200, PAIR))
    host.do(lambda gp: gp.auth.login(external_user_id="user_42"), gp=gp)
    assert service.last.headers["x-api-key"] == "key_1"
    host.do(lambda gp: gp.auth.refresh(refresh_token=REFRESH_TOKEN), gp=gp)
    assert "x-api-key" not in service.last.headers


def test_a_pair_is_typed(host, service):
    service.will(reply(201, PAIR))
    pair = host.do(lambda gp: gp.auth.login(external_user_id="user_42"))
    assert (pair.session_id, pair.access_token, pair.refresh_token) == (SESSION_ID, ACCESS_TOKEN, REFRESH_TOKEN)
    assert pair.access_token_expires_at == datetime(2026, 11, 21, 10, 15, tzinfo=UTC)
    assert pair.refresh_token_expires_at == datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
    assert pair.access_token_expires_in == 900


@pytest.mark.parametrize("call", [CALLS["log in"], CALLS["an access token by the session's id"]], ids=["pair", "one"])
def test_neither_token_is_in_a_repr(host, service, call):
    service.will(reply(200, call[2]))
    answer = host.do(call[0])
    for shown in (repr(answer), str(answer.__rich_repr__())):
        assert ACCESS_TOKEN not in shown
        assert REFRESH_TOKEN not in shown


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(401, "REFRESH_TOKEN_REUSED", RefreshTokenReused), (401, "SESSION_SUSPENDED", SessionSuspended)],
)
def test_a_refusal_is_its_class_shows_no_token_and_is_not_tried_again(host, service, status, code, kind):
    service.will(refusal(status, code, f"{REFRESH_TOKEN} again?"))
    with pytest.raises(kind) as refused:
        host.do(lambda gp: gp.auth.refresh(refresh_token=REFRESH_TOKEN))
    assert REFRESH_TOKEN not in str(refused.value)
    assert len(service.requests) == 1


LOST = httpx2.ReadTimeout("")


def test_a_refresh_whose_answer_was_lost_is_tried_with_the_same_token(host, service):
    """The service answers the same successor within its grace."""
    service.will(LOST, LOST, reply(200, PAIR))
    assert host.do(lambda gp: gp.auth.refresh(refresh_token=REFRESH_TOKEN)).refresh_token == REFRESH_TOKEN
    assert {request.content for request in service.requests} == {service.last.content}
    assert service.heard("idempotency-key") == [None] * 3


@pytest.mark.parametrize(("configured", "allowed"), [(10.0, 8.0), (600.0, 8.0), (3.0, 3.0)])
def test_a_try_of_a_refresh_takes_8_seconds_at_most(host, service, configured, allowed):
    service.will(reply(200, PAIR))
    gp = host.client(timeout_seconds=configured)
    host.do(lambda gp: gp.auth.refresh(refresh_token=REFRESH_TOKEN), gp=gp)
    assert service.last.extensions["timeout"]["read"] == allowed
    host.do(lambda gp: gp.auth.login(external_user_id="user_42"), gp=gp)
    assert service.last.extensions["timeout"]["read"] == configured


@pytest.mark.parametrize("max_retries", [2, 10])
@pytest.mark.parametrize("chance", [0.0, 0.999])
def test_all_tries_of_a_refresh_are_over_before_the_grace_is(host, service, max_retries, chance):
    service.will(LOST)
    host.chance = chance
    with pytest.raises(Unavailable, match="tried 3 times"):
        host.do(lambda gp: gp.auth.refresh(refresh_token=REFRESH_TOKEN), gp=host.client(max_retries=max_retries))
    assert len(service.requests) == 3
    assert 3 * 8 + sum(host.slept) <= 30


def test_a_refresh_does_not_wait_beyond_the_grace_for_a_server_that_asks_it_to(host, service):
    service.will(refusal(503, "UNAVAILABLE", retry_after="10"))
    with pytest.raises(Unavailable) as refused:
        host.do(lambda gp: gp.auth.refresh(refresh_token=REFRESH_TOKEN))
    assert refused.value.retry_after_seconds == 10
    assert 8 * len(service.requests) + sum(host.slept) <= 30


def test_a_login_is_made_once_over_all_its_tries(host, service):
    service.will(LOST, reply(201, PAIR))
    host.do(lambda gp: gp.auth.login(external_user_id="user_42"))
    first, second = service.heard("idempotency-key")
    assert first == second is not None


IN_DOUBT = {
    "nothing": {},
    "a variable that happened to be None": {"refresh_token": None},
    "everywhere, of nobody": {"everywhere": True},
    "two": {"refresh_token": REFRESH_TOKEN, "external_user_id": "user_42"},
    "a user without saying everywhere": {"external_user_id": "user_42"},
    "a user with something that is not True": {"external_user_id": "user_42", "everywhere": "false"},
}


@pytest.mark.parametrize("given", IN_DOUBT.values(), ids=IN_DOUBT.keys())
def test_a_logout_that_is_in_doubt_is_not_sent(host, service, given):
    with pytest.raises(ValidationFailed):
        host.do(lambda gp: gp.auth.logout(**given))
    assert service.requests == []


@pytest.mark.parametrize("option", ["expires_in", "format", "max_uses", "expire_in"])
def test_what_a_renewable_session_has_not_is_a_type_error(host, service, option):
    with pytest.raises(TypeError, match=rf"auth\.login.*{option}"):
        host.do(lambda gp: gp.auth.login(external_user_id="user_42", **{option: 1}))
    assert service.requests == []


def test_no_token_is_in_an_address_or_in_what_is_raised_when_nothing_answers(host, service):
    service.will(httpx2.ConnectError(f"no way to {REFRESH_TOKEN}"))
    for call in (CALLS["refresh"][0], CALLS["log out with the access token"][0]):
        with pytest.raises(GuestpassError) as refused:
            host.do(call)
        assert REFRESH_TOKEN not in str(refused.value)
    assert all(
        REFRESH_TOKEN not in str(request.url) and ACCESS_TOKEN not in str(request.url) for request in service.requests
    )


ODD = {
    "id": "anom_01jd9x3m5n7p8q9r0s1t2v3w4x",
    "kind": "origin",
    "at": "2026-11-21T10:00:00.125Z",
    "sessionId": SESSION_ID,
    "customerId": None,
    "externalUserId": None,
    "outcome": "suspended",
    "evidence": {"network": "203.0.113.0/24", "networkBefore": "198.51.100.0/24", "hours": 80},
}


def test_anomalies_are_one_typed_iterator(host, service):
    page = {"data": [ODD], "nextCursor": "c1"}
    service.will(reply(200, page), reply(200, page | {"nextCursor": None}))
    found = host.all(lambda gp: gp.auth.anomalies(limit=1))
    assert [request.url.raw_path.decode() for request in service.requests] == [
        "/v1/auth/anomalies?limit=1",
        "/v1/auth/anomalies?limit=1&cursor=c1",
    ]
    assert [one.kind for one in found] == ["origin", "origin"]
    assert found[0].at == datetime(2026, 11, 21, 10, 0, 0, 125_000, tzinfo=UTC)
    assert found[0].evidence["hours"] == 80
    assert (found[0].session_id, found[0].external_user_id, found[0].outcome) == (SESSION_ID, None, "suspended")

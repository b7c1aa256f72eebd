"""When a call is tried again, how long it waits, and that no try does a second thing."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_service import CUSTOMER_ID, LISTED, MINTED, SESSION_ID, refusal, reply

from guestpass.client._outcome import Answer, Lost
from guestpass.client._retry import BACKOFF_MAX_SECONDS, RETRY_AFTER_MAX_SECONDS, RetryPolicy
from guestpass.errors import GuestpassError, InternalError, RateLimited, Unavailable

MINT = reply(201, MINTED)

PASSING_TROUBLES = {
    "the server is not up yet": httpx2.ConnectError("[Errno 111] Connection refused"),
    "no connection in time": httpx2.ConnectTimeout(""),
    "no answer in time": httpx2.ReadTimeout(""),
    "the request could not be written": httpx2.WriteError("broken pipe"),
    "the connection broke before the answer": httpx2.RemoteProtocolError("Server disconnected"),
    "the connection was reset": httpx2.ReadError("reset"),
    "the client's connections are all busy": httpx2.PoolTimeout(""),
    "408": reply(408),
    "429": refusal(429, "RATE_LIMITED"),
    "500": refusal(500, "INTERNAL_ERROR"),
    "502 from a proxy": httpx2.Response(502, html="<h1>Bad gateway</h1>"),
    "503": refusal(503, "UNAVAILABLE"),
    "504 from a proxy": httpx2.Response(504),
}


@pytest.mark.parametrize("trouble", PASSING_TROUBLES.values(), ids=PASSING_TROUBLES.keys())
def test_a_trouble_that_passes_is_not_noticed(host, service, trouble):
    service.will(trouble, trouble, MINT)
    assert host.mint().id == SESSION_ID
    assert len(service.requests) == 3


@pytest.mark.parametrize("trouble", PASSING_TROUBLES.values(), ids=PASSING_TROUBLES.keys())
def test_a_trouble_that_stays_is_raised_after_two_retries(host, service, trouble):
    service.will(trouble)
    with pytest.raises(GuestpassError):
        host.mint()
    assert len(service.requests) == 3


FINAL_WORDS = {400: "VALIDATION_ERROR", 401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND", 409: "CONFLICT"}


@pytest.mark.parametrize(("status", "code"), FINAL_WORDS.items())
def test_an_answer_that_would_be_the_same_again_is_raised_at_once(host, service, status, code):
    service.will(refusal(status, code))
    with pytest.raises(GuestpassError):
        host.mint()
    assert len(service.requests) == 1
    assert host.slept == []


def test_a_redirect_is_not_followed_with_the_key(host, service):
    service.will(reply(307, location="http://elsewhere.test/v1/session-tokens"))
    with pytest.raises(Unavailable, match="307"):
        host.mint()
    assert len(service.requests) == 1


CREATING = {
    "mint": (lambda gp: gp.create_session_token(external_user_id="user_42"), MINT),
    "revoke sessions": (
        lambda gp: gp.sessions.revoke(all=True),
        reply(200, {"revoked": 1, "before": "2026-01-01T00:00:00Z"}),
    ),
    "block": (lambda gp: gp.customers.block(CUSTOMER_ID), reply(200, {"id": CUSTOMER_ID, "blocked": True})),
    "revoke a user": (
        lambda gp: gp.users.revoke("user_42"),
        reply(200, {"revoked": 1, "before": "2026-01-01T00:00:00Z", "blocked": False}),
    ),
}


@pytest.mark.parametrize(("call", "done"), CREATING.values(), ids=CREATING.keys())
def test_one_idempotency_key_goes_with_all_tries_of_a_call(host, service, call, done):
    service.will(httpx2.ReadTimeout(""), refusal(503, "UNAVAILABLE"), done)
    host.do(call)
    keys = service.heard("idempotency-key")
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert 1 <= len(keys[0]) <= 255
    assert keys[0].isascii()
    assert keys[0].isprintable()


def test_the_body_is_the_same_bytes_in_all_tries(host, service):
    service.will(httpx2.ReadTimeout(""), httpx2.ReadTimeout(""), MINT)
    host.mint(metadata={"b": 1, "a": 2}, allowed_operations={"x", "y", "z"})
    assert len({request.content for request in service.requests}) == 1


def test_two_calls_never_share_an_idempotency_key(host, service):
    host.mint()
    host.mint()
    first, second = service.heard("idempotency-key")
    assert first != second


def test_calls_that_change_nothing_twice_carry_no_idempotency_key(host, service):
    service.will(reply(200, LISTED))
    host.do(lambda gp: gp.sessions.get(SESSION_ID))
    service.will(reply(200, {"valid": True}))
    host.do(lambda gp: gp.tokens.verify("x"))
    service.will(reply(200, {"id": SESSION_ID, "revokedAt": "2026-01-01T00:00:00Z"}))
    host.do(lambda gp: gp.revoke_session_token(SESSION_ID))
    assert service.heard("idempotency-key") == [None, None, None]


def test_max_retries_zero_means_one_try(host, service):
    service.will(refusal(503, "UNAVAILABLE"))
    with pytest.raises(Unavailable):
        host.do(lambda gp: gp.sessions.get(SESSION_ID), gp=host.client(max_retries=0))
    assert len(service.requests) == 1


def test_it_waits_as_long_as_retry_after_asks(host, service):
    service.will(refusal(429, "RATE_LIMITED", retry_after="3"), MINT)
    host.mint()
    assert host.slept == [3.0]


def test_a_wait_too_long_for_a_request_is_raised_at_once_with_its_length(host, service):
    service.will(refusal(429, "RATE_LIMITED", retry_after="60"))
    with pytest.raises(RateLimited) as refused:
        host.mint()
    assert refused.value.retry_after_seconds == 60
    assert len(service.requests) == 1
    assert host.slept == []


@pytest.mark.parametrize("status_code", [(500, "INTERNAL_ERROR", InternalError), (503, "UNAVAILABLE", Unavailable)])
def test_the_last_error_is_the_one_that_is_raised(host, service, status_code):
    status, code, kind = status_code
    service.will(httpx2.ReadTimeout(""), refusal(502, "UNAVAILABLE"), refusal(status, code, retry_after="2"))
    with pytest.raises(kind) as refused:
        host.mint()
    assert refused.value.retry_after_seconds == 2


def policy(*, chance=0.0, now=0.0, max_retries=10):
    return RetryPolicy(max_retries=max_retries, chance=lambda: chance, now=lambda: now)


def answer(status, **headers):
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, b"")


@pytest.mark.parametrize(
    ("tries", "least", "most"),
    [(1, 0.25, 0.5), (2, 0.5, 1.0), (3, 1.0, 2.0), (4, 2.0, 4.0), (5, 4.0, 8.0), (6, 4.0, 8.0), (10, 4.0, 8.0)],
)
def test_backoff_doubles_up_to_a_bound_and_chance_takes_up_to_half(tries, least, most):
    assert policy(chance=0.0).wait_before_next(Lost("gone"), tries=tries) == least
    assert policy(chance=1.0).wait_before_next(answer(503), tries=tries) == most


@given(
    tries=st.integers(1, 12),
    chance=st.floats(0, 1, exclude_max=True),
    status=st.integers(200, 599),
    retry_after=st.one_of(st.none(), st.integers(-5, 10**12).map(str), st.text(max_size=40)),
)
def test_no_wait_is_negative_or_beyond_the_bounds_whatever_the_answer(tries, chance, status, retry_after):
    headers = {} if retry_after is None else {"retry_after": retry_after}
    wait = policy(chance=chance).wait_before_next(answer(status, **headers), tries=tries)
    assert wait is None or 0 < wait <= max(BACKOFF_MAX_SECONDS, RETRY_AFTER_MAX_SECONDS + 0.5)


HTTP_NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def http_date(seconds):
    return format_datetime(HTTP_NOW + timedelta(seconds=seconds), usegmt=True)


RETRY_AFTERS = {
    "seconds": ({"retry_after": "3"}, 3.0),
    "zero: the backoff counts": ({"retry_after": "0"}, 0.25),
    "at the bound": ({"retry_after": "10"}, 10.0),
    "over the bound: do not try": ({"retry_after": "11"}, None),
    "a date, by our clock": ({"retry_after": http_date(4)}, 4.0),
    "a date, by the server's clock an hour off": ({"retry_after": http_date(3604), "date": http_date(3600)}, 4.0),
    "a date that has passed": ({"retry_after": http_date(-90)}, 0.25),
    "negative: ignored": ({"retry_after": "-3"}, 0.25),
    "a fraction: ignored": ({"retry_after": "2.5"}, 0.25),
    "words: ignored": ({"retry_after": "soon"}, 0.25),
    "digits of another script: ignored": ({"retry_after": "٣"}, 0.25),
    "endless digits: ignored": ({"retry_after": "9" * 5000}, 0.25),
}


@pytest.mark.parametrize(("headers", "wait"), RETRY_AFTERS.values(), ids=RETRY_AFTERS.keys())
def test_retry_after_in_all_its_forms(headers, wait):
    assert policy(now=HTTP_NOW.timestamp()).wait_before_next(answer(503, **headers), tries=1) == wait


def test_all_who_were_refused_at_once_do_not_return_at_once():
    waits = {policy(chance=c / 10).wait_before_next(answer(429, retry_after="1"), tries=1) for c in range(10)}
    assert len(waits) == 10
    assert min(waits) == 1.0

"""Every refusal is the class of its code, says what the server said, and repeats no credential."""

import pickle
import traceback

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted_service import MINTED, SECRET_KEY, TOKEN, Host, ScriptedService, refusal, reply

from guestpass.client._answers import error_of, redacted
from guestpass.client._outcome import Answer
from guestpass.errors import (
    ERRORS,
    CallerError,
    Detail,
    GuestpassError,
    RateLimited,
    RequestError,
    ServiceError,
    Unavailable,
)


def refused(host, **options):
    with pytest.raises(GuestpassError) as caught:
        host.mint(**options)
    return caught.value


@pytest.mark.parametrize("kind", ERRORS.values(), ids=ERRORS.keys())
def test_each_code_is_raised_as_its_class(host, service, kind):
    body = {
        "code": kind.code,
        "message": "Said by the server.",
        "details": [{"path": "expiresIn", "message": "at least 60"}],
        "docUrl": "https://docs.test/errors",
        "requestId": "req_77",
        "addedLater": 1,
    }
    service.will(reply(kind.status, body, retry_after="2"))
    error = refused(host)
    assert type(error) is kind
    assert (error.code, error.status, error.request_id) == (kind.code, kind.status, "req_77")
    assert str(error) == error.message == "Said by the server."
    assert error.details == (Detail("expiresIn", "at least 60"),)
    assert error.retry_after_seconds == 2


FAMILIES = {
    400: RequestError,
    401: CallerError,
    403: CallerError,
    404: RequestError,
    418: RequestError,
    429: RateLimited,
    500: ServiceError,
    503: ServiceError,
}


@pytest.mark.parametrize(("status", "family"), FAMILIES.items())
def test_a_code_this_version_does_not_know_is_raised_as_its_statuss_family(host, service, status, family):
    service.will(refusal(status, "ADDED_LATER", "Something new."))
    error = refused(host)
    assert type(error) is family
    assert (error.code, error.status, str(error)) == ("ADDED_LATER", status, "Something new.")


def test_an_unknown_code_leaves_the_error_tree_as_it_was(host, service):
    service.will(refusal(400, "ADDED_LATER"))
    refused(host)
    assert RequestError.code == "VALIDATION_ERROR"
    assert "ADDED_LATER" not in ERRORS


FOREIGN_ANSWERS = {
    "a proxy's page": httpx2.Response(502, html="<h1>Bad gateway</h1>"),
    "another server's 404": httpx2.Response(404, text="not found"),
    "another server's JSON": reply(404, {"detail": "Not Found"}),
    "nothing at all": httpx2.Response(503),
    "a redirect": httpx2.Response(302, headers={"location": "https://login.test/?next=x"}),
    "a sign-in page": httpx2.Response(200, html="<form>"),
    "JSON of another shape": reply(201, {"hello": "world"}),
    "a list": reply(201, [MINTED]),
    "a life that is no number": reply(201, MINTED | {"expiresIn": "3600"}),
    "a time without a zone": reply(201, MINTED | {"expiresAt": "2026-11-21T11:00:00"}),
    "half an answer": httpx2.Response(201, content=b'{"id": "sess'),
    "not UTF-8": httpx2.Response(400, content=b'{"code": "\xff"}'),
    "nested beyond reason": httpx2.Response(400, content=b"[" * 100_000),
    "no content": httpx2.Response(204),
}


@pytest.mark.parametrize("answer", FOREIGN_ANSWERS.values(), ids=FOREIGN_ANSWERS.keys())
def test_an_answer_that_guestpass_did_not_write_is_unavailable_and_says_so(host, service, answer):
    service.will(answer)
    error = refused(host)
    assert type(error) is Unavailable
    assert error.status == answer.status_code
    assert "http://guestpass.test answered" in str(error)
    assert "GUESTPASS_URL" in str(error)
    assert error.__context__ is None  # the decoder's error would carry the body along


def test_a_proxys_own_429_is_rate_limited(host, service):
    service.will(httpx2.Response(429, text="slow down", headers={"retry-after": "7"}))
    error = refused(host)
    assert type(error) is RateLimited
    assert error.retry_after_seconds == 7


def test_the_request_id_of_the_header_counts_where_the_body_has_none(host, service):
    service.will(httpx2.Response(500, headers={"x-request-id": "req_h"}))
    assert refused(host).request_id == "req_h"


NETWORK_TROUBLES = {
    "refused": (httpx2.ConnectError("[Errno 111] Connection refused"), "could not connect.*Connection refused"),
    "no connection in time": (httpx2.ConnectTimeout("t"), "no connection within 2 s"),
    "no answer in time": (httpx2.ReadTimeout("t"), "silence for 10 s; what was asked may have been done"),
    "broken off": (httpx2.RemoteProtocolError("Server disconnected"), "broke.*may have been done"),
    "all busy": (httpx2.PoolTimeout("t"), "busy for 10 s"),
}


@pytest.mark.parametrize(("trouble", "words"), NETWORK_TROUBLES.values(), ids=NETWORK_TROUBLES.keys())
def test_no_answer_is_unavailable_and_says_where_why_and_how_often(host, service, trouble, words):
    service.will(trouble)
    with pytest.raises(Unavailable, match=words) as caught:
        host.mint()
    assert "http://guestpass.test, tried 3 times" in str(caught.value)
    assert caught.value.code == "UNAVAILABLE"


def test_a_request_that_cannot_be_sent_at_all_is_not_tried_again(host, service):
    service.will(httpx2.LocalProtocolError(f"Illegal header value b'Bearer {SECRET_KEY}'"))
    error = refused(host)
    assert len(service.requests) == 1
    assert SECRET_KEY not in str(error)


def test_the_network_librarys_error_is_not_chained_since_it_holds_the_key(host, service):
    service.will(httpx2.ReadTimeout("t"))
    error = refused(host)
    assert error.__cause__ is None
    assert error.__context__ is None


def test_an_error_survives_a_process_boundary(host, service):
    service.will(refusal(404, "NOT_FOUND", "Gone."))
    twin = pickle.loads(pickle.dumps(refused(host)))
    assert (type(twin).__name__, twin.code, twin.request_id, str(twin)) == ("NotFound", "NOT_FOUND", "req_1", "Gone.")


def everything_said(error):
    return "\n".join(
        [repr(error), str(error), str(error.details), str(vars(error)), *traceback.format_exception(error)]
    )


CREDENTIALS = [SECRET_KEY, TOKEN, TOKEN.removeprefix("gp_session_test_"), "acme_refresh_live_" + "x" * 40]


@pytest.mark.parametrize("credential", CREDENTIALS, ids=["secret key", "session token", "bare JWT", "refresh token"])
@given(before=st.text(max_size=20), after=st.text(max_size=20), status=st.sampled_from([400, 401, 404, 500, 503]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_a_server_or_proxy_that_echoes_a_credential_does_not_get_it_into_an_error(credential, before, after, status):
    service = ScriptedService()
    said = f"{before} {credential} {after}"
    details = [{"path": credential, "message": said}]
    for answer in (
        reply(status, {"code": "VALIDATION_ERROR", "message": said, "details": details}),
        reply(status, {"echo": said}),
        httpx2.Response(status, text=said),
        httpx2.ReadError(said),
    ):
        service.will(answer)
        assert credential not in everything_said(refused(Host("sync", service)))


@given(status=st.integers(300, 599), body=st.binary(max_size=200))
def test_no_answer_makes_the_client_fail_in_another_way(status, body):
    error = error_of(Answer(status, {}, body), url="http://guestpass.test", now=0.0)
    assert isinstance(error, GuestpassError)
    assert error.status == status


@pytest.mark.parametrize("text", ["the operation read_session_test is unknown", "expiresIn must be 60..86400", ""])
def test_ordinary_words_are_left_as_they_are(text):
    assert redacted(text) == text

"""One contract for every framework: who is let in, what is answered to all others, and what is written down."""

import re

import pytest
from adapter_apps import ATTACHING

from guestpass import MemoryReplayGuard
from guestpass.errors import ValidationFailed

MINUTE = 60
EXPOSED = "Guestpass-Retry, Retry-After, WWW-Authenticate, X-Request-Id"
OWN_ID = re.compile(r"req_[0-9a-f]{32}")

attaching = pytest.mark.parametrize("made", sorted(ATTACHING), indirect=True)


def answers(api, token):
    """What each route answers: 200, or the code of its refusal."""
    routes = (("GET", "/invoices"), ("POST", "/invoices"), ("GET", "/me"))
    replies = [api.request(method, path, token) for method, path in routes]
    return [200 if reply.status == 200 else reply.code for reply in replies]


# Who is let in


def test_a_good_token_opens_what_it_names(api, issuer):
    token = issuer.mint("user_42", operations=["read_invoices"])
    assert api.get("/invoices", token).json == {"user": "user_42"}
    assert answers(api, token) == [200, "OPERATION_NOT_ALLOWED", 200]
    assert answers(api, issuer.mint()) == [200, 200, 200]
    assert answers(api, issuer.mint(operations=[])) == ["OPERATION_NOT_ALLOWED", "OPERATION_NOT_ALLOWED", 200]


def test_no_token_opens_nothing(api):
    assert answers(api, None) == ["TOKEN_MISSING"] * 3


@pytest.mark.parametrize("token", ["", " ", "nonsense", "gp_session_test_x", "sk_test_" + "a" * 49, "a b", "é"])
def test_what_is_no_token_opens_nothing(api, token):
    code = "TOKEN_MALFORMED" if token.strip() else "TOKEN_MISSING"
    assert answers(api, token) == [code] * 3


def test_a_token_opens_nothing_from_the_second_it_ends(api, issuer):
    token = issuer.mint(expires_in=MINUTE)
    assert answers(api, token) == [200] * 3
    issuer.clock.advance(seconds=MINUTE + 5)  # the verifier's leeway
    assert answers(api, token) == ["TOKEN_EXPIRED"] * 3


def test_a_revoked_token_opens_nothing_once_the_list_is_read_again(api, issuer):
    token, other = issuer.mint(), issuer.mint()
    assert answers(api, token) == [200] * 3
    issuer.revoke(token)
    issuer.clock.advance(seconds=5)
    assert answers(api, token) == ["TOKEN_REVOKED"] * 3
    assert answers(api, other) == [200] * 3


def test_another_issuers_token_opens_nothing(api, service):
    assert answers(api, service.issuer("live").mint()) == ["TOKEN_ENVIRONMENT_MISMATCH"] * 3


def test_a_route_may_ask_for_a_fresh_token(api, issuer):
    token = issuer.mint()
    assert api.get("/fresh", token).status == 200
    issuer.clock.advance(seconds=MINUTE + 6)
    assert api.get("/invoices", token).status == 200
    assert api.get("/fresh", token).code == "TOKEN_TOO_OLD"


def test_a_suspended_session_goes_on_with_what_is_named_for_it_and_with_nothing_else(api, issuer):
    """A route that names no operation is not among those that go on: of two readings the one that fails closed."""
    issuer.suspended_operations = ["read_invoices"]
    token = issuer.mint()
    issuer.suspend(token)
    assert answers(api, token) == [200, "SESSION_SUSPENDED", "SESSION_SUSPENDED"]


# Where the token stands


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_has_no_case(api, issuer, scheme):
    assert api.get("/invoices", headers=[("authorization", f"{scheme} {issuer.mint()}")]).status == 200


@pytest.mark.parametrize("text", ["Basic dXNlcjpwYXNz", "{token}", "Token {token}", "Bearer{token}", "Digest a=b"])
def test_another_scheme_is_no_token(api, issuer, text):
    reply = api.get("/invoices", headers=[("authorization", text.format(token=issuer.mint()))])
    assert (reply.code, reply.header("www-authenticate")) == ("TOKEN_MISSING", "Bearer")


def test_a_token_in_the_url_is_not_read(api, issuer):
    """Logs and histories keep URLs (RFC 9700 section 4.3.2)."""
    token = issuer.mint()
    for name in ("access_token", "token", "authorization", "bearer"):
        assert api.get("/invoices", query=f"{name}={token}").code == "TOKEN_MISSING"


def test_a_token_in_a_cookie_or_another_header_is_not_read(api, issuer):
    token = issuer.mint()
    for header in (("cookie", f"token={token}"), ("x-authorization", f"Bearer {token}"), ("x-access-token", token)):
        assert api.get("/invoices", headers=[header]).code == "TOKEN_MISSING"


def test_a_header_that_is_sent_twice_is_refused_though_either_were_good(api, issuer):
    good = ("authorization", f"Bearer {issuer.mint()}")
    for other in (good, ("authorization", "Bearer x"), ("authorization", "Basic dXNlcjpwYXNz")):
        for headers in ([good, other], [other, good]):
            reply = api.get("/invoices", headers=headers)
            assert reply.status == 401, headers
            assert reply.code in {"TOKEN_MALFORMED", "TOKEN_MISSING"}


# What is attached decides nothing


def test_who_shows_a_good_token_is_known_where_none_is_required(api, issuer):
    assert api.get("/hello", issuer.mint("user_42", operations=[])).json == {"user": "user_42"}


@attaching
def test_all_others_are_strangers_there(api, issuer):
    expired = issuer.mint(expires_in=MINUTE)
    issuer.clock.advance(seconds=10 * MINUTE)
    for token in (None, "nonsense", expired):
        reply = api.get("/hello", token)
        assert (reply.status, reply.json) == (200, {"user": None})


@attaching
def test_who_cannot_be_checked_is_a_stranger_there(api, issuer):
    with issuer.service.away():
        assert api.get("/hello", issuer.mint()).json == {"user": None}


@attaching
def test_a_check_that_was_forgotten_lets_nobody_in(api, issuer):
    """A mistake in the code of the API, which its first call shows."""
    for token in (None, issuer.mint()):
        try:
            assert api.get("/forgotten", token).status == 500
        except RuntimeError as mistake:
            assert "auth.require(...) must stand before" in str(mistake)  # noqa: PT017


def test_what_another_verifier_found_is_looked_at_anew(made, service, issuer):
    """Two gates on one request: what one let in is nothing to the other."""
    auth, api = made
    token = issuer.mint()
    other = type(auth)(service.issuer("live").verifier())
    room = {}
    shown = _shown(token)
    assert auth.attach(room, shown).session is not None
    assert other.attach(room, shown).session is None
    assert api.get("/invoices", token).status == 200


def _shown(token):
    from guestpass._bearer import shown_in_environ  # noqa: PLC0415

    return shown_in_environ({"HTTP_AUTHORIZATION": f"Bearer {token}"})


def test_a_use_is_one_use_however_often_it_is_required(made, issuer):
    auth, api = made
    auth.verifier = issuer.verifier(replay_guard=MemoryReplayGuard(clock=issuer.clock))
    token = issuer.mint(max_uses=2)
    assert [api.get("/twice", token).status for _ in range(3)] == [200, 200, 401]
    assert api.get("/twice", token).code == "TOKEN_REPLAYED"


# What is answered


def test_a_refusal_has_one_shape(api):
    for headers in ([], [("authorization", "Bearer x")]):
        reply = api.get("/invoices", headers=headers)
        assert reply.json.keys() == {"code", "message", "requestId"}
        assert reply.json["requestId"] == reply.header("x-request-id")
        assert OWN_ID.fullmatch(reply.json["requestId"])
        assert reply.header("content-type") == "application/json"
        assert reply.header("cache-control") == "no-store"
        assert int(reply.header("content-length") or len(reply.body)) == len(reply.body)


@pytest.mark.parametrize("made", ["flask", "wsgi"], indirect=True)
def test_the_refusal_of_a_head_has_no_body(api):
    """Servers of ASGI leave it away themselves."""
    reply = api.request("HEAD", "/invoices")
    assert (reply.status, reply.header("www-authenticate"), reply.body) == (401, "Bearer", b"")


def test_who_sent_no_token_is_told_of_no_error(api):
    """RFC 6750 section 3.1."""
    reply = api.get("/invoices")
    assert (reply.status, reply.header("www-authenticate")) == (401, "Bearer")
    assert reply.json["message"] == "No token was sent; send Authorization: Bearer <token>."


def test_who_sent_a_bad_one_is_told_which_error(api, issuer):
    reply = api.get("/invoices", issuer.mint()[:-4] + "AAAA")
    challenge = 'Bearer error="invalid_token", error_description="TOKEN_SIGNATURE_INVALID"'
    assert (reply.status, reply.header("www-authenticate")) == (401, challenge)


def test_who_may_not_is_told_what_he_lacks(api, issuer):
    reply = api.post("/invoices", issuer.mint(operations=["read_invoices"]))
    challenge = 'Bearer error="insufficient_scope", scope="pay_invoices"'
    assert (reply.status, reply.header("www-authenticate")) == (403, challenge)
    assert reply.header("guestpass-retry") is None


def test_a_browser_is_asked_to_fetch_another_token_only_where_one_would_help(api, issuer):
    expired, ended, changed = issuer.mint(expires_in=MINUTE), issuer.mint(), issuer.mint()
    old = issuer.mint()
    issuer.revoke(ended)
    issuer.revoke(changed, reissue=True)
    issuer.clock.advance(seconds=2 * MINUTE)
    told = {
        "expired": api.get("/invoices", expired),
        "too old": api.get("/fresh", old),
        "revoked": api.get("/invoices", ended),
        "revoked, to be reissued": api.get("/invoices", changed),
        "forged": api.get("/invoices", issuer.mint()[:-4] + "AAAA"),
        "missing": api.get("/invoices"),
        "not allowed": api.get("/invoices", issuer.mint(operations=[])),
    }
    assert [why for why, reply in told.items() if reply.header("guestpass-retry")] == [
        "expired", "too old", "revoked, to be reissued",
    ]  # fmt: skip
    assert {reply.header("guestpass-retry") for reply in told.values()} == {None, "token"}


def test_a_page_of_another_origin_can_read_the_headers_that_say_why(api, issuer):
    for reply in (api.get("/invoices"), api.get("/invoices", issuer.mint(operations=[]))):
        assert reply.header("access-control-expose-headers") == EXPOSED


def test_where_the_issuer_is_away_nobody_is_signed_out(api, issuer):
    """Never a 401: a browser would drop a token that is good."""
    with issuer.service.away():
        reply = api.get("/invoices", issuer.mint())
    assert (reply.status, reply.code, reply.header("retry-after")) == (503, "UNAVAILABLE", "5")
    assert reply.header("www-authenticate") is None
    assert reply.header("guestpass-retry") is None


def test_what_the_way_to_the_issuer_looks_like_is_not_for_strangers(api, issuer, log):
    with issuer.service.away():
        reply = api.get("/invoices", issuer.mint())
    assert "guestpass.test" not in reply.body.decode()
    assert "guestpass.test" in log.text


@pytest.mark.parametrize("sent", ["req_1", "7f3a:9", "a" * 128, "A-b_c.d"])
def test_a_well_formed_request_id_is_kept(api, sent):
    reply = api.get("/invoices", headers=[("x-request-id", sent)])
    assert (reply.header("x-request-id"), reply.json["requestId"]) == (sent, sent)


@pytest.mark.parametrize(
    "sent", ["", "a" * 129, "a b", 'a"b', "é", "sk_test_abc", "gp_session_test_01", "eyJhbGciOi", "a_refresh_live_x"]
)
def test_any_other_is_replaced(api, log, sent):
    """One that may be a credential would be logged."""
    reply = api.get("/invoices", headers=[("x-request-id", sent)])
    assert OWN_ID.fullmatch(reply.header("x-request-id"))
    assert not sent or sent not in log.text


# What is written down


def test_a_refusal_is_one_line_with_code_session_and_request(api, issuer, log):
    token = issuer.mint(operations=["read_invoices"])
    api.post("/invoices", token, headers=[("x-request-id", "req_7:1")])
    [line] = log.records
    assert (line.code, line.session, line.request_id) == (
        "OPERATION_NOT_ALLOWED", issuer.session_id(token), "req_7:1",
    )  # fmt: skip


@pytest.mark.parametrize("headers", [[], [("authorization", "Bearer x")], [("authorization", "Bearer x")] * 2])
def test_every_refusal_is_one_line(api, log, headers):
    reply = api.get("/invoices", headers=headers)
    [line] = log.records
    assert (line.code, line.request_id) == (reply.code, reply.header("x-request-id"))


def test_who_is_let_in_is_no_line_nor_a_stranger_where_strangers_may_come(api, issuer, log):
    assert answers(api, issuer.mint()) == [200] * 3
    assert api.get("/hello").status == 200
    assert log.records == []


def test_no_line_and_no_answer_holds_a_token(api, issuer, log):
    token = issuer.mint(expires_in=MINUTE)
    issuer.clock.advance(seconds=10 * MINUTE)
    for shown in (token, token[:-4] + "AAAA", f"{token},{token}"):
        reply = api.get("/invoices", shown, query=f"access_token={token}")
        told = reply.body.decode() + str(reply.headers) + log.text
        assert not [part for part in token.split(".") if part in told]


# What is wrong in the code is found when it is written


@pytest.mark.parametrize(
    "operation", ["", "*", "Read", "read invoices", "guestpass.nothing", "a" * 65, 7, test_a_refusal_has_one_shape]
)
def test_an_operation_that_there_cannot_be_is_found_at_once(auth, operation):
    with pytest.raises(ValidationFailed) as refused:
        auth.require(operation)
    assert refused.value.details[0].path == "operation"


def test_so_is_an_age_that_there_cannot_be(auth):
    with pytest.raises(ValidationFailed, match="max_age_seconds must be 0 or more"):
        auth.require("read_invoices", max_age_seconds=-1)


def test_so_is_an_issuer_that_is_missing(auth, monkeypatch):
    """In Django with the first request: settings are not there before."""
    monkeypatch.delenv("GUESTPASS_ISSUER", raising=False)
    with pytest.raises(ValidationFailed, match="GUESTPASS_ISSUER"):
        type(auth)().attach({}, _shown("x"))

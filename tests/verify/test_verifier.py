"""One line trusts a token: what the session says, what is refused, and what is written down."""

import logging
from datetime import UTC, datetime

import pytest
from msgspec import UNSET
from verifying import Api

from guestpass import Session, Verifier
from guestpass.core.tokens import kinds
from guestpass.errors import OperationNotAllowed, SessionSuspended, TokenError, TokenExpired, Unavailable
from guestpass.testing import FakeGuestpass

MINUTE = 60


def test_a_session_says_what_its_token_says(api, issuer):
    token = issuer.mint("user_42", organization_id="org_7", operations=["write", "read"], expires_in=600)
    session = api.verify(token)
    assert session == Session(
        id=issuer.session_id(token),
        user_id="user_42",
        organization_id="org_7",
        operations=("read", "write"),
        project_id=issuer.project_id,
        environment="test",
        issued_at=datetime(2030, 1, 1, tzinfo=UTC),
        expires_at=datetime(2030, 1, 1, 0, 10, tzinfo=UTC),
    )
    assert not session.suspended


def test_a_session_does_not_change(api, issuer):
    session = api.verify(issuer.mint())
    with pytest.raises(AttributeError):
        session.user_id = "somebody else"


@pytest.mark.parametrize(
    ("operations", "shown", "allowed"),
    [(None, ("*",), True), (["read"], ("read",), True), (["write"], ("write",), False), ([], (), False)],
)
def test_an_operation_is_allowed_that_the_token_names(api, issuer, operations, shown, allowed):
    session = api.verify(issuer.mint(operations=operations))
    assert session.operations == shown
    assert session.allows("read") is allowed
    if allowed:
        session.require("read")
        return
    with pytest.raises(OperationNotAllowed) as refused:
        session.require("read")
    assert (refused.value.code, refused.value.status) == ("OPERATION_NOT_ALLOWED", 403)


def test_no_operation_has_an_empty_name_and_the_star_is_none(api, issuer):
    """``require("")`` is a mistake in the code of the API; it lets nobody in."""
    assert not api.verify(issuer.mint()).allows("")
    assert not api.verify(issuer.mint(operations=["read"])).allows("*")
    assert not api.verify(issuer.mint(scope="")).allows("")


def test_an_absent_scope_allows_nothing(api, issuer):
    assert api.verify(issuer.mint(scope=UNSET)).operations == ()


@pytest.mark.parametrize("kind", [kinds.SESSION, kinds.ACCESS], ids=lambda kind: kind.name)
def test_session_and_access_tokens_are_accepted(api, issuer, kind):
    assert api.code(issuer.mint(kind=kind)) == "ok"


@pytest.mark.parametrize("kind", [kinds.SCRIPT, kinds.STATUS_LIST, kinds.CUT_LIST], ids=lambda kind: kind.name)
def test_no_other_kind_is(api, issuer, kind):
    assert api.code(issuer.mint(kind=kind)) == "TOKEN_TYPE_MISMATCH"


def test_what_an_issuer_publishes_is_no_token(api, issuer):
    api.verify(issuer.mint())  # so that its keys are known
    for path in ("/status-lists/1", "/status-lists/cuts"):
        assert api.code(issuer.document(path)) == "TOKEN_TYPE_MISMATCH"


@pytest.mark.parametrize("token", [None, ""])
def test_no_token_is_missing(api, token):
    assert api.code(token) == "TOKEN_MISSING"


@pytest.mark.parametrize(
    "token", [b"eyJ", 42, ["eyJ"], "nonsense", "gp_session_test_", "Bearer eyJ", "ey", "\ud83e", "ey." * 5000]
)
def test_what_is_no_token_is_malformed(api, token):
    assert api.code(token) == "TOKEN_MALFORMED"
    assert api.asked == []


def test_an_opaque_token_is_refused_where_nobody_may_ask(api, issuer):
    assert api.code(issuer.mint(format="opaque")) == "TOKEN_TYPE_MISMATCH"


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256", "HS256"])
def test_every_algorithm_works(service, algorithm):
    issuer = service.issuer("live", algorithm=algorithm)
    api = Api(issuer)
    assert api.verify(issuer.mint("user_42")).user_id == "user_42"
    assert api.code(service.issuer("test", algorithm=algorithm).mint()) == "TOKEN_ENVIRONMENT_MISMATCH"


def test_a_token_for_another_audience_is_refused(service):
    issuer = service.issuer(audience="https://api.example.com")
    assert Api(issuer).code(issuer.mint()) == "TOKEN_AUDIENCE_MISMATCH"
    assert Api(issuer, audience="https://api.example.com").code(issuer.mint()) == "ok"


def test_an_issuer_that_was_replaced_is_found_by_the_address_of_its_keys(service):
    issuer = service.issuer("live", url="https://accounts.customer.example")
    api = Api(issuer, jwks_url=f"{service.base_url}/live/.well-known/jwks.json")
    assert api.verify(issuer.mint("user_42")).environment == "live"


# Time


def test_a_token_dies_with_its_leeway(api, issuer):
    token = issuer.mint(expires_in=MINUTE)
    api.clock.advance(seconds=MINUTE + 4)
    assert api.code(token) == "ok"
    api.clock.advance(seconds=1)
    assert api.code(token) == "TOKEN_EXPIRED"


def test_a_leeway_is_ones_own(issuer):
    strict, loose = Api(issuer, leeway_seconds=0), Api(issuer, leeway_seconds=60)
    token, early = issuer.mint(expires_in=MINUTE), issuer.mint(not_before=int(issuer.clock()) + MINUTE)
    assert (strict.code(early), loose.code(early)) == ("TOKEN_NOT_YET_VALID", "ok")
    issuer.clock.advance(seconds=MINUTE)
    assert (strict.code(token), loose.code(token)) == ("TOKEN_EXPIRED", "ok")


def test_a_call_may_ask_for_a_fresh_token(api, issuer):
    token = issuer.mint()
    api.verify(token)
    api.clock.advance(seconds=MINUTE + 6)
    assert api.code(token, max_age_seconds=MINUTE) == "TOKEN_TOO_OLD"
    assert api.code(token, max_age_seconds=MINUTE + 1) == "ok"
    assert api.code(token, max_age_seconds=-1) == "VALIDATION_ERROR"


# What is written down


@pytest.fixture
def log(caplog):
    """The lines of the logger ``guestpass``."""
    caplog.set_level(logging.INFO, "guestpass")
    return caplog


def test_a_refusal_writes_one_line_with_code_session_and_request(api, issuer, log):
    token = issuer.mint(expires_in=MINUTE)
    api.verify(token)
    api.clock.advance(seconds=2 * MINUTE)
    assert api.code(token, request_id="req_1") == "TOKEN_EXPIRED"
    [line] = log.records
    assert line.getMessage() == (
        f"refused: TOKEN_EXPIRED session={issuer.session_id(token)} request=req_1:"
        " The token expired 60 s ago by this verifier's clock."
    )
    assert (line.name, line.levelname) == ("guestpass", "INFO")
    assert (line.code, line.session, line.request_id) == ("TOKEN_EXPIRED", issuer.session_id(token), "req_1")


def test_a_refused_operation_writes_one_line_too(api, issuer, log):
    token = issuer.mint(operations=["read"])
    with pytest.raises(OperationNotAllowed):
        api.verify(token).require("write", request_id="req_2")
    [line] = log.records
    assert (line.code, line.session, line.request_id) == (
        "OPERATION_NOT_ALLOWED", issuer.session_id(token), "req_2",
    )  # fmt: skip


def test_an_accepted_token_writes_none(api, issuer, log):
    api.verify(issuer.mint()).require("read")
    assert log.records == []


@pytest.mark.parametrize("request_id", ["a\nrefused: nobody", "", "x" * 129, "\u2028", "é", None])
def test_a_request_id_that_could_write_a_line_of_its_own_is_left_out(api, log, request_id):
    api.code("nonsense", request_id=request_id)
    [line] = log.records
    assert "request=-" in line.getMessage()
    assert line.request_id == "-"


def test_a_session_is_named_only_once_the_signature_holds(api, issuer, log):
    """What anyone may have written is no session's name."""
    token = issuer.mint()
    api.code(token[:-4] + "AAAA")
    assert "session=-" in log.records[0].getMessage()


def test_no_line_holds_a_token(api, issuer, log):
    token = issuer.mint(expires_in=MINUTE)
    api.clock.advance(seconds=3600)
    for shown in (token, token[:-4] + "AAAA", token[:40], f"x{token}"):
        api.code(shown)
    assert len(log.records) == 4
    assert all(part not in line.getMessage() for line in log.records for part in token.split("."))


def test_where_our_side_fails_the_line_is_a_warning(issuer, log):
    api = Api(issuer)
    with issuer.service.away():
        assert api.code(issuer.mint()) == "UNAVAILABLE"
    assert [line.levelname for line in log.records] == ["WARNING"]


# A verifier's own life


def test_a_verifier_that_was_closed_verifies_nothing(api, issuer):
    token = issuer.mint()
    api.verify(token)
    api.verifier.close()
    with pytest.raises(RuntimeError, match="closed"):
        api.verify(token)
    api.verifier.close()


def test_it_is_closed_by_with(issuer):
    with issuer.verifier() as verifier:
        verifier.verify(issuer.mint())
    with pytest.raises(RuntimeError, match="closed"):
        verifier.verify(issuer.mint())


async def test_it_is_closed_by_async_with(issuer):
    async with issuer.verifier() as verifier:
        await verifier.averify(issuer.mint())
    with pytest.raises(RuntimeError, match="closed"):
        await verifier.averify(issuer.mint())


def test_it_tells_its_issuer_and_no_secret(service):
    issuer = service.issuer(algorithm="HS256")
    verifier = issuer.verifier(mode="hybrid")
    assert repr(verifier) == "Verifier('https://guestpass.test/test', mode='hybrid')"


def test_making_one_asks_nothing(service, issuer):
    """An API starts whether or not the issuer runs; the first token finds out."""
    issuer.verifier()
    assert service.asked == []


def test_an_issuer_that_is_down_at_the_start_is_named(issuer, api):
    with issuer.service.away(), pytest.raises(Unavailable) as refused:
        api.verify(issuer.mint())
    assert "https://guestpass.test/test/.well-known/jwks.json: connection refused" in refused.value.message
    assert refused.value.status == 503
    assert refused.value.retry_after_seconds == 5


def test_a_suspended_session_says_so_where_something_goes_on(api, issuer):
    issuer.suspended_operations = ["read"]
    token = issuer.mint(operations=["read", "write"])
    issuer.suspend(token)
    session = api.verify(token)
    assert (session.suspended, session.operations) == (True, ("read",))
    with pytest.raises(SessionSuspended):
        session.require("write")


def test_errors_of_tokens_have_one_root():
    assert issubclass(TokenExpired, TokenError)
    assert not issubclass(Unavailable, TokenError)
    assert not issubclass(OperationNotAllowed, TokenError)


def test_a_verifier_finds_its_issuer_in_the_environment(monkeypatch):
    """And its secret key."""
    with FakeGuestpass() as service:
        issuer = service.issuer()
        monkeypatch.setenv("GUESTPASS_ISSUER", issuer.url)
        monkeypatch.setenv("GUESTPASS_SECRET_KEY", issuer.secret_key)
        with Verifier(clock=issuer.clock, http_client=service.http_client) as verifier:
            assert verifier.verify(issuer.mint("ada", format="opaque")).user_id == "ada"

"""``introspect`` and ``hybrid``: when the server is asked, what its answer means, and what happens without one."""

import httpx2
import pytest
from msgspec import UNSET
from verifying import Api

from guestpass import MemoryReplayGuard
from guestpass.errors import Unavailable

ASK, WHY = "/oauth/introspect", "/v1/tokens/verify"
POLL = 5


@pytest.fixture(params=["sync", "async"])
def hybrid(request, issuer):
    return Api(issuer, request.param, mode="hybrid")


@pytest.fixture(params=["sync", "async"])
def introspect(request, issuer):
    return Api(issuer, request.param, mode="introspect")


def asks(api):
    return api.asked.count(ASK)


# Hybrid


def test_hybrid_asks_nothing_about_a_signed_token(hybrid, issuer):
    token = issuer.mint()
    assert hybrid.codes(token, token) == ["ok", "ok"]
    assert asks(hybrid) == 0


def test_hybrid_asks_about_every_opaque_token_every_time(hybrid, issuer):
    """An answer counts for the request that asked: a revoke is seen at once."""
    token = issuer.mint("ada", organization_id="acme", operations=["read"], format="opaque")
    session = hybrid.verify(token)
    assert (session.id, session.user_id, session.organization_id) == (issuer.session_id(token), "ada", "acme")
    assert session.operations == ("read",)
    hybrid.verify(token)
    issuer.revoke(token)
    assert hybrid.code(token) == "TOKEN_REVOKED"
    assert asks(hybrid) == 3


def test_an_opaque_token_ends_with_its_time_and_is_as_fresh_as_it_says(hybrid, issuer):
    token = issuer.mint(format="opaque", expires_in=120)
    hybrid.clock.advance(seconds=60)
    assert hybrid.code(token, max_age_seconds=30) == "TOKEN_TOO_OLD"
    hybrid.clock.advance(seconds=60)
    assert hybrid.code(token) == "TOKEN_EXPIRED"


def test_an_opaque_token_that_was_mistyped_is_not_asked_about(hybrid, issuer):
    token = issuer.mint(format="opaque")
    assert (
        hybrid.codes(token[:-1] + ("0" if token[-1] != "0" else "1"), token[:-1], f"{token}x")
        == ["TOKEN_MALFORMED"] * 3
    )
    assert hybrid.code(service_live_token(issuer)) == "TOKEN_ENVIRONMENT_MISMATCH"
    assert asks(hybrid) == 0


def service_live_token(issuer):
    return issuer.service.issuer("live").mint(format="opaque")


def test_one_that_the_server_does_not_know_is_refused(hybrid, issuer):
    """With the reason that it gives."""
    assert (
        hybrid.code(issuer.service.issuer("test", project_id=OTHER).mint(format="opaque")) == "TOKEN_SIGNATURE_INVALID"
    )


OTHER = "proj_01hf7yat00000000000000000b"


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        ({"valid": False, "code": "TOKEN_EXPIRED"}, "TOKEN_EXPIRED"),
        ({"valid": False, "code": "SESSION_SUSPENDED"}, "SESSION_SUSPENDED"),
        ({"valid": False, "code": "SOMETHING_NEW"}, "TOKEN_REVOKED"),
        ({"valid": False, "code": "NOT_FOUND"}, "TOKEN_REVOKED"),
        ({"valid": False, "code": None}, "TOKEN_REVOKED"),
        ({"valid": True}, "TOKEN_REVOKED"),
        ({}, "TOKEN_REVOKED"),
        ("<html>", "TOKEN_REVOKED"),
        (500, "TOKEN_REVOKED"),
    ],
)
def test_not_active_is_refused_whatever_the_reason_turns_out_to_be(hybrid, issuer, verdict, code):
    """Without one it counts as revoked: that invites no browser to fetch another."""
    token = issuer.mint(format="opaque")

    def answer(request):
        if request.url.path == ASK:
            return httpx2.Response(200, json={"active": False})
        return httpx2.Response(verdict) if isinstance(verdict, int) else httpx2.Response(200, json=verdict)

    with issuer.service.answering(answer):
        assert hybrid.code(token) == code


ACTIVE_BUT = {
    "nothing else": {"active": True},
    "a time that is text": {"exp": "1"},
    "another issuer's": {"iss": "https://evil.example/test"},
    "for another audience": {"aud": "https://evil.example"},
    "of the other environment": {"environment": "live"},
    "expired": {"exp": 1},
    "not begun": {"nbf": 9_999_999_999},
    "active that is text": {"active": "true"},
    "active that is a number": {"active": 1},
}


@pytest.mark.parametrize("name", ACTIVE_BUT)
def test_an_answer_is_held_against_the_checklist_too(hybrid, issuer, name):
    token = issuer.mint(format="opaque")
    answer = ACTIVE_BUT[name] if name == "nothing else" else issuer.introspect(token) | ACTIVE_BUT[name]
    with issuer.service.answering(lambda _: httpx2.Response(200, json=answer)):
        assert hybrid.code(token) != "ok"


@pytest.mark.parametrize(
    "response",
    [401, 403, 404, 429, 500, 302, httpx2.ConnectError("refused"), httpx2.ReadTimeout("slow")],
    ids=str,
)
def test_without_an_answer_an_opaque_token_is_our_fault(hybrid, issuer, response):
    token = issuer.mint(format="opaque")

    def answer(_request):
        if isinstance(response, Exception):
            raise response
        return httpx2.Response(response, headers={"location": "https://evil.example/"})

    with issuer.service.answering(answer), pytest.raises(Unavailable) as refused:
        hybrid.verify(token)
    assert "https://guestpass.test/oauth/introspect" in refused.value.message
    assert issuer.secret_key not in repr(refused.value)
    assert token not in refused.value.message
    assert refused.value.__cause__ is None


def test_neither_token_nor_key_is_in_an_address(hybrid, issuer):
    seen = []
    token = issuer.mint(format="opaque")
    issuer.revoke(token)
    with issuer.service.answering(seen.append):
        hybrid.code(token)
    assert [request.url.path for request in seen] == [ASK, WHY]
    assert all(token not in str(request.url) and issuer.secret_key not in str(request.url) for request in seen)
    assert all(request.headers["authorization"] == f"Bearer {issuer.secret_key}" for request in seen)


# While lists are stale


def lists_away(request):
    return httpx2.Response(503) if "status-lists" in request.url.path else None


def test_hybrid_asks_while_the_lists_cannot_be_fetched(hybrid, issuer):
    """And sees a revoke at once; when they come back it asks no more."""
    token, ended = issuer.mint(), issuer.mint()
    hybrid.codes(token, ended)
    issuer.revoke(ended)
    with issuer.service.answering(lists_away):
        hybrid.clock.advance(seconds=POLL)
        assert hybrid.codes(token, ended) == ["ok", "TOKEN_REVOKED"]
        assert asks(hybrid) == 2
        hybrid.clock.advance(seconds=1000)
        assert hybrid.code(token) == "ok", "however long that lasts"
    hybrid.clock.advance(seconds=POLL)
    before = asks(hybrid)
    assert hybrid.codes(token, ended) == ["ok", "TOKEN_REVOKED"]
    assert asks(hybrid) == before


def test_hybrid_asks_before_any_list_was_ever_fetched(hybrid, issuer):
    with issuer.service.answering(lists_away):
        assert hybrid.code(issuer.mint()) == "ok"


def test_hybrid_goes_on_with_stale_lists_where_nobody_answers_at_all(hybrid, issuer):
    token = issuer.mint()
    hybrid.verify(token)
    with issuer.service.away():
        hybrid.clock.advance(seconds=POLL)
        assert hybrid.codes(token, token, token) == ["ok"] * 3
        assert asks(hybrid) == 1, "one question finds out; the next is asked in five seconds"
        hybrid.clock.advance(seconds=301)
        assert hybrid.code(token) == "UNAVAILABLE"


def test_an_answer_about_another_session_is_none(hybrid, issuer):
    token, other = issuer.mint(), issuer.mint()
    answer = issuer.introspect(other)

    def stand_in(request):
        return lists_away(request) or (httpx2.Response(200, json=answer) if request.url.path == ASK else None)

    with issuer.service.answering(stand_in):
        assert hybrid.code(token) == "UNAVAILABLE"


def test_hybrid_asks_about_a_token_that_names_no_list(hybrid, issuer):
    token = issuer.mint(status=UNSET)
    assert hybrid.code(token) == "ok"
    assert asks(hybrid) == 1


# Tokens whose uses are counted


def test_hybrid_lets_the_server_count_uses_without_a_guard(hybrid, issuer):
    token = issuer.mint(max_uses=2)
    assert hybrid.codes(token, token, token) == ["ok", "ok", "TOKEN_REPLAYED"]


def test_with_a_guard_the_guard_alone_counts(issuer):
    api = Api(issuer, mode="hybrid", replay_guard=MemoryReplayGuard(clock=issuer.clock))
    token = issuer.mint(max_uses=2)
    assert api.codes(token, token, token) == ["ok", "ok", "TOKEN_REPLAYED"]
    assert asks(api) == 0


def test_a_use_that_the_server_counted_is_not_counted_twice(hybrid, issuer):
    """One question while the lists are stale is one use."""
    token = issuer.mint(max_uses=2)
    with issuer.service.answering(lists_away):
        assert hybrid.codes(token, token, token) == ["ok", "ok", "TOKEN_REPLAYED"]
    assert asks(hybrid) == 3


# Introspect


def test_introspect_asks_about_every_token_and_sees_a_revoke_at_once(introspect, issuer):
    token, opaque = issuer.mint(), issuer.mint(format="opaque")
    assert introspect.codes(token, token, opaque) == ["ok"] * 3
    issuer.revoke(token, reissue=True)
    assert introspect.codes(token, opaque) == ["TOKEN_REVOKED", "ok"]
    assert asks(introspect) == 5
    assert not [path for path in introspect.asked if "status-lists" in path]


def test_introspect_holds_a_signed_token_against_the_checklist_first(introspect, issuer):
    """What no issuer signed is not worth a question."""
    token = issuer.mint()
    assert introspect.code(token[:-4] + "AAAA") == "TOKEN_SIGNATURE_INVALID"
    introspect.clock.advance(seconds=4000)
    assert introspect.code(token) == "TOKEN_EXPIRED"
    assert asks(introspect) == 0


def test_introspect_without_an_answer_is_our_fault(introspect, issuer):
    token = issuer.mint()
    introspect.verify(token)
    with issuer.service.away():
        assert introspect.code(token) == "UNAVAILABLE"


def test_a_scope_that_the_server_cut_is_cut(introspect, issuer):
    """As it is while a session is suspended: what is left goes on, the rest is refused as suspended."""
    token = issuer.mint(operations=["read", "write"])
    cut = issuer.introspect(token) | {"scope": "read never_granted"}
    with issuer.service.answering(lambda r: httpx2.Response(200, json=cut) if r.url.path == ASK else None):
        session = introspect.verify(token)
        assert (session.operations, session.suspended) == (("read",), True)
    nothing = cut | {"scope": ""}
    with issuer.service.answering(lambda r: httpx2.Response(200, json=nothing) if r.url.path == ASK else None):
        assert introspect.code(token) == "SESSION_SUSPENDED"

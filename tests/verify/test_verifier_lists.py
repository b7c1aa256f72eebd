"""A revoke is seen within the poll, and nothing that was ended lives again."""

import random
import tracemalloc

import httpx2
import pytest
from msgspec import UNSET
from verifying import CUTS, LIST, Api, answering, ok

from guestpass.core.revocation import status_list
from guestpass.core.tokens.claims import Status, StatusListEntry
from guestpass.errors import TokenRevoked, Unavailable, asks_for_a_new_token
from guestpass.verify.lists import Shelf

POLL = 5


def fetches(api, path=LIST):
    return api.asked.count(path)


# A revoke


def test_a_revoke_is_seen_with_the_next_poll(api, issuer):
    token, other = issuer.mint(), issuer.mint()
    api.verify(token)
    issuer.revoke(token)
    api.clock.advance(seconds=POLL - 2)
    assert api.code(token) == "ok", "the list is not due"
    api.clock.advance(seconds=2)
    assert api.codes(token, other) == ["TOKEN_REVOKED", "ok"]


def test_a_token_that_was_revoked_before_it_was_ever_seen_is_refused(api, issuer):
    token = issuer.mint()
    issuer.revoke(token)
    assert api.code(token) == "TOKEN_REVOKED"


@pytest.mark.parametrize("reissue", [True, False])
def test_a_browser_is_asked_to_fetch_again_only_after_a_revoke_with_reissue(api, issuer, reissue):
    token, cut = issuer.mint("ada"), issuer.mint("bob")
    issuer.revoke(token, reissue=reissue)
    issuer.revoke_all(user_id="bob", reissue=reissue)
    for each in (token, cut):
        with pytest.raises(TokenRevoked) as refused:
            api.verify(each)
        assert asks_for_a_new_token(refused.value) is reissue


def test_of_several_revokes_the_one_without_reissue_wins(api, issuer):
    token = issuer.mint("ada")
    issuer.revoke_all(user_id="ada", reissue=True)
    api.code(token)
    issuer.revoke(token, reissue=False)
    issuer.revoke_all(reissue=True)
    api.clock.advance(seconds=POLL)
    with pytest.raises(TokenRevoked) as refused:
        api.verify(token)
    assert not asks_for_a_new_token(refused.value)


def test_a_bulk_revoke_is_seen_with_the_next_poll_and_spares_what_comes_after(api, issuer):
    """By user, by organization, and of everybody; minted after it in the same millisecond lives."""
    ada, bob = issuer.mint("ada", organization_id="acme"), issuer.mint("bob", organization_id="acme")
    eve = issuer.mint("eve", organization_id="other")
    assert api.codes(ada, bob, eve) == ["ok"] * 3
    issuer.revoke_all(user_id="ada")
    ada_again = issuer.mint("ada", organization_id="acme")
    api.clock.advance(seconds=POLL)
    assert api.codes(ada, ada_again, bob, eve) == ["TOKEN_REVOKED", "ok", "ok", "ok"]
    issuer.revoke_all(organization_id="acme")
    api.clock.advance(seconds=POLL)
    assert api.codes(ada_again, bob, eve) == ["TOKEN_REVOKED", "TOKEN_REVOKED", "ok"]
    issuer.revoke_all()
    api.clock.advance(seconds=POLL)
    assert api.codes(eve, issuer.mint("eve")) == ["TOKEN_REVOKED", "ok"]


def test_a_token_without_tags_is_ended_by_every_bulk_revoke(api, issuer):
    """It was made before tokens had tags: nobody can tell whom a cut was meant for, so it counts."""
    status = Status(status_list=StatusListEntry(idx=5, uri="https://guestpass.test/test/status-lists/1"))
    token = issuer.mint("ada", status=status)
    assert api.code(token) == "ok"
    issuer.revoke_all(user_id="bob")
    api.clock.advance(seconds=POLL)
    assert api.codes(token, issuer.mint("eve")) == ["TOKEN_REVOKED", "ok"]


def test_a_token_that_names_no_list_is_refused_where_nobody_may_ask(api, issuer):
    """Nobody here could tell whether it was revoked: it is not good only because nothing is known."""
    assert api.code(issuer.mint(status=UNSET)) == "TOKEN_MALFORMED"


# Polling


def test_lists_are_polled_once_in_the_interval_whoever_asks(api, issuer):
    for _ in range(3):
        tokens = [issuer.mint() for _ in range(5)]
        for _ in range(4):
            assert set(api.codes(*tokens)) == {"ok"}
        api.clock.advance(seconds=POLL)
    assert (fetches(api), fetches(api, CUTS)) == (3, 3)


def test_a_list_that_did_not_change_is_not_sent_again(api, issuer):
    token, sent = issuer.mint(), []

    def watch(request):
        sent.append((request.url.path, "if-none-match" in request.headers))

    with issuer.service.answering(watch):
        for _ in range(3):
            api.verify(token)
            api.clock.advance(seconds=POLL)
    assert [is_conditional for path, is_conditional in sent if path == LIST] == [False, True, True]
    assert [is_conditional for path, is_conditional in sent if path == CUTS] == [False, True, True]


def test_a_list_that_says_ttl_is_polled_as_often_as_that(issuer):
    api = Api(issuer, poll_seconds=60)
    token = issuer.mint()
    api.verify(token)
    api.clock.advance(seconds=POLL)
    api.verify(token)
    assert fetches(api) == 2, "the issuer's lists say ttl 5"


def test_a_list_leaves_with_its_last_token(api, issuer):
    """Memory holds the lists in use, not those of last year."""
    shelf = api.verifier._shelf
    for number in range(1, 6):
        entry = StatusListEntry(idx=number, uri=f"https://guestpass.test/test/status-lists/{number}")
        api.code(issuer.mint(expires_in=60, status=Status(status_list=entry, cuts=())))
    assert len(shelf) == 5
    api.clock.advance(seconds=121)
    entry = StatusListEntry(idx=1, uri="https://guestpass.test/test/status-lists/6")
    api.code(issuer.mint(status=Status(status_list=entry, cuts=())))
    assert len(shelf) == 1


def test_no_number_of_lists_takes_more_room_than_its_bound(issuer, service):
    """An issuer may have millions; those used last are kept."""
    shelf = Shelf(None, clock=service.clock, tick=service.clock, poll_seconds=5, stale_seconds=0)
    publisher = issuer.verifier()._desks.home
    for number in range(1100):
        shelf.find(publisher, f"https://guestpass.test/test/status-lists/{number}", exp=2_000_000_000, now=0)
        service.clock.advance(seconds=1)
    assert len(shelf) == 1024


def test_a_million_sessions_are_known_in_two_mebibytes(issuer):
    """Sixteen full lists, at worst half of each revoked, and a thousand cuts."""
    api = Api(issuer)
    lists = {}
    rng = random.Random(1)
    for number in range(1, 17):
        path, uri = f"/status-lists/{number}", f"https://guestpass.test/test/status-lists/{number}"
        packed = bytes(byte & 0x55 for byte in rng.randbytes(16_384))
        iat = int(issuer.clock())
        lists["/test" + path] = status_list.publish(packed, uri=uri, iat=iat, exp=iat + 900, ttl=5, key=issuer.key)
    for number in range(1000):
        issuer.revoke_all(user_id=f"gone_{number}")
    tokens = [
        issuer.mint(status=Status(status_list=StatusListEntry(idx=0, uri=f"https://guestpass.test{path}"), cuts=()))
        for path in lists
    ]
    api.code(issuer.mint())
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    with issuer.service.answering(lambda r: ok(lists[r.url.path]) if r.url.path in lists else None):
        api.codes(*tokens)
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(api.verifier._shelf) == len(lists) == 16
    assert held < 2 * 1024 * 1024, held


# While it cannot be fetched


def test_a_list_counts_for_max_stale_seconds_more_and_then_it_is_our_fault(api, issuer):
    """Never a 401: the token may be good."""
    token, ended = issuer.mint(), issuer.mint()
    issuer.revoke(ended)
    api.codes(token, ended)
    with issuer.service.away():
        for seconds in (POLL, 295, 5):
            api.clock.advance(seconds=seconds)
            assert api.codes(token, ended) == ["ok", "TOKEN_REVOKED"]
        api.clock.advance(seconds=1)
        with pytest.raises(Unavailable) as refused:
            api.verify(token)
    assert refused.value.status == 503
    assert refused.value.retry_after_seconds == POLL
    assert "https://guestpass.test/test/status-lists/1: connection refused" in refused.value.message
    api.clock.advance(seconds=POLL)
    assert api.codes(token, ended) == ["ok", "TOKEN_REVOKED"]


def test_with_no_patience_a_list_ends_with_its_poll(issuer):
    api, token = Api(issuer, max_stale_seconds=0), issuer.mint()
    api.verify(token)
    with issuer.service.away():
        api.clock.advance(seconds=POLL + 1)
        assert api.code(token) == "UNAVAILABLE"


def test_a_cut_list_that_cannot_be_fetched_is_as_bad(api, issuer):
    token = issuer.mint()
    api.verify(token)
    with issuer.service.answering(answering(CUTS, httpx2.Response(500))):
        api.clock.advance(seconds=306)
        with pytest.raises(Unavailable, match="status-lists/cuts"):
            api.verify(token)


def test_an_issuer_that_is_away_is_not_asked_for_every_token(api, issuer):
    token = issuer.mint()
    api.verify(token)
    with issuer.service.away():
        api.clock.advance(seconds=POLL)
        before = fetches(api)
        assert set(api.codes(*[token] * 10)) == {"ok"}
        assert fetches(api) == before + 1


# Nothing lives again


def test_a_late_answer_revives_nobody(api, issuer):
    """A cache that fell behind, a slow answer of another server: what was ended stays so."""
    token, cut = issuer.mint("ada"), issuer.mint("bob")
    old_list, old_cuts = issuer.document("/status-lists/1"), issuer.document("/status-lists/cuts")
    issuer.revoke(token)
    issuer.revoke_all(user_id="bob")
    assert api.codes(token, cut) == ["TOKEN_REVOKED", "TOKEN_REVOKED"]
    api.clock.advance(seconds=POLL)

    def late(request):
        return ok({LIST: old_list, CUTS: old_cuts}.get(request.url.path)) if "lists" in request.url.path else None

    with issuer.service.answering(late):
        assert api.codes(token, cut, issuer.mint("eve")) == ["TOKEN_REVOKED", "TOKEN_REVOKED", "ok"]
        api.clock.advance(seconds=POLL)
        assert api.codes(token, cut) == ["TOKEN_REVOKED", "TOKEN_REVOKED"]


def test_a_cut_may_leave_its_list_when_the_entries_are_set(api, issuer):
    """As a server does that has caught up; who knew the cut keeps it, who did not sees the entries."""
    token = issuer.mint("ada")
    issuer.revoke_all(user_id="ada")
    assert api.code(token) == "TOKEN_REVOKED"
    issuer.cuts.clear()
    api.clock.advance(seconds=POLL)
    assert api.code(token) == "TOKEN_REVOKED"
    issuer.revoke(token)
    assert api.with_options().code(token) == "TOKEN_REVOKED"


# Suspended


def test_a_suspended_session_is_refused_and_goes_on_when_it_is_resumed(api, issuer):
    token = issuer.mint()
    api.verify(token)
    issuer.suspend(token)
    api.clock.advance(seconds=POLL)
    assert api.code(token) == "SESSION_SUSPENDED"
    issuer.resume(token)
    api.clock.advance(seconds=POLL)
    assert api.code(token) == "ok"


def test_what_goes_on_is_read_again_with_the_lists(api, issuer):
    token = issuer.mint(operations=["read", "write"])
    issuer.suspend(token)
    assert api.code(token) == "SESSION_SUSPENDED"
    issuer.suspended_operations = ["read", "never_granted"]
    assert api.code(token) == "SESSION_SUSPENDED"
    api.clock.advance(seconds=POLL)
    assert api.verify(token).operations == ("read",)
    issuer.suspended_operations = []
    api.clock.advance(seconds=POLL)
    assert api.code(token) == "SESSION_SUSPENDED"


@pytest.mark.parametrize(
    "document",
    [
        httpx2.Response(500),
        httpx2.Response(200, text="<html>"),
        httpx2.Response(200, json={"issuer": "https://evil.example", "suspendedOperations": ["read"]}),
        httpx2.Response(200, json={"issuer": "https://guestpass.test/test", "suspendedOperations": "read"}),
        httpx2.Response(200, json={"issuer": "https://guestpass.test/test", "suspendedOperations": ["read", "*"]}),
        httpx2.Response(200, json={"issuer": "https://guestpass.test/test"}),
    ],
    ids=["an error", "no JSON", "another issuer's", "no list", "no operations", "nothing named"],
)
def test_where_that_is_not_known_nothing_goes_on(api, issuer, document):
    token = issuer.mint(operations=["read"])
    issuer.suspend(token)
    with issuer.service.answering(answering("/test/.well-known/oauth-authorization-server", document)):
        assert api.code(token) == "SESSION_SUSPENDED"


def test_discovery_is_asked_only_for_a_suspended_session(api, issuer):
    api.verify(issuer.mint())
    assert not [path for path in api.asked if "oauth-authorization-server" in path]

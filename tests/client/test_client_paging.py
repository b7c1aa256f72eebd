"""Lists are one iterator, however many pages the server makes of them."""

from datetime import UTC, datetime

import pytest
from scripted_service import LISTED, Host, refusal, reply

from guestpass.errors import RateLimited, ValidationFailed


def page(*names, then=None):
    return reply(200, {"data": [LISTED | {"id": f"sess_{name}"} for name in names], "nextCursor": then})


def test_all_pages_are_one_iterator(host, service):
    service.will(page("a", "b", then="c1"), page("c", then="c2"), page("d"))
    sessions = host.all(lambda gp: gp.sessions.list())
    assert [s.id for s in sessions] == ["sess_a", "sess_b", "sess_c", "sess_d"]
    assert [r.url.params.get("cursor") for r in service.requests] == [None, "c1", "c2"]


def test_an_empty_page_in_the_middle_does_not_end_the_list(host, service):
    service.will(page("a", then="c1"), page(then="c2"), page("b"))
    assert len(host.all(lambda gp: gp.sessions.list())) == 2


def test_filters_go_with_every_page(host, service):
    service.will(page("a", then="c1"), page("b"))
    host.all(
        lambda gp: gp.sessions.list(
            external_user_id="user_42", external_organization_id="org_7", status="active", limit=100
        )
    )
    for request in service.requests:
        filters = dict(request.url.params)
        filters.pop("cursor", None)
        assert filters == {
            "externalUserId": "user_42",
            "externalOrganizationId": "org_7",
            "status": "active",
            "limit": "100",
        }


@pytest.mark.parametrize("user_id", ["a b", "a+b&c=d#e?f", "é/../%41", "😀", "'\"<>"])
def test_a_filter_reaches_the_server_exactly_as_it_was_given(host, service, user_id):
    service.will(page())
    host.all(lambda gp: gp.sessions.list(external_user_id=user_id))
    assert service.last.url.params["externalUserId"] == user_id


def test_a_filter_that_is_not_text_is_refused_unsent(host, service):
    with pytest.raises(ValidationFailed):
        host.all(lambda gp: gp.sessions.list(external_user_id="\ud800"))
    assert service.requests == []


def test_pages_are_asked_for_only_as_they_are_needed(service):
    service.will(page("a", then="c1"), page("b"))
    sessions = Host("sync", service).gp.sessions.list()
    assert service.requests == []
    assert next(sessions).id == "sess_a"
    assert len(service.requests) == 1


def test_a_page_that_is_refused_for_a_moment_is_asked_for_again(host, service):
    service.will(page("a", then="c1"), refusal(429, "RATE_LIMITED"), page("b"))
    assert len(host.all(lambda gp: gp.sessions.list())) == 2


def test_a_page_that_stays_refused_raises_in_the_loop(host, service):
    service.will(page("a", then="c1"), refusal(429, "RATE_LIMITED"))
    with pytest.raises(RateLimited):
        host.all(lambda gp: gp.sessions.list())


def test_what_was_done_is_one_typed_iterator(host, service):
    told = {
        "id": "evt_01jd9x3m5n7p8q9r0s1t2v3w4x", "action": "session.revoked", "actor": "session", "targets": ["sess_a"],
        "at": "2026-11-21T10:00:00.125Z", "requestId": None, "detail": {"scope": "session", "new": 1}, "personal": None,
    }  # fmt: skip
    pages = [
        {"data": [told], "nextCursor": "c1"},
        {"data": [told | {"personal": {"network": "n"}}], "nextCursor": None},
    ]
    service.will(*(reply(200, each) for each in pages))
    found = host.all(lambda gp: gp.audit_events.list(action="session.revoked", target="sess_a", limit=1))
    assert [request.url.raw_path.decode() for request in service.requests] == [
        "/v1/audit-events?action=session.revoked&target=sess_a&limit=1",
        "/v1/audit-events?action=session.revoked&target=sess_a&limit=1&cursor=c1",
    ]
    assert found[0].at == datetime(2026, 11, 21, 10, 0, 0, 125_000, tzinfo=UTC)
    assert (found[0].targets, found[0].detail["scope"], found[0].personal) == (["sess_a"], "session", None)
    assert found[1].personal == {"network": "n"}

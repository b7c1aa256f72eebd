"""What is odd about a refresh: each rule at its edge, with the evidence that it gives."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from guestpass.core.anomalies import PAUSE_MS, RATE_MAX, RATE_MS, anomalies_of
from guestpass.core.recent_refreshes import RECENT_MAX, Origin, Refresh, read, with_one_more

HOME = Origin.of(ip_address("203.0.113.7"), "Firefox")
PHONE = Origin.of(ip_address("198.51.100.9"), "Firefox")
UPDATED = Origin.of(ip_address("203.0.113.8"), "Firefox 2")
ELSEWHERE = Origin.of(ip_address("2001:db8:7::1"), "curl")
UNKNOWN = Origin.of(None, "curl")
NOW = 1_893_456_000_000


def kinds(before, refresh, last_ms=NOW):
    return [anomaly.kind for anomaly in anomalies_of(kept(before), refresh, last_ms=last_ms)]


def kept(before):
    recent = b""
    for refresh in before:
        recent = with_one_more(recent, refresh)
    return recent


def rotations(count, *, apart_ms=1000):
    """The last ``count`` refreshes, the newest ``apart_ms`` ago."""
    return [Refresh(NOW - apart_ms * back, rotated=True, origin=HOME) for back in range(count, 0, -1)]


@pytest.mark.parametrize(
    ("before", "odd"),
    [
        (rotations(RATE_MAX - 1), []),
        (rotations(RATE_MAX), ["rate"]),
        (rotations(RATE_MAX + 1), []),
        (rotations(RATE_MAX, apart_ms=RATE_MS // RATE_MAX), []),
        ([*rotations(RATE_MAX - 1, apart_ms=1), Refresh(NOW, rotated=False, origin=HOME)], []),
    ],
    ids=["the tenth in a minute", "the eleventh", "those after it: told once", "ten in a whole minute", "a tab more that asks for the same"],
)  # fmt: skip
def test_too_many_in_a_minute(before, odd):
    assert kinds(before, Refresh(NOW, rotated=True, origin=HOME)) == odd


@pytest.mark.parametrize(
    ("origin", "odd"),
    [(HOME, []), (PHONE, []), (UPDATED, []), (UNKNOWN, []), (ELSEWHERE, ["origin"])],
    ids=["nothing changed", "another network", "another agent", "an address that is not known", "both at once"],
)
@pytest.mark.parametrize("rotated", [True, False], ids=["rotated", "within the grace"])
def test_network_and_agent_at_once(origin, odd, rotated):
    before = rotations(1)
    assert kinds(before, Refresh(NOW, rotated, origin)) == odd
    assert kinds([], Refresh(NOW, rotated, origin)) == [], "the first of a session changes nothing"


def test_a_change_of_both_shows_both_and_no_machine():
    (found,) = anomalies_of(kept(rotations(1)), Refresh(NOW, rotated=True, origin=ELSEWHERE), last_ms=NOW)
    assert found.evidence["networkBefore"] == "203.0.113.0/24"
    assert found.evidence["network"] == "2001:db8:7::/48"
    assert found.evidence["agent"] != found.evidence["agentBefore"]


@pytest.mark.parametrize(("pause_ms", "odd"), [(PAUSE_MS - 1, []), (PAUSE_MS, ["pause"])])
def test_the_first_after_days(pause_ms, odd):
    assert kinds([], Refresh(NOW, rotated=True, origin=HOME), last_ms=NOW - pause_ms) == odd
    assert kinds([], Refresh(NOW, rotated=False, origin=HOME), last_ms=NOW - pause_ms) == []


def test_what_is_kept_is_bounded_and_says_what_went_in():
    recent = b""
    for number in range(3 * RECENT_MAX):
        recent = with_one_more(recent, Refresh(NOW + number, rotated=True, origin=HOME))
    assert [one.at_ms for one in read(recent)] == [NOW + number for number in range(2 * RECENT_MAX, 3 * RECENT_MAX)]
    assert read(recent)[-1] == Refresh(NOW + 3 * RECENT_MAX - 1, rotated=True, origin=HOME)


def test_many_who_ask_for_the_same_push_nothing_out_unless_they_come_from_elsewhere():
    recent = with_one_more(b"", Refresh(NOW, rotated=True, origin=HOME))
    assert with_one_more(recent, Refresh(NOW + 1, rotated=False, origin=HOME)) == recent
    assert len(read(with_one_more(recent, Refresh(NOW + 1, rotated=False, origin=ELSEWHERE)))) == 2

"""When a delivery is tried again, and when an endpoint gets nothing any more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.core.webhooks import schedule
from guestpass.core.webhooks.schedule import ATTEMPTS_MAX, DISABLED_AFTER_MS, Outcome, judge

DAY_MS = 86_400_000


def after(status=500, retry_after=None, *, attempts=1, failing_ms=0, chance=0.0):
    return judge(status, retry_after, attempts=attempts, failing_ms=failing_ms, chance=chance)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_delivered(status):
    assert after(status) == Outcome("delivered")


@pytest.mark.parametrize("status", [None, 100, 301, 302, 307, 308, 304, 400, 401, 404, 408, 429, 500, 503])
def test_all_else_is_tried_again(status):
    """A redirect too: nobody is sent elsewhere."""
    assert after(status) == Outcome("retried", 5_000)


def test_the_pauses_are_those_of_standard_webhooks():
    pauses = [after(attempts=n).pause_ms // 1000 for n in range(1, ATTEMPTS_MAX)]
    assert pauses == [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert 3 * DAY_MS < sum(pauses) * 1000 < 3.2 * DAY_MS


def test_the_last_attempt_is_the_last():
    assert after(attempts=ATTEMPTS_MAX) == Outcome("failed")
    assert after(200, attempts=ATTEMPTS_MAX + 1) == Outcome("delivered")


@given(st.integers(1, ATTEMPTS_MAX - 1), st.floats(0, 1, exclude_max=True))
def test_chance_only_makes_a_pause_longer_and_by_a_fifth_at_most(attempts, chance):
    pause = schedule.PAUSES_SECONDS[attempts - 1] * 1000
    assert pause <= after(attempts=attempts, chance=chance).pause_ms <= pause * 1.2


@pytest.mark.parametrize(
    ("asked", "pause_ms"),
    [("120", 120_000), ("1", 5_000), ("86400", DAY_MS), ("999999999", DAY_MS), ("0", 5_000), ("-7", 5_000), ("1e9", 5_000),
     ("Wed, 21 Oct 2030 07:28:00 GMT", 5_000), ("", 5_000), ("9" * 40, 5_000), ("\u0661\u0662", 5_000)],
)  # fmt: skip
def test_retry_after_makes_a_pause_longer_up_to_a_day(asked, pause_ms):
    assert after(429, asked).pause_ms == pause_ms


def test_gone_disables_at_once():
    assert after(410) == Outcome("failed", disables="gone")


def test_five_days_without_a_success_disable():
    assert after(failing_ms=DISABLED_AFTER_MS - 1).disables is None
    assert after(failing_ms=DISABLED_AFTER_MS).disables == "failing"
    assert after(None, attempts=ATTEMPTS_MAX, failing_ms=DISABLED_AFTER_MS) == Outcome("failed", 0, "failing")
    assert after(200, failing_ms=DISABLED_AFTER_MS).disables is None

"""The sliding minute: never more than the limit in any of its minutes, and a wait that is as long as it says."""

from hypothesis import given
from hypothesis import strategies as st

from guestpass.core.sliding_window import PERIOD_SECONDS, seconds_to_wait

COUNTS = st.integers(0, 300)
LIMITS = st.integers(1, 200)
ELAPSED = st.floats(0, PERIOD_SECONDS, exclude_max=True)


def at(before, current, elapsed):
    """What the two counters are at a time that may lie in one of the next two minutes."""
    minutes, within = divmod(elapsed, PERIOD_SECONDS)
    return [(before, current), (current, 0), (0, 0)][int(minutes)] + (within,)


@given(COUNTS, COUNTS, LIMITS, ELAPSED)
def test_after_the_wait_there_is_room(before, current, limit, elapsed):
    wait = seconds_to_wait(before, current, limit=limit, elapsed=elapsed)
    before, current, elapsed = at(before, current, elapsed + wait)
    assert seconds_to_wait(before, current, limit=limit, elapsed=elapsed) == 0


@given(COUNTS, COUNTS, LIMITS, ELAPSED)
def test_a_second_before_its_end_there_is_none(before, current, limit, elapsed):
    """Nobody is asked to wait longer than he must."""
    wait = seconds_to_wait(before, current, limit=limit, elapsed=elapsed)
    if wait > 1:
        before, current, elapsed = at(before, current, elapsed + wait - 1.001)
        assert seconds_to_wait(before, current, limit=limit, elapsed=elapsed) > 0


@given(COUNTS, COUNTS, LIMITS, ELAPSED)
def test_there_is_room_exactly_while_the_weighed_counts_leave_it(before, current, limit, elapsed):
    weighed = before * (PERIOD_SECONDS - elapsed) / PERIOD_SECONDS + current + 1
    if abs(weighed - limit) > 1e-6:
        assert (seconds_to_wait(before, current, limit=limit, elapsed=elapsed) == 0) == (weighed <= limit)


@given(COUNTS, COUNTS, LIMITS, ELAPSED)
def test_the_wait_is_whole_seconds_within_two_minutes(before, current, limit, elapsed):
    wait = seconds_to_wait(before, current, limit=limit, elapsed=elapsed)
    assert isinstance(wait, int)
    assert 0 <= wait <= 2 * PERIOD_SECONDS + 1

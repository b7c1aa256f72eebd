"""Cuts: what was minted before the answer is dead, what is minted after it lives, in the same millisecond too."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.core.revocation.cutoff import Cut, Ending, cut_before, ending_of, status_of

ENDINGS = st.builds(Ending, at_ms=st.integers(0, 20), by=st.sampled_from(["a", "b"]), reissue=st.booleans())
CUTS = st.builds(Cut, before_ms=st.integers(0, 20), ending=ENDINGS)
MINT, CUT = "mint", "cut"
# Clocks that stand still, jump ahead and fall back: every server has its own.
STORIES = st.lists(st.tuples(st.sampled_from([MINT, MINT, CUT]), st.integers(0, 4)), max_size=30)


class NaiveStore:
    """Sessions and cuts in the order in which they were answered; the model holds no times at all."""

    def __init__(self):
        self.minted_ms = []
        self.cuts = []
        self.cuts_after = []  # for each session: how many cuts were answered when it was minted

    def mint(self, clock_ms):
        """As contracted: an id below a cut that covers it is made again, later."""
        lowest = max((cut.before_ms for cut in self.cuts), default=0)
        self.minted_ms.append(max(clock_ms, lowest))
        self.cuts_after.append(len(self.cuts))

    def cut(self, clock_ms):
        before = cut_before(store_clock_ms=clock_ms, highest_committed_ms=max(self.minted_ms, default=0))
        self.cuts.append(Cut(before, Ending(before, "key_a", reissue=False)))


@given(STORIES)
def test_a_session_is_dead_exactly_when_a_cut_was_answered_after_it(story):
    """Whatever the clocks say, also within one millisecond."""
    store = NaiveStore()
    for what, clock_ms in story:
        getattr(store, what)(clock_ms)
    for minted_ms, cuts_before in zip(store.minted_ms, store.cuts_after, strict=True):
        dead = ending_of(minted_ms, None, store.cuts) is not None
        assert dead == (len(store.cuts) > cuts_before)


@given(st.integers(0, 20), st.none() | ENDINGS, st.lists(CUTS, max_size=6))
def test_an_ending_is_the_earliest_one_and_kind_only_when_all_are(minted_ms, own, cuts):
    """A user who was thrown out for good is not invited back by another, kinder revoke."""
    reached = [cut.ending for cut in cuts if minted_ms < cut.before_ms] + ([own] if own else [])
    found = ending_of(minted_ms, own, cuts)
    if not reached:
        assert found is None
    else:
        assert found.at_ms == min(ending.at_ms for ending in reached)
        assert found.reissue == all(ending.reissue for ending in reached)
        assert found.by in {ending.by for ending in reached if ending.at_ms == found.at_ms}


@given(st.integers(0, 20), st.none() | ENDINGS, st.permutations([Cut(5, Ending(5, "a", reissue=True)), Cut(9, Ending(5, "b", reissue=False)), Cut(7, Ending(1, "c", reissue=True))]))  # fmt: skip
def test_the_order_in_which_cuts_are_read_does_not_matter(minted_ms, own, cuts):
    assert ending_of(minted_ms, own, cuts) == ending_of(minted_ms, own, sorted(cuts))


@pytest.mark.parametrize(
    ("minted_ms", "dead"),
    [
        pytest.param(999, True, id="a millisecond before: dead"),
        pytest.param(1000, False, id="at the cut: alive"),
        pytest.param(1001, False, id="after it: alive"),
    ],
)
def test_a_cut_leaves_its_own_millisecond_alive(minted_ms, dead):
    cut = Cut(1000, Ending(1000, "key_a", reissue=False))
    assert (ending_of(minted_ms, None, [cut]) is not None) == dead


@pytest.mark.parametrize(
    ("clock", "committed", "before"),
    [
        pytest.param(100, 50, 101, id="the clock is ahead of all ids"),
        pytest.param(100, 100, 101, id="an id of this very millisecond"),
        pytest.param(100, 5000, 5001, id="a server whose clock is ahead has minted"),
        pytest.param(0, 0, 1, id="nothing was ever minted"),
    ],
)
def test_a_cut_is_above_every_id_that_was_committed(clock, committed, before):
    assert cut_before(store_clock_ms=clock, highest_committed_ms=committed) == before


LIFE = {"ended": False, "suspended": False, "not_before": None, "expires_at": 200, "now": 100}


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, "active"),
        ({"ended": True}, "revoked"),
        ({"ended": True, "now": 200, "suspended": True, "not_before": 300}, "revoked"),
        ({"now": 199}, "active"),
        ({"now": 200}, "expired"),
        ({"now": 200, "suspended": True, "not_before": 300}, "expired"),
        ({"suspended": True}, "suspended"),
        ({"suspended": True, "not_before": 150}, "suspended"),
        ({"not_before": 101}, "scheduled"),
        ({"not_before": 100}, "active"),
    ],
)
def test_a_status_is_revoked_before_expired_before_suspended_before_scheduled(changed, status):
    """And expired from the second of its end on, as the token itself."""
    assert status_of(**(LIFE | changed)) == status

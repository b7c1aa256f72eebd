"""When a key signs, is accepted and goes: decided by times alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.server.signing_keys import policy
from guestpass.server.signing_keys.model import StoredKey
from guestpass.server.signing_keys.policy import LAST_TOKEN_MS, LEAD_MS, NEVER_MS, Publish, Schedule

DAY = 24 * 3600 * 1000
NOW = 1_000 * DAY


def key(kid, signs_from, *, published=None, algorithm="ES256", retires=None, revoked=None):
    published = signs_from if published is None else published
    return StoredKey(kid, algorithm, "{}", b"sealed", published, signs_from, retires, revoked)


OLD = key("old", NOW - 100 * DAY)
SIGNS = key("signs", NOW - DAY // 2)
IDLE = key("idle", NEVER_MS, published=NOW - DAY)


class TestAKeysLife:
    """One after the other: next, signing, verifying, retired."""

    KEYS = (key("first", NOW - DAY), key("second", NOW, published=NOW - LEAD_MS))

    @pytest.mark.parametrize(
        ("at", "first", "second"),
        [
            (NOW - 1, "signing", "next"),
            (NOW, "verifying", "signing"),
            (NOW + LAST_TOKEN_MS - 1, "verifying", "signing"),
            (NOW + LAST_TOKEN_MS, "retired", "signing"),
        ],
    )
    def test_turns_at_the_very_millisecond(self, at, first, second):
        assert [policy.state_of(each, self.KEYS, at) for each in self.KEYS] == [first, second]
        assert [each.kid for each in policy.duties(self.KEYS, at).published] == [
            kid for kid, state in (("second", second), ("first", first)) if state != "retired"
        ]

    def test_says_when_it_turns_next(self):
        assert policy.duties(self.KEYS, NOW - 1).until_ms == NOW
        assert policy.duties(self.KEYS, NOW).until_ms == NOW + LAST_TOKEN_MS
        assert policy.duties(self.KEYS, NOW + LAST_TOKEN_MS).until_ms is None

    def test_lasts_a_day_and_five_minutes_beyond_its_last_signature(self):
        """The longest token, 60 s of leeway, clocks that are apart, a mint under way."""
        assert LAST_TOKEN_MS == DAY + 5 * 60 * 1000

    def test_is_published_for_two_ages_of_a_cached_key_set_before_it_signs(self):
        assert LEAD_MS > 2 * policy.JWKS_MAX_AGE_SECONDS * 1000


def test_a_key_whose_successor_was_revoked_before_it_signed_stays():
    keys = [SIGNS, key("next", NOW - 1, revoked=NOW - 2)]
    assert policy.retires_at_ms(SIGNS, keys) is None
    assert policy.duties(keys, NOW).signs_tokens == SIGNS


def test_a_key_that_is_out_is_neither_published_nor_accepted():
    duties = policy.duties([SIGNS, key("stolen", NOW - 5, revoked=NOW - 1)], NOW)
    assert [each.kid for each in duties.published] == [each.kid for each in duties.verify] == ["signs"]


class TestASecret:
    SECRET = key("secret", NOW, algorithm="HS256")

    def test_stands_alone_from_the_moment_it_signs(self):
        """Beside it a public key could be used as the secret; so tokens of the time before are over."""
        before, after = (policy.duties([SIGNS, self.SECRET], at) for at in (NOW - 1, NOW))
        assert ([each.kid for each in before.verify], before.signs_tokens) == (["signs"], SIGNS)
        assert ([each.kid for each in after.verify], after.signs_tokens) == (["secret"], self.SECRET)

    def test_is_never_published_nor_signs_lists(self):
        duties = policy.duties([SIGNS, self.SECRET], NOW)
        assert (duties.published, duties.signs_lists) == ((SIGNS,), SIGNS)

    def test_ends_when_its_issuer_turns_back(self):
        gone = key("secret", NOW - DAY, algorithm="HS256", retires=NOW)
        assert policy.duties([SIGNS, gone], NOW).signs_tokens == SIGNS
        assert policy.duties([SIGNS, gone], NOW).verify == (SIGNS,)

    def test_has_its_own_line_of_successors(self):
        assert policy.retires_at_ms(SIGNS, [SIGNS, self.SECRET]) is None


class TestWhatIsDue:
    @pytest.mark.parametrize(
        ("keys", "step"),
        [
            ([], Publish(NOW)),
            ([SIGNS], Publish(NEVER_MS)),
            ([SIGNS, IDLE], None),
            ([OLD, IDLE], Schedule(IDLE, NOW)),
            ([OLD], Publish(NEVER_MS)),
            ([OLD, key("young", NEVER_MS, published=NOW - 5)], "young"),
            ([OLD, key("coming", NOW + 5)], None),
            ([SIGNS, key("stolen", NEVER_MS, revoked=NOW)], Publish(NEVER_MS)),
        ],
        ids=["no key at all", "no next one", "nothing", "90 days over", "over, but no next one yet",
             "over, and the next one not known everywhere", "one is coming", "the next one was revoked"],
    )  # fmt: skip
    def test_by_time(self, keys, step):
        if step == "young":
            step = Schedule(keys[-1], NOW - 5 + LEAD_MS)
        assert policy.due(keys, NOW, key_days=90) == step

    def test_is_nothing_by_itself_where_the_setting_is_0(self):
        assert policy.due([OLD, IDLE], NOW, key_days=0) is None

    @pytest.mark.parametrize(
        ("keys", "step"),
        [
            ([SIGNS], Publish(NOW + LEAD_MS)),
            ([SIGNS, IDLE], Publish(NOW + LEAD_MS, in_place_of=IDLE)),
            ([SIGNS, key("right", NEVER_MS, published=NOW - DAY, algorithm="EdDSA")], "right"),
            ([SIGNS, key("coming", NOW + 5, algorithm="EdDSA")], None),
            ([key("right", NOW - 1, algorithm="EdDSA"), IDLE], Publish(NEVER_MS, in_place_of=IDLE)),
            ([key("a secret", NOW - DAY, algorithm="HS256"), SIGNS], Publish(NOW + LEAD_MS)),
        ],
        ids=["a new key", "instead of the next one", "the next one is right", "it is coming",
             "only the next one is wrong", "of the lists"],
    )  # fmt: skip
    def test_for_another_algorithm(self, keys, step):
        if step == "right":
            step = Schedule(keys[-1], NOW)
        assert policy.due(keys, NOW, key_days=90, algorithm="EdDSA") == step


class TestWhatTakesThePlaceOfAStolenKey:
    @pytest.mark.parametrize(
        ("left", "step"),
        [
            ([], Publish(NOW)),
            ([IDLE], Schedule(IDLE, NOW)),
            ([OLD], Publish(NOW + LEAD_MS)),
            ([OLD, IDLE], Schedule(IDLE, NOW)),
        ],
        ids=["nothing is left", "the next", "the one before, until there is a next", "the next, which all have"],
    )
    def test_is(self, left, step):
        assert policy.replacement(left, NOW, secret=False) == step

    @pytest.mark.parametrize(("left", "at"), [([], 0), ([OLD], LEAD_MS - 5)], ids=["at once", "after a bridge"])
    def test_is_a_next_that_not_all_have_yet(self, left, at):
        young = key("young", NEVER_MS, published=NOW - 5)
        assert policy.replacement([*left, young], NOW, secret=False) == Schedule(young, NOW + at)


_TIMES = st.sampled_from([NOW - 100 * DAY, NOW - 2 * DAY, NOW - DAY, NOW - 1, NOW, NOW + 1, NOW + LEAD_MS, NEVER_MS])
_KEYS = st.lists(
    st.builds(
        key,
        st.sampled_from("abcdefgh"),
        _TIMES,
        published=st.sampled_from([NOW - 100 * DAY, NOW - DAY, NOW]),
        algorithm=st.sampled_from(["ES256", "EdDSA", "HS256"]),
        retires=st.sampled_from([None, None, None, NOW - 1, NOW, NOW + 1]),
        revoked=st.sampled_from([None, None, None, NOW - 1]),
    ),
    max_size=6,
    unique_by=lambda each: each.kid,
)


@given(_KEYS)
def test_whoever_signs_is_accepted_and_no_secret_stands_beside_another_kind(keys):
    duties = policy.duties(keys, NOW)
    assert len({each.is_secret for each in duties.verify}) <= 1
    assert not [each for each in duties.published if each.is_secret]
    assert duties.signs_tokens is None or duties.signs_tokens in duties.verify
    assert duties.signs_lists is None or duties.signs_lists in duties.published
    assert (duties.signs_tokens is None) == (duties.verify == ())


@given(_KEYS, st.integers(1, 200 * DAY))
def test_nothing_changes_before_it_is_said_to(keys, later):
    duties = policy.duties(keys, NOW)
    if duties.until_ms is None or NOW + later < duties.until_ms:
        assert policy.duties(keys, NOW + later) == duties

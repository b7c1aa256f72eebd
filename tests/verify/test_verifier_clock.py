"""The clock steps: nothing that expired or was used lives again, and a list is never taken for younger than it is."""

import pytest
from verifying import LIST, Api

from guestpass import MemoryReplayGuard

STEPS = (-1, -3, -60, -3_600, -86_400 * 40)
HOUR = 3600


@pytest.mark.parametrize("seconds", STEPS)
def test_what_expired_stays_expired(api, issuer, seconds):
    """Seen before or not: whatever ends no later than a token that was refused as expired."""
    ended, seen, unseen = issuer.mint(expires_in=60), issuer.mint(expires_in=60), issuer.mint(expires_in=59)
    api.verify(seen)
    api.clock.advance(seconds=66)
    assert api.code(ended) == "TOKEN_EXPIRED"
    api.clock.advance(seconds=seconds)
    assert set(api.codes(ended, seen, unseen)) <= {"TOKEN_EXPIRED", "TOKEN_NOT_YET_VALID"}
    if seconds >= -60:
        assert api.code(issuer.mint(expires_in=HOUR)) == "ok", "what is minted now lives"


def test_a_step_back_over_a_rotation_revives_nothing_either(api, issuer):
    token = issuer.mint(expires_in=60)
    api.verify(token)
    api.clock.advance(seconds=66)
    assert api.code(token) == "TOKEN_EXPIRED"
    issuer.rotate()
    api.clock.advance(seconds=60)
    api.verify(issuer.mint())
    api.clock.advance(seconds=-120)
    assert api.code(token) == "TOKEN_EXPIRED"


@pytest.mark.parametrize("seconds", STEPS)
def test_what_was_revoked_stays_revoked(api, issuer, seconds):
    token, cut = issuer.mint("ada"), issuer.mint("bob")
    issuer.revoke(token)
    issuer.revoke_all(user_id="bob")
    assert api.codes(token, cut) == ["TOKEN_REVOKED", "TOKEN_REVOKED"]
    api.clock.advance(seconds=seconds)
    assert "ok" not in api.codes(token, cut)
    api.clock.advance(seconds=-seconds)
    assert api.codes(token, cut) == ["TOKEN_REVOKED", "TOKEN_REVOKED"]


def test_a_revoke_is_seen_as_soon_after_a_step_back(api, issuer):
    """How old a list is, nobody knows then: it is fetched at once, not in an hour."""
    token = issuer.mint()
    api.verify(token)
    issuer.revoke(token)
    api.clock.advance(seconds=-3)
    assert api.code(token) == "TOKEN_REVOKED"


def test_a_list_whose_age_nobody_knows_does_not_count(issuer):
    """Not as stale either: the bound would be longer by as much as the clock was set back."""
    api, token = Api(issuer, max_stale_seconds=300), issuer.mint()
    api.verify(token)
    with issuer.service.away():
        api.clock.advance(seconds=-3)
        assert api.code(token) == "UNAVAILABLE"


def test_a_step_forward_makes_the_lists_due(api, issuer):
    token, long_lived = issuer.mint(), issuer.mint(expires_in=86_400)
    api.verify(token)
    api.clock.advance(seconds=2 * HOUR)
    assert api.codes(token, long_lived) == ["TOKEN_EXPIRED", "ok"]
    assert api.asked.count(LIST) == 2


def test_a_clock_that_was_ahead_for_a_moment_locks_nobody_out_for_longer_than_his_token(api, issuer):
    """A browser that is refused as expired fetches a new token, and that one is good."""
    token = issuer.mint(expires_in=HOUR)
    api.verify(token)
    api.clock.advance(seconds=86_400)
    assert api.code(token) == "TOKEN_EXPIRED"
    api.clock.advance(seconds=-86_400)
    assert api.code(token) == "TOKEN_EXPIRED"
    api.clock.advance(seconds=1)
    assert api.code(issuer.mint(expires_in=HOUR)) == "ok"


@pytest.mark.parametrize("seconds", STEPS)
def test_what_was_used_stays_used(issuer, seconds):
    api = Api(issuer, replay_guard=MemoryReplayGuard(clock=lambda: 0))
    token = issuer.mint(max_uses=1, expires_in=60)
    assert api.code(token) == "ok"
    api.clock.advance(seconds=66)
    api.code(issuer.mint(max_uses=1))
    api.clock.advance(seconds=seconds)
    assert api.code(token) != "ok"


def test_a_clock_that_is_wrong_is_told_so(api, issuer):
    """By how much, so that someone can find out whose it is."""
    token = issuer.mint()
    api.verify(token)
    api.clock.advance(seconds=-90)
    error = None
    try:
        api.verify(token)
    except Exception as refused:  # noqa: BLE001 - which, is asserted
        error = refused
    assert error.code == "TOKEN_NOT_YET_VALID"
    assert "begins 90 s from now by this verifier's clock; compare the two clocks" in error.message

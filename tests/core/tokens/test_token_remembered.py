"""A verifier that remembers is faster, and in nothing else another."""

import pytest
from token_making import ISSUER, NOW, OWN_KEYS, PREFIX, SIGNING_KEYS, code_of_call, expectation, minted

from guestpass.core.jose.jwk import VerifyingKey
from guestpass.core.tokens.keys import KeySet
from guestpass.core.tokens.remembered import RememberingVerifier


class CountingKey(VerifyingKey):
    """The ES256 test key, which counts the signatures it checked."""

    algorithm = "ES256"

    def __init__(self):
        self.kid = "es256"
        self.checked = 0

    def verifies(self, signing_input, signature):
        self.checked += 1
        return SIGNING_KEYS["es256"].verifying_key.verifies(signing_input, signature)

    def public_jwk(self):
        raise NotImplementedError


def remembering(keys=OWN_KEYS, remembered_max=100, *, ratchet=False, expired_up_to=0, **expected):
    return RememberingVerifier(
        keys,
        expectation(**expected),
        remembered_max=remembered_max,
        ratchet=ratchet,
        expired_up_to=expired_up_to,
    )


def test_a_signature_is_checked_once():
    key = CountingKey()
    verifier = remembering(KeySet([key]))
    token = minted()
    assert all(verifier.verify(token, now=NOW).sub == "user_42" for _ in range(5))
    assert key.checked == 1


def test_a_remembered_token_expires_between_two_looks():
    verifier, token = remembering(), minted(exp=NOW + 1)
    assert code_of_call(lambda: verifier.verify(token, now=NOW)) == "ok"
    assert code_of_call(lambda: verifier.verify(token, now=NOW + 1)) == "TOKEN_EXPIRED"


def test_a_remembered_token_is_not_good_before_its_time():
    """A clock that was set back is noticed."""
    verifier, token = remembering(), minted(nbf=NOW)
    assert code_of_call(lambda: verifier.verify(token, now=NOW)) == "ok"
    assert code_of_call(lambda: verifier.verify(token, now=NOW - 6)) == "TOKEN_NOT_YET_VALID"


def test_a_remembered_token_grows_too_old():
    verifier, token = remembering(max_age_seconds=100), minted(iat=NOW)
    assert code_of_call(lambda: verifier.verify(token, now=NOW + 105)) == "ok"
    assert code_of_call(lambda: verifier.verify(token, now=NOW + 106)) == "TOKEN_TOO_OLD"


def test_a_token_that_was_refused_is_looked_at_again():
    """Its time may come; a refusal is never remembered."""
    verifier, token = remembering(), minted(nbf=NOW + 60)
    assert code_of_call(lambda: verifier.verify(token, now=NOW)) == "TOKEN_NOT_YET_VALID"
    assert code_of_call(lambda: verifier.verify(token, now=NOW + 60)) == "ok"


def test_two_tokens_are_never_taken_for_each_other():
    verifier = remembering(remembered_max=1000)
    tokens = {f"user_{number}": minted("eddsa", sub=f"user_{number}") for number in range(200)}
    for _ in range(2):
        assert all(verifier.verify(token, now=NOW).sub == sub for sub, token in tokens.items())


@pytest.mark.parametrize("position", ["first", "middle", "last"])
def test_a_remembered_token_with_one_character_changed_is_another_token(position):
    """Nothing of it counts as seen."""
    verifier, token = remembering(), minted(prefix=PREFIX)
    verifier.verify(token, now=NOW)
    at = {"first": 0, "middle": len(token) // 2, "last": len(token) - 1}[position]
    changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
    assert code_of_call(lambda: verifier.verify(changed, now=NOW)) in {"TOKEN_MALFORMED", "TOKEN_SIGNATURE_INVALID"}


def test_a_token_with_and_without_its_prefix_is_checked_each_by_itself():
    key = CountingKey()
    verifier = remembering(KeySet([key]))
    verifier.verify(minted(), now=NOW)
    verifier.verify(minted(prefix=PREFIX), now=NOW)
    assert key.checked == 2


def test_it_forgets_the_oldest_and_never_holds_more_than_its_bound():
    key = CountingKey()
    verifier = remembering(KeySet([key]), remembered_max=3)
    tokens = [minted(sub=f"user_{number}") for number in range(4)]
    for token in tokens:
        verifier.verify(token, now=NOW)
    assert len(verifier._claims) == 3
    for token in tokens[1:]:
        verifier.verify(token, now=NOW)
    assert key.checked == 4
    verifier.verify(tokens[0], now=NOW)
    assert key.checked == 5


def test_tokens_that_are_refused_take_no_room():
    """Nobody can push out the good ones with rubbish."""
    verifier = remembering(remembered_max=2)
    verifier.verify(minted(), now=NOW)
    for number in range(50):
        code_of_call(lambda number=number: verifier.verify(f"{minted()}{number:04d}", now=NOW))
    assert len(verifier._claims) == 1


def test_with_a_ratchet_a_clock_that_is_set_back_revives_nothing():
    """What was refused as expired stays so, and with it all that ended no later; seen before or not."""
    verifier = remembering(ratchet=True)
    ended, seen, unseen, longer = (minted(exp=NOW + life) for life in (60, 60, 59, 61))
    assert code_of_call(lambda: verifier.verify(seen, now=NOW)) == "ok"
    assert code_of_call(lambda: verifier.verify(ended, now=NOW + 60)) == "TOKEN_EXPIRED"
    for token in (ended, seen, unseen):
        assert code_of_call(lambda token=token: verifier.verify(token, now=NOW)) == "TOKEN_EXPIRED"
    assert code_of_call(lambda: verifier.verify(longer, now=NOW)) == "ok"


def test_a_ratchet_is_handed_on_to_the_verifier_of_the_next_keys():
    before = remembering(ratchet=True)
    token = minted(exp=NOW + 60)
    code_of_call(lambda: before.verify(token, now=NOW + 60))
    after = remembering(ratchet=True, expired_up_to=before.expired_up_to)
    assert code_of_call(lambda: after.verify(token, now=NOW)) == "TOKEN_EXPIRED"


def test_verifiers_remember_each_for_itself():
    """Another issuer's or another key set's verifier takes nothing over."""
    token = minted()
    remembering().verify(token, now=NOW)
    assert code_of_call(lambda: remembering(issuer=f"{ISSUER}/x").verify(token, now=NOW)) == "TOKEN_ISSUER_MISMATCH"
    assert code_of_call(lambda: remembering(KeySet([])).verify(token, now=NOW)) == "TOKEN_KEY_UNKNOWN"

"""What issue writes: the contract's header and claims, at most 3840 bytes, the same for the same input."""

import json

import pytest
from token_making import PREFIX, SIGNING_KEYS, claims_of, code_of, look, minted

from guestpass.core.bounds import TOKEN_BYTES_MAX
from guestpass.core.jose import base64url
from guestpass.core.tokens.kinds import ACCESS, SESSION
from guestpass.errors import ValidationFailed


@pytest.mark.parametrize("kind", [SESSION, ACCESS], ids=lambda kind: kind.name)
@pytest.mark.parametrize("kid", ["es256", "eddsa", "rs256"])
def test_a_token_is_signed_under_the_header_of_its_kind_and_key(kid, kind):
    token = minted(kid, kind=kind)
    header, payload, _ = token.split(".")
    assert json.loads(base64url.decode(header)) == {"alg": SIGNING_KEYS[kid].algorithm, "kid": kid, "typ": kind.typ}
    assert json.loads(base64url.decode(payload))["sub"] == "user_42"
    assert code_of(look(token)) == "ok"


def test_a_session_token_carries_its_prefix():
    assert minted(prefix=PREFIX).startswith("gp_session_test_ey")


def test_a_token_has_at_most_3840_bytes_prefix_and_all():
    """It must fit one cookie with its name; the error says which field to shorten."""
    rest = "x" * (TOKEN_BYTES_MAX - len(minted("eddsa")))
    assert len(minted("eddsa", prefix=rest)) == TOKEN_BYTES_MAX
    with pytest.raises(ValidationFailed, match="too long for one token") as refused:
        minted("eddsa", prefix=rest + "x")
    assert refused.value.details[0].path == "allowedOperations"


def test_the_longest_token_that_is_minted_is_accepted():
    long = minted("eddsa", sub="u" * 2300)
    assert TOKEN_BYTES_MAX - 200 < len(long) <= TOKEN_BYTES_MAX
    assert code_of(look(long)) == "ok"


def test_the_same_claims_give_the_same_token():
    """Pure: no clock and no randomness but that of the signature itself."""
    assert minted("eddsa") == minted("eddsa")
    assert claims_of() == claims_of()

"""What issue writes: the contract's header and claims, at most 3840 bytes, the same for the same input."""

import json
from functools import partial

import pytest
from token_making import PREFIX, SIGNING_KEYS, claims_of, code_of, code_of_call, look, minted

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


def width_that_fits(prefix=""):
    """The longest user id with which a token can still be minted."""
    refused = (
        w for w in range(2000, 4000) if code_of_call(partial(minted, "eddsa", sub="u" * w, prefix=prefix)) != "ok"
    )
    return next(refused) - 1


@pytest.mark.parametrize("prefix", ["", PREFIX], ids=["bare", "with its prefix"])
def test_a_token_has_at_most_3840_bytes(prefix):
    """Prefix and all, it must fit one cookie with its name; the error says which field to shorten."""
    width = width_that_fits(prefix)
    longest = minted("eddsa", sub="u" * width, prefix=prefix)
    assert TOKEN_BYTES_MAX - 2 < len(longest) <= TOKEN_BYTES_MAX
    assert code_of(look(longest)) == "ok"
    with pytest.raises(ValidationFailed, match="too long for one token") as refused:
        minted("eddsa", sub="u" * (width + 1), prefix=prefix)
    assert refused.value.details[0].path == "allowedOperations"


def test_the_same_claims_give_the_same_token():
    """Pure: no clock and no randomness but that of the signature itself."""
    assert minted("eddsa") == minted("eddsa")
    assert claims_of() == claims_of()

"""Each kind of token is accepted only where it is named."""

import pytest
from token_making import PREFIX, code_of, look, minted

from guestpass.core.callers import api_key
from guestpass.core.tokens import kinds
from guestpass.core.tokens.kinds import ACCESS, BEARER_KINDS, JWT_KINDS, KINDS, REFRESH, SCRIPT, SESSION, STATUS_LIST

REFRESH_TOKEN = "gp_refresh_test_" + "0" * 75
SECRET_KEY = api_key.make("test", bytes(32))


def test_the_table_is_the_contracts():
    assert {kind.name: kind.typ for kind in KINDS} == {
        "session": "guestpass-session+jwt",
        "access": "at+jwt",
        "refresh": None,
        "script": "guestpass-script+jwt",
        "status list": "statuslist+jwt",
        "cut list": "guestpass-cuts+jwt",
    }
    assert BEARER_KINDS == (SESSION, ACCESS)
    assert kinds.prefix_of(SESSION, "test") == "gp_session_test_"
    assert kinds.prefix_of(REFRESH, "live", word="acme") == "acme_refresh_live_"


@pytest.mark.parametrize("accepted", JWT_KINDS, ids=lambda kind: f"where {kind.name} is accepted")
@pytest.mark.parametrize("offered", JWT_KINDS, ids=lambda kind: f"{kind.name} offered")
def test_a_signed_token_is_accepted_only_where_its_kind_is(offered, accepted):
    """All else about it is right: issuer, audience, times, signature."""
    ins = look(minted(kind=offered), accepted_kinds=(accepted,))
    assert code_of(ins) == ("ok" if offered is accepted else "TOKEN_TYPE_MISMATCH")


@pytest.mark.parametrize("offered", JWT_KINDS, ids=lambda kind: kind.name)
def test_bearer_means_session_and_access(offered):
    assert code_of(look(minted(kind=offered))) == ("ok" if offered in (SESSION, ACCESS) else "TOKEN_TYPE_MISMATCH")


@pytest.mark.parametrize("accepted", JWT_KINDS, ids=lambda kind: f"where {kind.name} is accepted")
@pytest.mark.parametrize("offered", [ACCESS, SCRIPT, STATUS_LIST], ids=lambda kind: f"{kind.name} offered")
def test_only_a_session_token_carries_the_prefix(offered, accepted):
    """The prefix is not under the signature; it cannot turn one kind into another."""
    assert code_of(look(minted(kind=offered, prefix=PREFIX), accepted_kinds=(accepted,))) == "TOKEN_TYPE_MISMATCH"


@pytest.mark.parametrize("accepted", JWT_KINDS, ids=lambda kind: f"where {kind.name} is accepted")
def test_a_refresh_token_is_accepted_nowhere_here(accepted):
    assert code_of(look(REFRESH_TOKEN, accepted_kinds=(accepted,))) == "TOKEN_TYPE_MISMATCH"
    assert code_of(look("gp_refresh_live_" + "0" * 75, accepted_kinds=(accepted,))) == "TOKEN_ENVIRONMENT_MISMATCH"


@pytest.mark.parametrize("accepted", JWT_KINDS, ids=lambda kind: f"where {kind.name} is accepted")
def test_an_api_key_is_no_token(accepted):
    """The refusal says what it is, for it must not have left the backend, and repeats nothing of it."""
    assert code_of(look(SECRET_KEY, accepted_kinds=(accepted,))) == "TOKEN_MALFORMED"


@pytest.mark.parametrize("text", [minted(), minted(prefix=PREFIX), REFRESH_TOKEN], ids=["JWT", "prefixed", "refresh"])
def test_a_token_is_no_api_key(text):
    """The reverse door: it is refused by its shape, before any look-up."""
    assert api_key.environment_of(text) is None


def test_a_typ_that_is_not_ours_names_no_kind():
    for typ in ("JWT", "AT+JWT", "application/at+jwt", "", "unknown"):
        assert kinds.kind_of_typ(typ) is None

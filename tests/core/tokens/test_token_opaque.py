"""Opaque tokens: found by their id, proven by their hash, and a typing error is told from a wrong secret."""

import hashlib

import pytest
from token_making import NOW, PREFIX, SESSION_ID, claims_of, code_of, expectation, first_failed_row, look

from guestpass.core.callers import secret_text
from guestpass.core.revocation.cutoff import Ending
from guestpass.core.tokens import opaque
from guestpass.core.tokens.check import CHECKS, State, session_to_load_first, verify
from guestpass.core.tokens.explain import explain
from guestpass.core.tokens.kinds import ACCESS, SESSION

SECRET = bytes(range(32))
TOKEN = opaque.make(PREFIX, SESSION_ID, SECRET)
STORED = State(ending=None, token_hash=opaque.hash_of(TOKEN))
WRONG_SECRET = opaque.make(PREFIX, SESSION_ID, bytes(32))


def shown(token, state, **more):
    """A look at an opaque token, with what the store said of its session."""
    return look(token, state=state, claims=claims_of() if state else None, **more)


def test_its_form_is_the_contracts():
    """Prefix, the 26 characters of the session id, 43 of secret, 6 of checksum."""
    assert TOKEN.startswith(PREFIX + SESSION_ID.removeprefix("sess_"))
    assert len(TOKEN) == len(PREFIX) + 26 + 43 + 6
    assert opaque.session_id_of(TOKEN, PREFIX) == SESSION_ID
    assert opaque.hash_of(TOKEN) == hashlib.sha256(TOKEN.encode()).digest()


def test_a_good_one_passes_the_whole_table():
    assert verify(shown(TOKEN, STORED, operation="read_invoices"), CHECKS) == claims_of()
    assert first_failed_row(shown(TOKEN, STORED)) is None


@pytest.mark.parametrize("position", range(len(PREFIX), len(TOKEN)))
def test_each_mistyped_character_is_told_from_a_wrong_secret(position):
    """It costs no look-up, and says that it was mistyped."""
    for character in "0aZ_-.é":
        if TOKEN[position] != character:
            typo = TOKEN[:position] + character + TOKEN[position + 1 :]
            assert code_of(shown(typo, STORED), CHECKS) == "TOKEN_MALFORMED"
            assert session_to_load_first(look(typo)) is None


@pytest.mark.parametrize(
    "text", [TOKEN[:-1], TOKEN + "0", TOKEN[: len(PREFIX) + 26], PREFIX, TOKEN + "\n", TOKEN.upper()]
)
def test_one_that_was_cut_or_grew_is_malformed(text):
    assert code_of(shown(text, STORED), CHECKS) == "TOKEN_MALFORMED"


def test_a_wrong_secret_and_an_unknown_id_cannot_be_told_apart():
    """Otherwise session ids could be tried out."""
    unknown = shown(TOKEN, None)
    wrong = shown(WRONG_SECRET, STORED)
    not_opaque = shown(TOKEN, State(ending=None))
    ended = shown(WRONG_SECRET, State(Ending(1, "key_a", reissue=True), STORED.token_hash))
    explained = [explain(ins, CHECKS) for ins in (unknown, wrong, not_opaque, ended)]
    assert len({repr(walked.findings[-1]._replace(error=None)) for walked in explained}) == 1
    for walked in explained:
        assert walked.first_error.code == "TOKEN_SIGNATURE_INVALID"
        assert not walked.may_go_on
        assert [finding.check for finding in walked.findings] == ["prefix", "shape", "algorithm", "key", "signature"]


def test_another_text_with_the_stored_hash_of_its_own_is_refused():
    """The hash is of the whole text: another session's hash does not help."""
    assert code_of(shown(TOKEN, State(None, opaque.hash_of(WRONG_SECRET))), CHECKS) == "TOKEN_SIGNATURE_INVALID"
    assert code_of(shown(TOKEN, State(None, bytes(32))), CHECKS) == "TOKEN_SIGNATURE_INVALID"
    assert code_of(shown(TOKEN, State(None, b"")), CHECKS) == "TOKEN_SIGNATURE_INVALID"


def test_one_of_the_other_environment_is_refused_by_its_prefix():
    live = opaque.make("gp_session_live_", SESSION_ID, SECRET)
    assert code_of(shown(live, State(None, opaque.hash_of(live))), CHECKS) == "TOKEN_ENVIRONMENT_MISMATCH"


def test_one_is_a_session_token_and_nothing_else():
    """A verifier that accepts access tokens alone does not accept it."""
    assert code_of(shown(TOKEN, STORED, accepted_kinds=(ACCESS,)), CHECKS) == "TOKEN_TYPE_MISMATCH"
    assert code_of(shown(TOKEN, STORED, accepted_kinds=(ACCESS, SESSION)), CHECKS) == "ok"


def test_its_time_place_and_state_are_checked_like_a_signed_ones():
    assert code_of(shown(TOKEN, STORED, now=NOW + 3540), CHECKS) == "TOKEN_EXPIRED"
    assert code_of(shown(TOKEN, STORED, issuer="https://other.example"), CHECKS) == "TOKEN_ISSUER_MISMATCH"
    assert code_of(shown(TOKEN, State(Ending(1, "k", reissue=False), STORED.token_hash)), CHECKS) == "TOKEN_REVOKED"
    assert code_of(shown(TOKEN, STORED, operation="other"), CHECKS) == "OPERATION_NOT_ALLOWED"


def test_only_an_opaque_token_names_a_session_to_load_first():
    """Of a signed one no state is read before its signature holds."""
    assert session_to_load_first(look(TOKEN)) == SESSION_ID
    for text in ("", "ey", "a.b.c", PREFIX + "a.b.c", TOKEN + ".", "sk_test_x", TOKEN.removeprefix(PREFIX)):
        assert session_to_load_first(look(text)) is None


def test_an_id_that_is_not_one_names_no_session():
    """The checksum of a forged text may be right."""
    forged = secret_text.with_checksum(PREFIX + "I" * 26 + "0" * 43)
    assert opaque.session_id_of(forged, PREFIX) is None
    assert code_of(shown(forged, STORED), CHECKS) == "TOKEN_MALFORMED"


def test_the_secret_must_be_whole():
    with pytest.raises(ValueError, match="32 bytes"):
        opaque.make(PREFIX, SESSION_ID, bytes(31))
    assert expectation().prefix == PREFIX

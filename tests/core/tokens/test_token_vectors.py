"""Every shared vector earns its code, and is explained by the same code; whoever asks learns no more than that."""

import json
import re
import subprocess
import sys

import pytest
from token_making import PREFIX, code_of, code_of_call
from token_vectors import ATTACKS, FOLDER, GOOD, TOKENS, each

from guestpass.core.jose import base64url
from guestpass.core.revocation.cutoff import Ending
from guestpass.core.tokens import claims as claims_codec
from guestpass.core.tokens.check import CHECKS, STATE_CHECKS, TOKEN_CHECKS, State, verify
from guestpass.core.tokens.explain import explain
from guestpass.core.tokens.remembered import RememberingVerifier
from guestpass.errors import ERRORS, GuestpassError

MARK = "who-ended-it"
REVOKED = State(Ending(at_ms=1, by=MARK, reissue=False))
LENGTH_OF_CONTENT = 12  # shorter words of a token may stand in a message by chance


@each(ATTACKS + TOKENS)
def test_a_vector_earns_its_code(vector):
    """The code is a promise to every SDK; no vector ends in anything but its code."""
    assert code_of(vector.inspection()) == vector.code


@each(GOOD)
def test_a_good_token_gives_its_claims(vector):
    assert json.loads(claims_codec.encode(verify(vector.inspection(), TOKEN_CHECKS))) == vector.claims


@each(ATTACKS + TOKENS)
def test_the_first_failed_line_of_an_explanation_is_what_verify_raises(vector):
    """One table, walked twice: an explanation never tells another story than the refusal."""
    first = explain(vector.inspection(), TOKEN_CHECKS).first_error
    assert (first.code if first else "ok") == vector.code


@each(ATTACKS + TOKENS)
def test_nothing_about_state_is_said_after_a_gate_that_did_not_hold(vector):
    """Whoever shows a forged, foreign or misplaced token learns nothing of the session it names."""
    ins = vector.inspection(operation="read_invoices")
    ins.state = REVOKED
    walked = explain(ins, CHECKS)
    names = [finding.check for finding in walked.findings]
    state_names = [check.name for check in STATE_CHECKS]
    if walked.may_go_on:
        assert names[-len(state_names) :] == state_names
    else:
        assert walked.findings[-1].error is not None
        assert not set(names) & set(state_names)
        assert MARK not in repr(walked)


@each(ATTACKS + TOKENS)
def test_an_explanation_passes_no_line_with_nothing_to_say(vector):
    """Every line that holds says what it found."""
    for finding in explain(vector.inspection(), TOKEN_CHECKS).findings:
        assert finding.detail, finding.check


@each([vector for vector in ATTACKS + TOKENS if vector.code != "ok"])
def test_a_refusal_repeats_nothing_of_the_token(vector):
    """Messages go to logs, screens and tickets."""
    with pytest.raises(GuestpassError) as refused:
        verify(vector.inspection(), TOKEN_CHECKS)
    message = refused.value.message
    assert len(message) < 200
    for text in contents_of(vector.token[:10_000]):
        assert text not in message


@each([vector for vector in ATTACKS if vector.code == "TOKEN_SIGNATURE_INVALID"])
def test_nothing_of_a_payload_is_said_before_the_signature_holds(vector):
    """Not even that its claims look well."""
    names = [finding.check for finding in explain(vector.inspection(), CHECKS).findings]
    assert names == ["prefix", "shape", "algorithm", "key", "signature"]


@each(ATTACKS + TOKENS)
def test_a_verifier_that_remembers_says_the_same_twice(vector):
    """Remembering makes it faster, and nothing else."""
    remembering = RememberingVerifier(vector.keys, vector.expect)
    codes = [code_of_call(lambda: remembering.verify(vector.token, now=vector.now)) for _ in range(2)]
    assert codes == [vector.code, vector.code]


def test_the_files_are_what_their_script_writes():
    """Nobody edits a vector by hand, and the script gives the same bytes on every machine."""
    subprocess.run([sys.executable, FOLDER / "make.py", "--check"], check=True)


def test_every_code_of_a_vector_is_in_the_error_tree():
    assert {vector.code for vector in ATTACKS + TOKENS} - {"ok"} <= set(ERRORS)


def test_no_attack_is_labelled_good():
    assert all(vector.code != "ok" for vector in ATTACKS)


def contents_of(token):
    """What a token holds that a message must not: its long words, and the texts in its header and payload."""
    words = set(re.split(r"[.\s]", token))
    for part in token.removeprefix(PREFIX).split("."):
        words.update(texts_in(part))
    return {word for word in words if len(word) >= LENGTH_OF_CONTENT}


def texts_in(segment):
    try:
        value = json.loads(base64url.decode(segment))
    except (ValueError, RecursionError):
        return []
    return [text for text in value.values() if isinstance(text, str)] if isinstance(value, dict) else []

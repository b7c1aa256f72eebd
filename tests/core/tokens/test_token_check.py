"""The ordered table: what each line refuses, and that it stands where the contract says."""

from itertools import combinations

import msgspec
import pytest
from token_making import (
    LIVING,
    NOW,
    OWN_KEYS,
    PREFIX,
    PROJECT,
    PUBLIC_ALGORITHMS,
    SECRET_KEYS,
    claims_of,
    code_of,
    expectation,
    first_failed_row,
    look,
    minted,
    signed,
)

from guestpass.core.jose import base64url
from guestpass.core.revocation.cutoff import Ending
from guestpass.core.tokens.check import (
    CHECKS,
    CLAIM_CHECKS,
    STATE_CHECKS,
    TIME_CHECKS,
    TOKEN_CHECKS,
    Inspection,
    State,
    unverified_issuer,
    verify,
)
from guestpass.core.tokens.explain import explain
from guestpass.core.tokens.keys import KeySet
from guestpass.errors import (
    GuestpassError,
    TokenExpired,
    TokenNotYetValid,
    TokenRevoked,
    TokenTooOld,
    asks_for_a_new_token,
)

ENDED = Ending(at_ms=1, by="key_a", reissue=False)
OTHER_PROJECT = "proj_01hf7yat00000000000000000b"

# What makes a good token fail one line, by the part of it that changes: header, claims, text, state, operation.
FAULTS = {
    "prefix": ({"prefix": "gp_session_live_"}, "TOKEN_ENVIRONMENT_MISMATCH"),
    "shape": ({"padding": "="}, "TOKEN_MALFORMED"),
    "algorithm": ({"header": {"alg": "PS256"}}, "TOKEN_ALGORITHM_REFUSED"),
    "key": ({"header": {"kid": "nobody's"}}, "TOKEN_KEY_UNKNOWN"),
    "signature": ({"longer": "AAAA"}, "TOKEN_SIGNATURE_INVALID"),
    "type": ({"header": {"typ": "statuslist+jwt"}}, "TOKEN_TYPE_MISMATCH"),
    "claims": ({"claims": {"sub": 42}}, "TOKEN_MALFORMED"),
    "issuer": ({"claims": {"iss": "https://other.example"}}, "TOKEN_ISSUER_MISMATCH"),
    "audience": ({"claims": {"aud": "https://other.example"}}, "TOKEN_AUDIENCE_MISMATCH"),
    "environment": ({"claims": {"environment": "live"}}, "TOKEN_ENVIRONMENT_MISMATCH"),
    "project": ({"claims": {"project_id": OTHER_PROJECT}}, "TOKEN_PROJECT_MISMATCH"),
    "expiry": ({"claims": {"exp": NOW}}, "TOKEN_EXPIRED"),
    "start": ({"claims": {"nbf": NOW + 6}}, "TOKEN_NOT_YET_VALID"),
    "age": ({"claims": {"iat": NOW - 306}}, "TOKEN_TOO_OLD"),
    "revocation": ({"state": {"ending": ENDED}}, "TOKEN_REVOKED"),
    "uses": ({"state": {"used_up": True}}, "TOKEN_REPLAYED"),
    "suspension": ({"state": {"suspended_scope": "write_notes"}}, "SESSION_SUSPENDED"),
    "operation": ({"operation": "delete_everything"}, "OPERATION_NOT_ALLOWED"),
}
# The unverified iss chooses the code of an unknown key, so the second fault shows in the first one's code.
CODE_BY_BOTH = {("key", "issuer"): "TOKEN_ISSUER_MISMATCH", ("key", "claims"): "TOKEN_KEY_UNKNOWN"}


GOOD_PARTS = {
    "prefix": PREFIX,
    "header": {"alg": "ES256", "kid": "es256", "typ": "guestpass-session+jwt"},
    "claims": msgspec.to_builtins(claims_of()),
    "longer": "",
    "padding": "",
    "state": LIVING._asdict(),
    "operation": "read_invoices",
}


def faulty(*rows):
    """A look at a token that fails these lines and no other."""
    parts = dict(GOOD_PARTS)
    for row in rows:
        for part, change in FAULTS[row][0].items():
            parts[part] = parts[part] | change if isinstance(change, dict) else change
    text = signed(parts["header"], parts["claims"], prefix=parts["prefix"]) + parts["longer"] + parts["padding"]
    return look(text, state=State(**parts["state"]), operation=parts["operation"], max_age_seconds=300)


def test_a_token_without_a_fault_passes_every_line():
    assert first_failed_row(faulty()) is None
    assert verify(faulty(), CHECKS) == claims_of()


@pytest.mark.parametrize("row", FAULTS)
def test_each_line_of_the_table_refuses_what_only_it_refuses(row):
    """Take the line away, and this token would pass."""
    assert first_failed_row(faulty(row)) == row
    assert code_of(faulty(row), CHECKS) == FAULTS[row][1]


@pytest.mark.parametrize(("earlier", "later"), list(combinations(FAULTS, 2)))
def test_of_two_faults_the_earlier_line_names_the_code(earlier, later):
    """The order is a promise: signature before claims, place before time, state last."""
    assert first_failed_row(faulty(earlier, later)) == earlier
    expected = CODE_BY_BOTH.get((earlier, later), FAULTS[earlier][1])
    assert code_of(faulty(earlier, later), CHECKS) == expected


def test_the_lines_stand_in_the_order_of_the_contract():
    assert [check.name for check in CHECKS] == list(FAULTS)
    assert CHECKS == TOKEN_CHECKS + STATE_CHECKS
    assert [check.name for check in TIME_CHECKS] == ["expiry", "start", "age"]
    after_the_gates = ["expiry", "start", "age", "revocation", "uses", "suspension", "operation"]
    assert [check.name for check in CHECKS if not check.gate] == after_the_gates
    assert [check.name for check in CLAIM_CHECKS] == list(FAULTS)[7:14], "of claims that a server vouched for"


def test_an_explanation_goes_on_where_only_time_state_or_operation_refuse():
    """One look shows all that is wrong with a genuine token."""
    rows = ["expiry", "start", "age", "revocation", "uses", "suspension", "operation"]
    walked = explain(faulty(*rows), CHECKS)
    assert [finding.check for finding in walked.findings if finding.error] == rows
    assert walked.may_go_on
    assert walked.first_error.code == "TOKEN_EXPIRED"


@pytest.mark.parametrize(
    ("leeway", "exp", "code"),
    [
        pytest.param(0, NOW + 1, "ok", id="a second before its end: good"),
        pytest.param(0, NOW, "TOKEN_EXPIRED", id="exp is now: expired"),
        pytest.param(60, NOW - 59, "ok", id="within a leeway of 60: good"),
        pytest.param(60, NOW - 60, "TOKEN_EXPIRED", id="exp and leeway are now: expired"),
    ],
)
def test_a_token_is_expired_from_the_second_of_its_exp_on(leeway, exp, code):
    assert code_of(look(minted(exp=exp), leeway_seconds=leeway)) == code


@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.parametrize(
    ("leeway", "early", "code"), [(0, 0, "ok"), (0, 1, "NOT_YET"), (60, 60, "ok"), (60, 61, "NOT_YET")]
)
def test_a_token_begins_with_the_later_of_nbf_and_iat(claim, leeway, early, code):
    """A token from a clock that runs ahead is not good before its time."""
    expected = "TOKEN_NOT_YET_VALID" if code == "NOT_YET" else code
    assert code_of(look(minted(**{claim: NOW + early}), start_leeway_seconds=leeway)) == expected


def test_a_leeway_for_the_end_is_none_for_the_start():
    """Nor the reverse: each is asked for by itself."""
    assert code_of(look(minted(nbf=NOW + 1), leeway_seconds=60, start_leeway_seconds=0)) == "TOKEN_NOT_YET_VALID"
    assert code_of(look(minted(exp=NOW), leeway_seconds=0, start_leeway_seconds=60)) == "TOKEN_EXPIRED"


@pytest.mark.parametrize(
    ("error", "text", "expected"),
    [
        pytest.param(TokenExpired, {"exp": NOW - 90}, "90 s ago", id="expired"),
        pytest.param(TokenNotYetValid, {"nbf": NOW + 90}, "90 s from now", id="not yet valid"),
        pytest.param(TokenTooOld, {"iat": NOW - 400}, "400 s old; this call allows 300 s", id="too old"),
    ],
)
def test_an_error_about_time_says_by_how_much(error, text, expected):
    """Two clocks that differ are found by it; a leeway does not change the figure."""
    with pytest.raises(error, match=expected):
        verify(look(minted(**text), leeway_seconds=60, max_age_seconds=300), TOKEN_CHECKS)


@pytest.mark.parametrize("seconds", [-1, 61])
@pytest.mark.parametrize("name", ["leeway_seconds", "start_leeway_seconds"])
def test_a_leeway_is_0_to_60_seconds(name, seconds):
    with pytest.raises(ValueError, match="leeway must be 0 to 60"):
        expectation(**{name: seconds})


def test_an_age_below_zero_is_no_expectation():
    with pytest.raises(ValueError, match="max_age_seconds"):
        expectation(max_age_seconds=-1)


def test_a_secret_beside_public_keys_is_no_expectation():
    """A verifier that takes both could be given a public key as the secret (RFC 8725 section 2.1)."""
    with pytest.raises(ValueError, match="HS256 stands alone"):
        expectation(algorithms=PUBLIC_ALGORITHMS | {"HS256"})


def test_a_secret_works_where_it_is_named_alone():
    token = minted("hs256", prefix=PREFIX)
    assert code_of(look(token, keys=SECRET_KEYS, algorithms=frozenset({"HS256"}))) == "ok"
    assert code_of(look(token, keys=SECRET_KEYS)) == "TOKEN_ALGORITHM_REFUSED"


def test_the_shape_is_judged_before_the_algorithm_even_of_a_header_that_is_known():
    """Otherwise the code would tell which headers a verifier knows."""
    assert code_of(look(minted() + "=", algorithms=frozenset({"EdDSA"}))) == "TOKEN_MALFORMED"


def test_a_prefix_word_of_ones_own_takes_the_place_of_gp():
    """The prefix is a setting; the word of another service is not accepted."""
    own = "acme_session_test_"
    assert code_of(look(minted(prefix=own), prefix_word="acme")) == "ok"
    assert code_of(look(minted(prefix=PREFIX), prefix_word="acme")) == "TOKEN_MALFORMED"
    assert code_of(look("acme_session_live_x", prefix_word="acme")) == "TOKEN_ENVIRONMENT_MISMATCH"
    assert code_of(look("acme_refresh_test_x", prefix_word="acme")) == "TOKEN_TYPE_MISMATCH"


def test_a_project_that_is_not_named_is_not_compared():
    """An issuer that was replaced verbatim stands for its project."""
    assert code_of(look(minted(project_id=OTHER_PROJECT), project_id=None)) == "ok"
    assert code_of(look(minted(project_id=OTHER_PROJECT), project_id=PROJECT)) == "TOKEN_PROJECT_MISMATCH"


def test_a_session_that_is_not_there_counts_as_revoked():
    """After a purge or a restored backup no token is good only because nothing is known of it."""
    assert code_of(look(minted(), state=None), CHECKS) == "TOKEN_REVOKED"


@pytest.mark.parametrize("reissue", [True, False])
def test_a_browser_is_asked_to_fetch_again_only_after_a_revoke_with_reissue(reissue):
    """Otherwise a user who was thrown out would be let in again a second later."""
    with pytest.raises(TokenRevoked) as refused:
        verify(look(minted(), state=State(Ending(1, "key_a", reissue))), CHECKS)
    assert asks_for_a_new_token(refused.value) is reissue


@pytest.mark.parametrize(
    ("goes_on", "operation", "code"),
    [
        pytest.param(None, "read_invoices", "ok", id="not suspended: allowed"),
        pytest.param("read_invoices", "read_invoices", "ok", id="suspended, but this goes on: allowed"),
        pytest.param("read_invoices", None, "ok", id="something goes on, none asked for"),
        pytest.param("read_invoices", "write_notes", "SESSION_SUSPENDED", id="another goes on: refused"),
        pytest.param("", "read_invoices", "SESSION_SUSPENDED", id="nothing goes on: refused"),
        pytest.param("", None, "SESSION_SUSPENDED", id="nothing goes on, none asked for: refused"),
        pytest.param("delete_all", None, "SESSION_SUSPENDED", id="nothing of the token's goes on: refused"),
        pytest.param("delete_all", "delete_all", "SESSION_SUSPENDED", id="what goes on was never granted: refused"),
    ],
)
def test_a_suspended_session_goes_on_only_with_what_is_named_for_it(goes_on, operation, code):
    """And never with more than it was granted."""
    state = State(None, suspended_scope=goes_on)
    assert code_of(look(minted(scope="read_invoices write_notes"), state=state, operation=operation), CHECKS) == code


def test_a_refusal_names_the_session_only_once_the_signature_holds():
    """For the log: what anyone may have written is not a session's name."""
    for row in ("audience", "expiry", "revocation", "operation"):
        with pytest.raises(GuestpassError) as refused:
            verify(faulty(row), CHECKS)
        assert refused.value.session_id == GOOD_PARTS["claims"]["sid"], row
    for row in ("prefix", "shape", "key", "signature", "claims"):
        with pytest.raises(GuestpassError) as refused:
            verify(faulty(row), CHECKS)
        assert refused.value.session_id is None, row


def test_a_call_may_ask_for_a_fresher_token_than_its_verifier():
    token = minted(iat=NOW - 100)
    ins = Inspection(token, expectation(), OWN_KEYS, NOW, max_age_seconds=90)
    assert code_of(ins) == "TOKEN_TOO_OLD"
    assert code_of(Inspection(token, expectation(), OWN_KEYS, NOW, max_age_seconds=100)) == "ok"


@pytest.mark.parametrize(
    ("scope", "operation", "code"),
    [
        pytest.param("a b", "a", "ok", id="named: allowed"),
        pytest.param("a b", "b", "ok", id="named last: allowed"),
        pytest.param("a b", None, "ok", id="none asked for"),
        pytest.param("a b", "c", "OPERATION_NOT_ALLOWED", id="not named: refused"),
        pytest.param("ab", "a", "OPERATION_NOT_ALLOWED", id="the beginning of a name: refused"),
        pytest.param("a b", "a b", "OPERATION_NOT_ALLOWED", id="the whole scope is no name: refused"),
        pytest.param("a b", "*", "OPERATION_NOT_ALLOWED", id="everything, where names are listed: refused"),
        pytest.param("a b", "A", "OPERATION_NOT_ALLOWED", id="upper case: refused"),
        pytest.param("", "a", "OPERATION_NOT_ALLOWED", id="an empty scope: refused"),
        pytest.param("", "", "OPERATION_NOT_ALLOWED", id="an empty name in an empty scope: refused"),
        pytest.param("*", "", "OPERATION_NOT_ALLOWED", id="an empty name: refused"),
        pytest.param("*", "a", "ok", id="unrestricted: allowed"),
        pytest.param(None, "a", "OPERATION_NOT_ALLOWED", id="an absent scope: refused"),
        pytest.param(None, None, "ok", id="an absent scope, none asked for"),
    ],
)
def test_an_operation_is_allowed_only_where_the_scope_names_it(scope, operation, code):
    """An absent or dropped scope means nothing allowed, never everything."""
    claims = {name: value for name, value in GOOD_PARTS["claims"].items() if name != "scope"}
    token = signed(GOOD_PARTS["header"], claims if scope is None else claims | {"scope": scope})
    assert code_of(look(token, operation=operation, state=LIVING), CHECKS) == code


def test_the_unverified_issuer_is_read_strictly_and_never_fails():
    """Anyone may have written it: it is text, or nothing."""
    assert unverified_issuer(base64url.encode(b'{"iss":"x"}')) == "x"
    for payload in (b"", b"[]", b'{"iss":1}', b'{"iss":"a","iss":"b"}', b"[" * 2000, b'{"iss":"\\ud83e"}', b"\xff"):
        assert unverified_issuer(base64url.encode(payload)) == ""
    assert unverified_issuer("not base64url!") == ""
    assert unverified_issuer("\ud83e") == ""


def test_a_header_is_found_whole_only_where_a_key_of_ours_wrote_it():
    """Five headers stand for each key: one for each kind that is a JWT."""
    one = KeySet([next(iter(OWN_KEYS.by_kid.values()))])
    kinds = {"session", "access", "script", "status list", "cut list"}
    assert {sealed.kind.name for sealed in one.by_header.values()} == kinds
    assert len(one.by_header) == len(kinds)


def test_a_secret_that_came_without_its_name_stands_for_every_name():
    """A verifier is given the bytes alone; the algorithm is still the secret's own."""
    secret = KeySet([], only=SECRET_KEYS.by_kid["hs256"])
    hs256 = frozenset({"HS256"})
    header = {"alg": "HS256", "kid": "any", "typ": "guestpass-session+jwt"}
    for named in (header, {name: header[name] for name in ("alg", "typ")}):
        assert code_of(look(signed(named, GOOD_PARTS["claims"], "hs256"), keys=secret, algorithms=hs256)) == "ok"
    assert code_of(look(minted("es256"), keys=secret, algorithms=hs256)) == "TOKEN_ALGORITHM_REFUSED"


def test_what_was_signed_last_year_by_a_key_that_is_gone_is_unknown():
    """A key that left the set takes its tokens along."""
    assert code_of(look(minted(), keys=KeySet([]))) == "TOKEN_KEY_UNKNOWN"

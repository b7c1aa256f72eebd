"""The shared vectors, each through a Verifier: with keys that are known, before the first fetch, and under fresh keys."""

import json
import shutil
import subprocess
import sys

import pytest
from vector_service import FOLDER, Vectors

from guestpass import MemoryReplayGuard, Session
from guestpass.testing.issuer import new_key

TOKENS, ATTACKS = Vectors(FOLDER, "tokens"), Vectors(FOLDER, "attacks")

# A vector has two leeways, a Verifier one; and it says more than whether a token is well made.
OTHERWISE = {
    "good: with max_uses": ("TOKEN_TYPE_MISMATCH", "nobody would count its uses"),
    "good: without a status list": ("TOKEN_MALFORMED", "nobody could tell whether it was revoked"),
    "edge: nbf 5 s from now, leeway 5": ("TOKEN_NOT_YET_VALID", "this verifier's leeway is 0"),
    "edge: iat 5 s from now, leeway 5": ("TOKEN_NOT_YET_VALID", "this verifier's leeway is 0"),
    "edge: as old as the call allows, with the leeway": ("TOKEN_TOO_OLD", "this verifier's leeway is 0"),
    "place: of another project under our issuer": ("ok", "the first good token says which project the issuer is"),
    "project: of another": ("ok", "the first good token says which project the issuer is"),
}


def each(vectors):
    names = [f"{vector.name}: {vector.code}".encode("ascii", "backslashreplace").decode() for vector in vectors.all]
    return pytest.mark.parametrize("vector", vectors.all, ids=names)


def code_of(verdict):
    return "ok" if isinstance(verdict, Session) else verdict


@each(TOKENS)
def test_a_token_earns_its_code(vector):
    expected = OTHERWISE.get(vector.name, (vector.code,))[0]
    verdict = vector.verdict()
    assert code_of(verdict) == expected
    if expected == vector.code == "ok":
        claims = vector.claims
        shown = (verdict.id, verdict.user_id, verdict.organization_id, verdict.project_id, verdict.environment)
        names = ("sid", "sub", "organization_id", "project_id", "environment")
        assert shown == tuple(claims.get(name) for name in names)
        assert " ".join(verdict.operations) == claims.get("scope", "")


@each(ATTACKS)
def test_an_attack_earns_its_code(vector):
    assert code_of(vector.verdict()) == OTHERWISE.get(vector.name, (vector.code,))[0]


@pytest.mark.parametrize("name", ["edge: nbf 5 s from now, leeway 5", "edge: iat 5 s from now, leeway 5",
                                  "edge: as old as the call allows, with the leeway"])  # fmt: skip
def test_with_the_leeway_that_a_verifier_has_by_default_it_is_as_the_vector_says(name):
    vector = next(vector for vector in TOKENS.all if vector.name == name)
    assert code_of(vector.verdict(leeway_seconds=5)) == vector.code


def test_with_a_guard_a_token_with_max_uses_is_as_the_vector_says():
    vector = next(vector for vector in TOKENS.all if vector.name == "good: with max_uses")
    assert code_of(vector.verdict(replay_guard=MemoryReplayGuard(clock=lambda: 0))) == "ok"


@pytest.mark.parametrize("name", ["place: of another project under our issuer", "project: of another"])
def test_a_token_of_another_project_is_refused_once_the_issuers_is_known(name):
    vector = next(vector for vector in TOKENS.all + ATTACKS.all if vector.name == name)
    good = next(other for other in TOKENS.all if other.name == "good: ES256, bare")
    with vector.verifier() as verifier, verifier._fetcher._given:
        verifier.verify(good.token)
        with pytest.raises(Exception) as refused:
            verifier.verify(vector.token)
    assert refused.value.code == "TOKEN_PROJECT_MISMATCH"


def allowed_addresses(vector):
    location = (
        vector.expect["issuer"] if vector.expect["base"] else f"https://id.example/{vector.expect['environment']}"
    )
    return {f"{location}{path}" for path in ("/.well-known/jwks.json", "/status-lists/1", "/status-lists/cuts")}


@each(ATTACKS)
def test_an_attack_before_the_first_fetch_is_refused_and_sends_nobody_anywhere(vector):
    """The code may be another, since no key is known yet; an address is the issuer's own, or none."""
    code = code_of(vector.verdict(keys=None))
    assert code != "ok" or vector.name in OTHERWISE
    assert set(vector.asked) <= allowed_addresses(vector)


# Fresh keys each run


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """The whole set of attacks, written anew by its own script with keys that nobody has seen before."""
    folder = tmp_path_factory.mktemp("vectors")
    for script in FOLDER.glob("*.py"):
        shutil.copy(script, folder)
    document = json.loads((FOLDER / "test-keys.json").read_text("utf-8"))
    document["keys"] = [new_key(jwk["alg"]).private_jwk() | {"kid": jwk["kid"]} for jwk in document["keys"]]
    (folder / "test-keys.json").write_text(json.dumps(document))
    subprocess.run([sys.executable, folder / "make.py"], check=True)
    return folder


def test_no_attack_is_accepted_under_fresh_keys(fresh):
    attacks = Vectors(fresh, "attacks").all
    assert len(attacks) > 600
    wrong = [
        (vector.name, verdict)
        for vector in attacks
        if vector.name not in OTHERWISE and (verdict := code_of(vector.verdict())) != vector.code
    ]
    assert wrong == []


def test_good_tokens_are_accepted_under_fresh_keys(fresh):
    """So that the keys, and not the test, refuse the attacks."""
    tokens = [vector for vector in Vectors(fresh, "tokens").all if vector.name not in OTHERWISE]
    assert [vector.name for vector in tokens if code_of(vector.verdict()) != vector.code] == []


def test_the_table_of_exceptions_names_vectors_that_are_there():
    assert set(OTHERWISE) <= {vector.name for vector in TOKENS.all + ATTACKS.all}

"""``guestpass signing-keys``: what an operator sees and does."""

import jwt
import pytest
from command_line import NOT_FOUND, OK, REFUSED, USAGE


@pytest.fixture
def store(run):
    assert run("init") == OK
    return run


@pytest.fixture
def key(store):
    return store.json("keys", "create", "--name", "mine")


def keys_in(store, env="test"):
    return store.json("signing-keys", "list", "--env", env)


def test_a_new_store_has_a_key_that_signs_for_each_environment(store):
    keys = store.json("signing-keys", "list")
    assert sorted((key["environment"], key["state"], key["algorithm"]) for key in keys) == [
        ("live", "signing", "ES256"),
        ("test", "signing", "ES256"),
    ]
    assert all(key["signsFrom"] and key["retiresAt"] is None for key in keys)
    assert store("signing-keys", "list", "--env", "live") == OK
    assert store.out.count("\n") == 1
    assert "\t" in store.out


def test_rotate_says_which_key_signs_and_from_when(store):
    shown = store.json("signing-keys", "rotate")
    assert (shown["state"], shown["environment"]) == ("next", "test")
    after = {key["state"]: key for key in keys_in(store)}
    assert after["next"] == shown
    assert after["signing"]["retiresAt"] > shown["signsFrom"]
    assert len(keys_in(store, "live")) == 1, "nothing crosses"
    assert store("signing-keys", "rotate") == OK
    assert shown["kid"] in store.out
    assert len(keys_in(store)) == 2


def test_rotate_can_wait_longer_for_verifiers_that_cache_longer(store):
    soon = keys_in(store)[0]["signsFrom"]
    assert store.json("signing-keys", "rotate", "--signs-in", "604800")["signsFrom"] > soon
    assert store("signing-keys", "rotate", "--signs-in", "-1") == USAGE


@pytest.mark.usefixtures("key")
def test_a_stolen_key_is_revoked_and_what_it_signed_is_refused(store):
    minted = store.json("tokens", "mint", "--user", "ada")
    [stolen] = keys_in(store)
    shown = store.json("signing-keys", "revoke", stolen["kid"])
    assert (shown["state"], bool(shown["revokedAt"])) == ("revoked", True)
    assert store("tokens", "explain", stdin=minted["sessionToken"]) == REFUSED
    assert "TOKEN_KEY_UNKNOWN" in store.out
    fresh = store.json("tokens", "mint", "--user", "ada")
    assert store("tokens", "explain", stdin=fresh["sessionToken"]) == OK
    assert store("signing-keys", "revoke", stolen["kid"]) == OK
    assert "sessions revoke --all --reissue --env test" in store.out
    assert store("signing-keys", "revoke", "nobody") == NOT_FOUND


@pytest.mark.usefixtures("key")
def test_a_project_under_a_secret_shows_it_once_and_verifies_under_it_alone(store):
    """Takes some seconds, as the command does: until every server has heard."""
    minted = store.json("tokens", "mint", "--user", "ada")
    assert store("signing-keys", "use", "HS256") == REFUSED
    assert "--end-sessions" in store.err
    secret = store.json("signing-keys", "use", "HS256", "--end-sessions")["secret"]
    assert secret.startswith("hs_test_")
    assert store.json("sessions", "list")[0]["status"] == "revoked"
    assert store("tokens", "explain", stdin=minted["sessionToken"]) == REFUSED
    assert "TOKEN_ALGORITHM_REFUSED" in store.out
    fresh = store.json("tokens", "mint", "--user", "ada")["sessionToken"]
    assert store("tokens", "explain", stdin=fresh) == OK
    claims = jwt.decode(fresh.removeprefix("gp_session_test_"), secret, ["HS256"], options={"verify_aud": False})
    assert claims["sub"] == "ada"
    listed = keys_in(store)
    assert {key["algorithm"]: key["state"] for key in listed} == {"ES256": "signing", "HS256": "signing"}
    assert secret not in str(listed)
    assert store("signing-keys", "use", "HS256", "--end-sessions") == REFUSED


@pytest.mark.parametrize("words", [["use", "ES512"], ["use"], ["revoke"], ["list", "--env", "prod"]])
def test_a_command_that_is_written_wrongly_changes_nothing(store, words):
    assert store("signing-keys", *words) == USAGE
    assert len(store.json("signing-keys", "list")) == 2


def test_a_project_that_is_not_there_is_not_found(store):
    assert store("signing-keys", "rotate", "--project", "nobody") == NOT_FOUND

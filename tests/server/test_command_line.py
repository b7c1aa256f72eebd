"""The guestpass command: what it prints, where, and how it ends."""

import re
import sqlite3
import stat

import pytest
from command_line import FAILED, NOT_FOUND, OK, REFUSED, USAGE


@pytest.fixture
def store(run):
    assert run("init") == OK
    return run


@pytest.fixture
def key(store):
    return store.json("keys", "create", "--name", "mine")


def test_init_makes_a_store_whose_master_key_only_its_owner_can_read(run):
    made = run.json("init")
    assert made == {"dataDir": str(run.data_dir), "publicUrl": "http://127.0.0.1:8787"}
    assert stat.S_IMODE((run.data_dir / "master.key").stat().st_mode) == 0o600
    assert run.json("init") == made


def test_a_command_without_a_store_says_how_to_make_one(run):
    assert run("keys", "list") == NOT_FOUND
    assert "guestpass init --data-dir" in run.err
    assert run.out == ""


def test_a_new_key_is_shown_once_and_never_listed(store):
    made = store.json("keys", "create", "--env", "live", "--name", "mine", "--can", "mint,read", "--operations", "b,a")
    assert re.fullmatch(r"sk_live_\w{49}", made["secret"])
    assert (made["environment"], made["can"], made["operations"]) == ("live", ["mint", "read"], ["a", "b"])
    listed = store.json("keys", "list")
    assert listed == [{name: value for name, value in made.items() if name != "secret"}]


def test_only_a_key_made_with_signing_keeps_its_secret_and_that_sealed(store):
    """Whoever steals the file has no key in it that he could call with."""
    plain = store.json("keys", "create", "--name", "plain")
    signing = store.json("keys", "create", "--name", "signing", "--signing")
    assert (plain["signing"], signing["signing"]) == (False, True)
    assert [key["signing"] for key in store.json("keys", "list")] == [False, True]
    with sqlite3.connect(store.data_dir / "guestpass.sqlite3") as connection:
        rows = connection.execute("SELECT name, sealed_secret FROM api_keys").fetchall()
    connection.close()
    kept = dict(rows)
    assert kept["plain"] is None
    assert len(kept["signing"]) > len(signing["secret"])
    files = b"".join(file.read_bytes() for file in store.data_dir.iterdir())
    assert not [key for key in (plain, signing) if key["secret"].encode() in files]


@pytest.mark.parametrize(
    ("options", "word"),
    [(["--can", "mint,fly"], "fly"), (["--operations", "Read"], "--operations"), (["--env", "prod"], "prod")],
    ids=["an unknown right", "an operation that breaks the rule", "an unknown environment"],
)
def test_a_wrong_option_is_a_usage_error_that_names_it(store, options, word):
    assert store("keys", "create", "--name", "mine", *options) == USAGE
    assert word in store.out + store.err


def test_a_revoked_key_mints_no_more_and_its_sessions_end(store, key):
    minted = store.json("tokens", "mint", "--user", "ada")
    assert store("keys", "revoke", key["id"]) == OK
    assert store("tokens", "mint", "--user", "ada") == NOT_FOUND
    assert "guestpass keys create" in store.err
    assert store("tokens", "explain", stdin=minted["sessionToken"]) == REFUSED
    assert "TOKEN_REVOKED" in store.out


def test_a_key_revoked_with_its_sessions_kept_leaves_them_alive(store, key):
    minted = store.json("tokens", "mint", "--user", "ada")
    assert store("keys", "revoke", key["id"], "--keep-sessions") == OK
    assert store("tokens", "explain", stdin=minted["sessionToken"]) == OK


def test_revoking_an_unknown_key_finds_nothing(store):
    assert store("keys", "revoke", "key_01jd0000000000000000000000") == NOT_FOUND
    assert store("keys", "revoke", "nonsense") == NOT_FOUND


@pytest.mark.usefixtures("key")
def test_explain_reads_the_token_from_standard_input_and_never_prints_it(store):
    token = store.json("tokens", "mint", "--user", "ada", "--operations", "read")["sessionToken"]
    explained = store.json("tokens", "explain", "--operation", "read", stdin=token + "\n")
    assert explained["valid"]
    assert [check["check"] for check in explained["checks"]][-1] == "operation"
    assert store("tokens", "explain", "--operation", "write", stdin=token) == REFUSED
    assert token not in store.out + store.err
    assert store("tokens", "explain", token) == USAGE


@pytest.mark.usefixtures("key")
def test_explain_shows_a_session_by_its_id(store):
    minted = store.json("tokens", "mint", "--user", "ada")
    explained = store.json("tokens", "explain", minted["id"])
    assert (explained["valid"], explained["session"]["externalUserId"], explained["refusals"]) == (True, "ada", [])
    assert store("tokens", "explain", "sess_01jd0000000000000000000000") == NOT_FOUND


@pytest.mark.usefixtures("key")
def test_sessions_are_listed_newest_first_and_ended_by_id_user_or_all(store):
    first, second, third = (store.json("tokens", "mint", "--user", user) for user in ("ada", "bob", "ada"))
    listed = [session["id"] for session in store.json("sessions", "list")]
    assert listed == [third["id"], second["id"], first["id"]]
    assert [session["id"] for session in store.json("sessions", "list", "--user", "bob")] == [second["id"]]
    assert store.json("sessions", "revoke", first["id"])["id"] == first["id"]
    assert store.json("sessions", "revoke", "--user", "ada")["revoked"] == 1
    assert store.json("sessions", "revoke", "--all")["revoked"] == 1
    assert {session["status"] for session in store.json("sessions", "list")} == {"revoked"}
    assert store("sessions", "revoke") == USAGE


# Bounds of keys, and rotation


def test_a_key_is_made_with_bounds_and_its_bounds_are_lifted(store):
    bounds = ("--ip-ranges", "10.0.0.0/8,2001:db8::/32", "--expires", "2099-01-01T00:00:00Z", "--signing")
    made = store.json("keys", "create", "--name", "bounded", *bounds)
    assert (made["ipRanges"], made["expiresAt"], made["signing"]) == (
        ["10.0.0.0/8", "2001:db8::/32"],
        "2099-01-01T00:00:00Z",
        True,
    )
    edited = store.json("keys", "edit", made["id"], "--ip-ranges", "any", "--expires", "never", "--name", "free")
    assert (edited["ipRanges"], edited["expiresAt"], edited["name"]) == (None, None, "free")
    narrowed = store.json("keys", "edit", made["id"], "--can", "mint", "--operations", "a")
    assert (narrowed["can"], narrowed["operations"]) == (["mint"], ["a"])
    assert "secret" not in narrowed


def test_a_rotated_key_has_two_secrets_of_which_only_facts_are_listed(store, key):
    rotated = store.json("keys", "rotate", key["id"], "--overlap-seconds", "3600")
    assert rotated["id"] == key["id"]
    assert rotated["secret"] != key["secret"]
    (listed,) = store.json("keys", "list")
    assert [secret["endsAt"] is None for secret in listed["secrets"]] == [True, False]
    assert not [secret for secret in (key["secret"], rotated["secret"]) if secret in store.out]
    assert len(store.json("keys", "rotate", key["id"], "--overlap-seconds", "0")["secrets"]) == 1


def test_without_json_a_rotation_prints_the_secret_first(store, key):
    assert store("keys", "rotate", key["id"]) == OK
    assert re.fullmatch(r"sk_test_\w{49}", store.out.splitlines()[0])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["create", "--name", "x", "--ip-ranges", "10.0.0.1/8"], "--ip-ranges"),
        (["create", "--name", "x", "--expires", "2001-01-01T00:00:00Z"], "--expires"),
        (["create", "--name", ""], "name"),
        (["rotate", "{key}", "--overlap-seconds", "604801"], "--overlap-seconds"),
        (["edit", "{key}"], "at least one thing"),
    ],
    ids=["a host in a network", "an end that is over", "no name", "an overlap over a week", "nothing to change"],
)
def test_bounds_that_cannot_be_are_usage_errors_that_name_the_option(store, key, words, says):
    assert store("keys", *(word.format(key=key["id"]) for word in words)) == USAGE
    assert says in store.err


def test_a_key_that_has_ended_is_neither_edited_nor_rotated(store, key):
    store("keys", "revoke", key["id"])
    for words in (("rotate", key["id"]), ("edit", key["id"], "--name", "x")):
        assert store("keys", *words) == REFUSED
        assert "was revoked" in store.err


# Projects


@pytest.fixture
def project(store):
    return store.json("projects", "create", "--name", "Larkspur")


def test_a_new_project_has_an_issuer_in_each_environment(store, project):
    assert re.fullmatch(r"proj_[0-9a-z]{26}", project["id"])
    for environment in ("test", "live"):
        shown = project["issuers"][environment]
        assert shown["issuer"] == shown["audience"] == f"http://127.0.0.1:8787/{environment}/{project['id']}"
        assert shown["jwksUrl"] == f"{shown['issuer']}/.well-known/jwks.json"
    assert [each["name"] for each in store.json("projects", "list")] == ["default", "Larkspur"]
    assert store.json("projects", "show", "Larkspur") == store.json("projects", "show", project["id"]) == project


def test_a_project_of_the_same_name_is_refused(store, project):
    assert store("projects", "create", "--name", "Larkspur") == REFUSED
    assert project["id"] in store.err


def test_commands_work_in_the_project_that_is_named_and_in_no_other(store, key, project):
    """``--project`` takes its id or its name; without it ``default`` is meant."""
    at = ("--project", "Larkspur")
    assert store("tokens", "mint", "--user", "ada", *at) == NOT_FOUND
    assert f"--project {project['id']}" in store.err
    theirs = store.json("keys", "create", "--name", "theirs", "--project", project["id"])
    assert theirs["projectId"] == project["id"]
    assert [each["id"] for each in store.json("keys", "list", *at)] == [theirs["id"]]
    assert [each["id"] for each in store.json("keys", "list")] == [key["id"]]
    minted, ours = store.json("tokens", "mint", "--user", "ada", *at), store.json("tokens", "mint", "--user", "ada")
    assert [each["id"] for each in store.json("sessions", "list", *at)] == [minted["id"]]
    assert store.json("tokens", "explain", stdin=minted["sessionToken"])["valid"]
    assert store.json("sessions", "revoke", "--all", *at)["revoked"] == 1
    assert store.json("tokens", "explain", ours["id"])["session"]["status"] == "active"
    assert store.json("sessions", "revoke", minted["id"])["id"] == minted["id"], "an id is enough for the operator"
    assert store("sessions", "list", "--project", "Nobody's") == NOT_FOUND


@pytest.mark.usefixtures("key")
def test_settings_are_set_in_one_environment_and_reset_by_name(store):
    words = ("--default-expires-in", "300", "--max-expires-in", "600", "--audience", "https://api.example.com")
    shown = store.json("projects", "set", "default", *words)["issuers"]
    assert (shown["test"]["maxExpiresIn"], shown["live"]["maxExpiresIn"]) == (600, 86_400)
    assert shown["test"]["audience"] == "https://api.example.com"
    assert store.json("tokens", "mint", "--user", "ada")["expiresIn"] == 300
    assert store("tokens", "mint", "--user", "ada", "--expires-in", "601") == USAGE
    shown = store.json("projects", "set", "default", "--reset", "audience,defaultExpiresIn,maxExpiresIn")["issuers"]
    assert shown["test"]["audience"] == shown["test"]["issuer"]
    assert store.json("tokens", "mint", "--user", "ada")["expiresIn"] == 3600


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--max-expires-in", "86401"], "maxExpiresIn"),
        (["--reset", "audience,color"], "color"),
        (["--reset", "audience", "--audience", "x"], "same command"),
        ([], "at least one setting"),
    ],
    ids=["beyond the contract", "an unknown setting", "set and reset at once", "nothing"],
)
def test_settings_that_cannot_be_are_usage_errors(store, words, says):
    assert store("projects", "set", "default", *words) == USAGE
    assert says in store.err


def test_a_table_in_a_pipe_is_tab_separated_lines(store, key):
    assert store("keys", "list") == OK
    assert store.out.split("\t")[0] == key["id"]
    assert "\x1b" not in store.out


def test_config_show_says_where_each_value_comes_from(store, monkeypatch, tmp_path):
    (tmp_path / "guestpass.toml").write_text('host = "0.0.0.0"\nport = 9000\n')
    monkeypatch.setenv("GUESTPASS_PORT", "9001")
    monkeypatch.setenv("GUESTPASS_MASTER_KEY", "1:secret")
    rows = {row["setting"]: row for row in store.json("config", "show", "--origin")}
    assert (rows["host"]["value"], rows["host"]["origin"]) == ("0.0.0.0", "guestpass.toml")
    assert (rows["port"]["value"], rows["port"]["origin"]) == ("9001", "GUESTPASS_PORT")
    assert rows["data_dir"]["origin"] == "--data-dir"
    assert rows["workers"]["origin"] == "default"
    assert rows["master_key"]["value"] == "(set)"


@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [
        ("GUESTPASS_PORT", "http", "port (GUESTPASS_PORT)"),
        ("GUESTPASS_PUBLIC_URL", "example.com/", "public_url (GUESTPASS_PUBLIC_URL)"),
        ("GUESTPASS_SIGNING_ALGORITHM", "none", "signing_algorithm (GUESTPASS_SIGNING_ALGORITHM)"),
        ("GUESTPASS_MASTER_KEY_FILE", "missing", "GUESTPASS_MASTER_KEY_FILE"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_its_origin(run, monkeypatch, variable, value, word):
    monkeypatch.setenv(variable, value)
    assert run("init") == USAGE
    assert word in run.err


def test_a_wrong_master_key_is_a_sentence_with_both_fingerprints(store, monkeypatch):
    monkeypatch.setenv("GUESTPASS_MASTER_KEY", "1:" + "A" * 43)
    assert store("keys", "list") == FAILED
    assert len(re.findall(r"fingerprint [0-9a-f]{8}", store.err)) == 2
    assert "Nothing was changed" in store.err


def test_the_public_url_is_fixed_until_it_is_changed_on_purpose(store, monkeypatch):
    monkeypatch.setenv("GUESTPASS_PUBLIC_URL", "https://tokens.example.com")
    assert store("keys", "list") == USAGE
    assert "init --change-url" in store.err
    changed = store.json("init", "--change-url", "https://tokens.example.com")
    assert changed["publicUrl"] == "https://tokens.example.com"
    assert store("keys", "list") == OK


def test_two_issuers_with_one_name_do_not_start(store, monkeypatch):
    monkeypatch.setenv("GUESTPASS_ISSUER_TEST", "https://example.com")
    monkeypatch.setenv("JWT_ISSUER", "https://example.com")
    assert store("keys", "list") == USAGE
    assert "Two issuers would be equal" in store.err


def test_doctor_finds_a_healthy_store_healthy(store):
    assert store("doctor") == OK
    assert "FAIL" not in store.out


def test_doctor_names_what_is_wrong_and_what_to_do(store):
    (store.data_dir / "master.key").chmod(0o644)
    assert store("doctor") == FAILED
    assert "chmod 600" in store.out


def test_an_unknown_command_is_a_usage_error(store):
    assert store("mintt") == USAGE

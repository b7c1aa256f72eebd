"""Every argument of a Verifier is checked when it is made, and the error names it and the rule."""

import pytest

from guestpass import MemoryReplayGuard, Verifier
from guestpass.errors import ValidationFailed
from guestpass.testing.issuer import new_key

ISSUER = "https://id.example/test"
JWKS_URL = f"{ISSUER}/.well-known/jwks.json"
PROJECT = "proj_01hf7yat00000000000000000a"
SECRET_KEY = "sk_test_" + "N0tARea1Secret" * 3
PUBLIC = new_key("ES256").verifying_key.public_jwk()
SHARED_SECRET = new_key("HS256")


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch):
    monkeypatch.delenv("GUESTPASS_ISSUER", raising=False)
    monkeypatch.delenv("GUESTPASS_SECRET_KEY", raising=False)


def made(issuer=ISSUER, **options):
    with Verifier(issuer, **options) as verifier:
        return verifier._settings


def refused(issuer=ISSUER, **options):
    """The argument that is refused, and why."""
    with pytest.raises(ValidationFailed) as error:
        Verifier(issuer, **options)
    [detail] = error.value.details
    assert error.value.message == f"{detail.path} {detail.message}."
    return detail.path, detail.message


@pytest.mark.parametrize(
    "issuer",
    [
        None, "", "id.example/test", "ftp://id.example/test", "https://", "https:///test", "https://id.example:0/test",
        "https://id.example:x/test", "https://[::1/test", "https://id.example/te st", "https://ïd.example/test",
        "https://user@id.example/test", "https://id.example/test?x", "https://id.example/test#x", "https://id.example/test/",
        "https://id.example/test?", "https://id.example", "https://id.example/staging", "https://id.example/TEST",
        "https://id.example/test/proj_x", f"https://id.example/test/{PROJECT}/", f"https://id.example/test/{PROJECT.upper()}",
        "https://id.example/test/proj_" + "u" * 26, "https://id.example/test\n", "file:///test",
    ],
)  # fmt: skip
def test_an_issuer_is_an_address_of_one_environment_and_perhaps_one_project(issuer):
    assert refused(issuer)[0] == "issuer"


@pytest.mark.parametrize(
    ("issuer", "base", "environment", "project_id"),
    [
        ("https://id.example/test", "https://id.example", "test", None),
        ("http://127.0.0.1:8787/live", "http://127.0.0.1:8787", "live", None),
        (f"https://id.example/test/{PROJECT}", "https://id.example", "test", PROJECT),
        ("https://id.example/a/live/b/test", "https://id.example/a/live/b", "test", None),
        ("http://[::1]:8787/test", "http://[::1]:8787", "test", None),
    ],
)
def test_an_issuer_tells_where_everything_is(issuer, base, environment, project_id):
    settings = made(issuer)
    assert (settings.base, settings.home.environment, settings.home.project_id) == (base, environment, project_id)
    assert settings.home.location == issuer


def test_the_keys_may_be_elsewhere(monkeypatch):
    """Of an issuer that was replaced, or that is reached under another name."""
    settings = made("https://accounts.customer.example", jwks_url="https://id.example/live/.well-known/jwks.json")
    assert settings.home == ("https://accounts.customer.example", "https://id.example/live", "live", None)
    assert (settings.base, settings.siblings_base) == ("https://id.example", None)
    settings = made(ISSUER, jwks_url="http://guestpass:8787/test/.well-known/jwks.json")
    assert (settings.base, settings.siblings_base) == ("http://guestpass:8787", "https://id.example")


@pytest.mark.parametrize(
    "url",
    ["https://id.example/test", "https://id.example/.well-known/jwks.json", "x", f"{JWKS_URL}/", f"{JWKS_URL}?x",
     "https://id.example/live/.well-known/jwks.json", f"https://id.example/test/{PROJECT}/.well-known/jwks.json"],
)  # fmt: skip
def test_but_nowhere_that_is_not_the_place_of_this_issuers_keys(url):
    assert refused(jwks_url=url)[0] == "jwks_url"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("leeway_seconds", [-1, 61, 1.5, "5", None, True]),
        ("poll_seconds", [0, -1, 3601, 2.5, None]),
        ("max_stale_seconds", [-1, 3601, "300"]),
        ("mode", ["online", "", None]),
        ("projects", ["some", "", None, True]),
        ("algorithms", [(), ("HS256",), ("ES256", "HS256"), ("none",), "ES256", ("es256",)]),
        ("secret", ["short", b"short", "x" * 1025, b"-----BEGIN PUBLIC KEY-----" + b"x" * 30, "\ud83e" * 40, [], [32], ["s" * 40, "short"]]),
        ("keys", [{}, {"keys": []}, {"keys": [SHARED_SECRET.private_jwk()]}, [SHARED_SECRET.private_jwk()], [{"kty": "EC"}], [],
                  {"keys": "x"}, [PUBLIC, PUBLIC]]),
        ("secret_key", ["pk_test_x", "sk_test_", "sk_live_" + "a" * 40, SECRET_KEY + "\n"[:0] + " x"]),
        ("replay_guard", ["memory", object(), MemoryReplayGuard]),
    ],
)  # fmt: skip
def test_an_argument_that_breaks_a_rule_is_refused_by_name(name, values):
    for value in values:
        if name == "replay_guard" and value is MemoryReplayGuard:
            continue
        assert refused(**{name: value})[0] == name, value


def test_no_error_repeats_a_secret():
    for options in ({"secret": "s3cret-but-short"}, {"secret_key": "sk_live_N0tARea1SecretN0tARea1Secret"}):
        with pytest.raises(ValidationFailed) as error:
            Verifier(ISSUER, **options)
        assert next(iter(options.values())) not in error.value.message


def test_the_bounds_themselves_are_good():
    settings = made(leeway_seconds=60, poll_seconds=3600, max_stale_seconds=3600)
    assert (settings.leeway_seconds, settings.poll_seconds, settings.max_stale_seconds) == (60, 3600, 3600)
    settings = made(leeway_seconds=0, poll_seconds=1, max_stale_seconds=0)
    assert (settings.leeway_seconds, settings.poll_seconds, settings.max_stale_seconds) == (0, 1, 0)


def test_the_defaults_are_the_contracts():
    settings = made()
    assert settings.algorithms == {"ES256", "EdDSA", "RS256"}
    assert (settings.leeway_seconds, settings.poll_seconds, settings.max_stale_seconds) == (5, 5, 300)
    assert (settings.mode, settings.projects, settings.audience) == ("offline", "one", None)


def test_without_a_secret_key_hybrid_is_offline():
    assert made().mode == "offline"
    assert made(secret_key=SECRET_KEY).mode == "hybrid"
    assert made(secret_key=SECRET_KEY, mode="offline").secret_key is None
    assert refused(mode="introspect")[0] == "secret_key"


def test_a_secret_key_of_the_environment_counts(monkeypatch):
    monkeypatch.setenv("GUESTPASS_SECRET_KEY", SECRET_KEY)
    assert made().mode == "hybrid"
    assert made(mode="offline").mode == "offline"
    assert refused("https://id.example/live")[0] == "secret_key"


@pytest.mark.parametrize(
    "options",
    [{"jwks_url": JWKS_URL}, {"keys": [PUBLIC]}, {"secret": b"s" * 32}, {"issuer": f"{ISSUER}/{PROJECT}"}],
    ids=["jwks_url", "keys", "secret", "a project's issuer"],
)
def test_all_projects_are_found_under_the_issuer_and_nowhere_else(options):
    assert refused(options.pop("issuer", ISSUER), projects="all", **options)[0] == "projects"


def test_secrets_are_in_no_repr():
    settings = made(secret_key=SECRET_KEY, secret=SHARED_SECRET.secret)
    assert SECRET_KEY not in repr(settings)
    assert "secret=" not in repr(settings)

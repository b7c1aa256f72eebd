"""``projects="all"``: the operator's own API takes every project's tokens, each with its own keys, and nobody else's."""

import pytest
from verifying import Api

from guestpass import Verifier
from guestpass.core import ids
from guestpass.testing.issuer import new_key
from guestpass.verify import desks

A, B = "proj_01hf7yat00000000000000000a", "proj_01hf7yat00000000000000000b"


@pytest.fixture
def first(service):
    return service.issuer(project_id=A)


@pytest.fixture
def second(service):
    return service.issuer(project_id=B)


@pytest.fixture(params=["sync", "async"])
def api(request, issuer, first, second):
    return Api(issuer, request.param, projects="all")


def key_fetches(api):
    return [path for path in api.asked if path.endswith("/jwks.json")]


def made_up(first, number=0):
    """A token of a project that does not exist, under a key that nobody publishes."""
    project = ids.encode("proj", number.to_bytes(16, "big"))
    own, first.key = first.key, new_key("ES256")
    try:
        return first.mint(iss=f"https://guestpass.test/test/{project}", aud=f"https://guestpass.test/test/{project}")
    finally:
        first.key = own


def test_every_project_is_verified_with_its_own_keys(api, issuer, first, second):
    tokens = [each.mint() for each in (issuer, first, second)]
    found = [api.verify(token).project_id for token in tokens]
    assert found == [issuer.project_id, A, B]
    assert [api.verify(token).project_id for token in tokens] == found
    assert len(key_fetches(api)) == 3


def test_a_token_under_another_projects_key_is_refused(api, first, second):
    """Tenant B mints what he likes under his own key; it never speaks for tenant A."""
    own, second.key = second.key, first.key
    token = second.mint()
    second.key = own
    api.verify(first.mint())
    api.verify(second.mint())
    assert api.code(token) == "TOKEN_KEY_UNKNOWN"
    assert api.code(first.mint(iss=second.url, aud=second.url)) == "TOKEN_KEY_UNKNOWN"
    assert api.code(first.mint(project_id=B)) == "TOKEN_PROJECT_MISMATCH"


def test_a_token_for_another_audience_is_refused(api, issuer, first):
    assert api.code(first.mint(aud=issuer.url)) == "TOKEN_AUDIENCE_MISMATCH"
    assert (
        api.with_options(projects="all", audience="https://api.example").code(first.mint()) == "TOKEN_AUDIENCE_MISMATCH"
    )
    named = api.with_options(projects="all", audience="https://api.example")
    assert named.code(first.mint(aud="https://api.example")) == "ok"


@pytest.mark.parametrize(
    "issuer_claim",
    [
        "https://guestpass.test/test/", f"https://guestpass.test/test/{A}/", f"https://guestpass.test/test/{A}/x",
        f"https://guestpass.test/test//{A}", f"https://guestpass.test/test/{A.upper()}", f"https://guestpass.test/test/{A}x",
        "https://guestpass.test/test/proj_" + "0" * 25, "https://guestpass.test/test/proj_" + "8" * 26,
        "https://guestpass.test/test/../live", f"https://guestpass.test/test/{A}?x", f"https://guestpass.test/test/{A}#",
        f"https://guestpass.test/testing/{A}", f"https://evil.example/test/{A}", f"https://guestpass.test@evil.example/test/{A}",
        "https://guestpass.test/test/sess_01hf7yat00000000000000000a", f"https://guestpass.test/live/{A}", "",
    ],
)  # fmt: skip
def test_no_other_iss_is_ever_fetched(api, first, issuer_claim):
    own, first.key = first.key, new_key("ES256")
    token = first.mint(iss=issuer_claim, aud=issuer_claim)
    first.key = own
    assert api.code(token) in {"TOKEN_ISSUER_MISMATCH", "TOKEN_PROJECT_MISMATCH", "TOKEN_ENVIRONMENT_MISMATCH"}
    assert api.asked == []


def test_one_project_that_does_not_exist_is_asked_for_in_half_a_minute(api, first):
    """Whoever can write a token can make names up; the flood ends here, and goes no further."""
    codes = {api.code(made_up(first, number)) for number in range(20)}
    assert codes == {"TOKEN_KEY_UNKNOWN"}
    assert len(key_fetches(api)) == 1
    api.clock.advance(seconds=30)
    api.code(made_up(first, 77))
    assert len(key_fetches(api)) == 2


def test_one_that_was_not_found_is_remembered(api, first):
    token = made_up(first)
    looks = []
    for _ in range(11):
        before = len(key_fetches(api))
        api.code(token)
        looks.append(len(key_fetches(api)) - before)
        api.clock.advance(seconds=30)
    assert looks == [1] + [0] * 9 + [1]


def test_a_flood_of_names_pushes_no_project_out(api, first, monkeypatch):
    """Those who were met are kept apart from those who are only claimed."""
    token = first.mint()
    api.verify(token)
    for number in range(1, 1100):
        api.code(made_up(first, number))
    api.verify(token)
    chosen = api.verifier._desks
    assert (len(chosen._met), len(chosen._strangers)) == (1, desks.DESKS_MAX)
    assert len([path for path in key_fetches(api) if A in path]) == 1


def test_an_issuer_that_is_away_is_our_fault_for_every_project(api, issuer, first, second):
    with issuer.service.away():
        assert api.codes(first.mint(), second.mint()) == ["UNAVAILABLE", "UNAVAILABLE"]
        assert len(key_fetches(api)) == 1, "the second is not even tried"
    api.clock.advance(seconds=5)
    assert api.codes(first.mint(), second.mint()) == ["ok", "ok"]


def test_a_revoke_of_one_project_is_not_anothers(api, first, second):
    tokens = first.mint("ada"), second.mint("ada")
    api.codes(*tokens)
    first.revoke_all(user_id="ada")
    api.clock.advance(seconds=5)
    assert api.codes(*tokens) == ["TOKEN_REVOKED", "ok"]


def test_a_project_rotates_its_keys(api, first):
    api.verify(first.mint())
    first.rotate()
    api.clock.advance(seconds=30)
    token = first.mint()
    assert api.codes(token, token) == ["ok", "ok"]
    api.clock.advance(seconds=100)
    assert api.code(token) == "ok"


def test_a_token_as_long_as_may_be_is_read_and_a_longer_one_is_not(api, first):
    assert api.code(first.mint("u" * 2000)) == "ok"
    assert api.code("ey" + "A" * 5_000_000) == "TOKEN_MALFORMED"


def test_the_server_is_asked_about_its_own_projects_tokens_only(service, issuer, first):
    """The key of one project knows nothing of another's; a 401 on its word would be wrong."""
    verifier = Verifier(
        issuer.url, projects="all", secret_key=issuer.secret_key, clock=service.clock, http_client=service.http_client
    )
    with service.closing(verifier):
        api = Api(issuer)
        api.verifier = verifier
        tokens = issuer.mint(), first.mint()
        assert api.codes(*tokens) == ["ok", "ok"]
        with service.answering(lambda r: None if "oauth" in r.url.path or "jwks" in r.url.path else _gone()):
            service.clock.advance(seconds=400)
            assert api.codes(*tokens) == ["ok", "UNAVAILABLE"]


def _gone():
    import httpx2  # noqa: PLC0415

    return httpx2.Response(503)

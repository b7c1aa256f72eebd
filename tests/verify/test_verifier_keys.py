"""Keys are fetched once for all who wait, seldom for anyone who asks, and count for a while when the issuer is away."""

import threading
from concurrent.futures import ThreadPoolExecutor

import anyio
import httpx2
import pytest
from verifying import Api

from guestpass.core.jose.jwk import hmac_key
from guestpass.core.tokens import kinds
from guestpass.errors import GuestpassError, Unavailable
from guestpass.testing.issuer import new_key
from guestpass.verify.keys import fresh_seconds_of

KEYS = "/test/.well-known/jwks.json"
MINUTE, HOUR = 60, 3600


def key_fetches(api):
    return api.asked.count(KEYS)


def forged(issuer, **claims):
    """A token that names a key of its own, by someone who is not the issuer."""
    own = issuer.key
    issuer.key = new_key("ES256")
    try:
        return issuer.mint(**claims)
    finally:
        issuer.key = own


# Rotation and theft


def test_a_new_key_is_found_when_its_first_token_comes(api, issuer):
    """Even one that was not published in time; once the last look is half a minute ago."""
    before = issuer.mint()
    api.verify(before)
    issuer.rotate()
    api.clock.advance(seconds=30)
    assert api.code(issuer.mint()) == "ok"
    assert api.code(before) == "ok"


def test_a_key_that_is_published_before_it_signs_is_never_unknown(api, issuer):
    """As the server rotates: no good token is refused, with no fetch on account of one."""
    api.verify(issuer.mint())
    old, new = issuer.key, issuer.rotate()
    issuer.key = old
    api.clock.advance(seconds=2 * MINUTE)
    api.verify(issuer.mint())
    issuer.key = new
    assert api.code(issuer.mint()) == "ok"
    assert key_fetches(api) == 2


def test_a_stolen_key_is_out_when_the_keys_are_due(api, issuer):
    """Within their max-age, and with every token that it signed and that was remembered."""
    stolen = issuer.key
    token = issuer.mint()
    api.verify(token)
    issuer.rotate()
    issuer.withdraw(stolen.kid)
    api.clock.advance(seconds=MINUTE)
    assert api.code(token) == "TOKEN_KEY_UNKNOWN"
    assert api.code(issuer.mint()) == "ok"


def test_keys_that_did_not_change_are_the_same_keys(api, issuer):
    """A signature that was checked is not checked again because the keys were fetched again."""
    token = issuer.mint()
    api.verify(token)
    verifier = api.verifier._desks.home.verifier()
    api.clock.advance(seconds=MINUTE)
    api.verify(token)
    assert key_fetches(api) == 2
    assert api.verifier._desks.home.verifier() is verifier


# One fetch


def test_a_hundred_threads_that_start_at_once_fetch_the_keys_once(issuer):
    api, token = Api(issuer), issuer.mint()
    gate = threading.Barrier(100)

    def verify():
        gate.wait()
        return api.code(token)

    with ThreadPoolExecutor(100) as threads:
        assert {future.result() for future in [threads.submit(verify) for _ in range(100)]} == {"ok"}
    assert sorted(api.asked) == [KEYS, "/test/status-lists/1", "/test/status-lists/cuts"]


async def test_a_thousand_tasks_that_start_at_once_fetch_the_keys_once(issuer):
    api, token = Api(issuer), issuer.mint()
    sessions = []

    async def verify():
        sessions.append(await api.verifier.averify(token))

    async with anyio.create_task_group() as tasks:
        for _ in range(1000):
            tasks.start_soon(verify)
    assert len(sessions) == 1000
    assert sorted(api.asked) == [KEYS, "/test/status-lists/1", "/test/status-lists/cuts"]


# Unknown keys


def test_a_flood_of_unknown_keys_fetches_once_in_half_a_minute(api, issuer):
    api.verify(issuer.mint())
    api.clock.advance(seconds=30)
    assert {api.code(forged(issuer)) for _ in range(20)} == {"TOKEN_KEY_UNKNOWN"}
    assert key_fetches(api) == 2
    api.clock.advance(seconds=29)
    api.code(forged(issuer))
    assert key_fetches(api) == 2


def test_a_key_that_was_not_found_is_not_looked_for_again(api, issuer):
    """The refresh that comes anyway would find it."""
    token = forged(issuer, expires_in=HOUR)
    api.verify(issuer.mint())
    looks = []
    for _ in range(9):
        api.clock.advance(seconds=30)
        before = key_fetches(api)
        assert api.code(token) == "TOKEN_KEY_UNKNOWN"
        looks.append(key_fetches(api) - before)
    assert looks == [1, 0, 1, 0, 1, 0, 1, 0, 1], "its own look at first, then the refresh of each minute"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"iss": "https://guestpass.test/live"}, "TOKEN_ENVIRONMENT_MISMATCH"),
        ({"iss": "https://guestpass.test/test/proj_01hf7yat00000000000000000b"}, "TOKEN_PROJECT_MISMATCH"),
        ({"iss": "https://evil.example/test"}, "TOKEN_ISSUER_MISMATCH"),
        ({"iss": "https://guestpass.test/test/"}, "TOKEN_PROJECT_MISMATCH"),
        ({"iss": "https://guestpass.test"}, "TOKEN_ISSUER_MISMATCH"),
    ],
)
def test_a_token_of_anyone_else_fetches_nothing(api, issuer, claims, code):
    """Before the first fetch and after it: the unverified iss chooses a code, and never an address."""
    if claims["iss"].endswith("/test/"):
        code = "TOKEN_ISSUER_MISMATCH"
    assert api.code(forged(issuer, **claims)) == code
    assert api.asked == []
    api.verify(issuer.mint())
    api.clock.advance(seconds=40)
    seen = len(api.asked)
    assert api.code(forged(issuer, **claims)) == code
    assert len(api.asked) == seen


# When it is away


def test_keys_count_for_an_hour_while_the_issuer_is_away(issuer):
    api = Api(issuer, max_stale_seconds=3600, poll_seconds=3600)
    token = issuer.mint(expires_in=3 * HOUR)
    api.verify(token)
    with issuer.service.away():
        api.clock.advance(seconds=HOUR)
        assert api.code(token) == "ok"
        api.clock.advance(seconds=1)
        with pytest.raises(Unavailable) as refused:
            api.verify(token)
    assert "jwks.json: connection refused" in refused.value.message
    api.clock.advance(seconds=5)
    assert api.code(token) == "ok"


def test_a_stranger_is_a_stranger_while_the_issuer_is_away(api, issuer):
    """What is known well enough is not blamed on our side: this is a 401."""
    api.verify(issuer.mint())
    with issuer.service.away():
        api.clock.advance(seconds=40)
        assert api.code(forged(issuer)) == "TOKEN_KEY_UNKNOWN"


def test_an_issuer_that_is_away_is_asked_once_in_five_seconds(api, issuer):
    token = issuer.mint()
    with issuer.service.away():
        assert api.codes(token, token, token) == ["UNAVAILABLE"] * 3
        assert key_fetches(api) == 1
        api.clock.advance(seconds=5)
        assert api.code(token) == "UNAVAILABLE"
        assert key_fetches(api) == 2
    api.clock.advance(seconds=5)
    assert api.code(token) == "ok"


BAD_ANSWERS = {
    "an error": httpx2.Response(500, text="oops"),
    "another place": httpx2.Response(302, headers={"location": "https://evil.example/jwks.json"}),
    "no JSON": httpx2.Response(200, text="<html>"),
    "no key set": httpx2.Response(200, json={"issuer": "x"}),
    "a key set with a private key twice": httpx2.Response(200, json={"keys": [{"kid": "a"}, {"kid": "a"}]}),
    "a member twice": httpx2.Response(200, text='{"keys":[],"keys":[]}'),
    "compressed": httpx2.Response(200, headers={"content-encoding": "gzip"}, content=b"\x1f\x8b"),
    "endless": httpx2.Response(200, content=b" " * 300_000),
    "unchanged, though nothing was known": httpx2.Response(304),
    "no content": httpx2.Response(204),
}


def copied(response):
    return httpx2.Response(response.status_code, headers=response.headers, content=response._content)


@pytest.mark.parametrize("name", BAD_ANSWERS)
@pytest.mark.filterwarnings("ignore")
def test_an_answer_that_is_no_key_set_is_no_answer(api, issuer, name):
    """It is never followed elsewhere, nor read without end; what was known before goes on."""
    token = issuer.mint()
    raw = {"compressed": b"\x1f\x8b"}.get(name)

    def answer(_request):
        if raw is not None:
            return httpx2.Response(200, headers={"content-encoding": "gzip"}, stream=httpx2.ByteStream(raw))
        return copied(BAD_ANSWERS[name])

    with issuer.service.answering(answer), pytest.raises(Unavailable) as refused:
        api.verify(token)
    assert "jwks.json" in refused.value.message
    assert set(api.asked) == {KEYS}


def test_a_refresh_that_fails_leaves_what_is_known(api, issuer):
    token = issuer.mint()
    api.verify(token)
    api.clock.advance(seconds=MINUTE)
    with issuer.service.answering(lambda r: httpx2.Response(500) if r.url.path == KEYS else None):
        assert api.code(token) == "ok"
    assert key_fetches(api) == 2


# For how long


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("public, max-age=60", 60), ("max-age=300", 300), ("MAX-AGE=120, public", 120), ('max-age="90"', 90),
        ("max-age=1", 30), ("max-age=0", 30), ("max-age=86400", 3600), ("no-store", 30), ("no-cache, max-age=600", 30),
        ("", 60), ("public", 60), ("max-age", 60), ("max-age=x", 60), ("max-age=-1", 60), ("s-maxage=900", 60),
        ("max-age=99999999999", 60),
    ],
)  # fmt: skip
def test_keys_are_fresh_as_long_as_their_answer_says_within_bounds(header, seconds):
    """RFC 9111 section 5.2.2; at least 30 s, at most an hour, a minute where nothing is said."""
    assert fresh_seconds_of(header) == seconds


def test_keys_that_are_due_are_fetched_before_the_next_token(api, issuer):
    api.verify(issuer.mint())
    api.clock.advance(seconds=58)
    api.verify(issuer.mint())
    assert key_fetches(api) == 1
    api.clock.advance(seconds=2)
    api.verify(issuer.mint())
    assert key_fetches(api) == 2


# Keys that were handed over


def test_keys_that_were_handed_over_are_never_fetched(service, issuer):
    api = Api(
        issuer, keys=issuer.document("/.well-known/jwks.json") and {"keys": [issuer.key.verifying_key.public_jwk()]}
    )
    assert api.code(issuer.mint()) == "ok"
    assert api.code(forged(issuer)) == "TOKEN_KEY_UNKNOWN"
    api.clock.advance(seconds=HOUR)
    assert api.code(issuer.mint()) == "ok"
    assert KEYS not in api.asked


def test_keys_may_be_a_list_of_jwks(issuer):
    assert Api(issuer, keys=[issuer.key.verifying_key.public_jwk()]).code(issuer.mint()) == "ok"


def test_a_secret_accepts_hs256_alone_and_lists_by_published_keys(service):
    """The secret seals tokens; whoever checks a list must not be able to write one."""
    issuer = service.issuer(algorithm="HS256")
    api = Api(issuer)
    token = issuer.mint()
    assert api.code(token) == "ok"
    assert issuer.list_key.algorithm == "ES256"
    issuer.key, secret = issuer.list_key, issuer.key
    assert api.code(issuer.mint()) == "TOKEN_ALGORITHM_REFUSED"
    issuer.key, issuer.list_key = secret, secret
    issuer.revoke(token)
    api.clock.advance(seconds=5)
    assert api.code(token) == "ok", "a list sealed with the secret is refused, and the old one still counts"


def test_while_a_secret_takes_over_from_another_both_verify(service):
    """Each secret stands for the ``kid`` that it gives, as the server's do."""
    issuer = service.issuer(algorithm="HS256")
    before, after, third = (hmac_key(letter * 40) for letter in (b"a", b"b", b"c"))
    api = Api(issuer, secret=[after.secret, before.secret.decode()])
    for key in (before, after):
        issuer.key = key
        assert api.code(issuer.mint()) == "ok"
    issuer.key = third
    assert api.code(issuer.mint()) == "TOKEN_KEY_UNKNOWN"
    issuer.key = hmac_key(third.secret, kid=after.kid)
    assert api.code(issuer.mint()) == "TOKEN_SIGNATURE_INVALID"


def test_without_the_secret_an_hs256_token_is_refused(service):
    issuer = service.issuer(algorithm="HS256")
    assert Api(issuer, secret=None).code(issuer.mint()) == "TOKEN_ALGORITHM_REFUSED"


def test_a_published_secret_is_no_key(service, issuer):
    """An issuer that publishes one by mistake has lost it."""
    secret = new_key("HS256")
    api = Api(issuer)
    issuer.key = secret
    token = issuer.mint()
    with issuer.service.answering(
        lambda r: httpx2.Response(200, json={"keys": [secret.private_jwk()]}) if r.url.path == KEYS else None
    ):
        assert api.code(token) == "TOKEN_ALGORITHM_REFUSED"


def test_the_keys_of_a_secret_are_fetched_again_when_they_are_due(service):
    """A stolen key of lists is out as soon as one of tokens."""
    issuer = service.issuer(algorithm="HS256")
    api = Api(issuer, max_stale_seconds=0)
    token = issuer.mint()
    api.verify(token)
    stolen = issuer.list_key
    issuer.published = []
    api.clock.advance(seconds=MINUTE)
    assert api.code(token) == "UNAVAILABLE"
    assert stolen.kid not in issuer.document("/.well-known/jwks.json")


def test_another_kind_of_token_does_not_make_a_key_unknown(api, issuer):
    api.verify(issuer.mint())
    assert api.code(issuer.mint(kind=kinds.SCRIPT)) == "TOKEN_TYPE_MISMATCH"


def test_whatever_the_keys_are_no_error_but_ours_comes_out(api, issuer):
    for _ in range(3):
        issuer.rotate()
        api.clock.advance(seconds=31)
        try:
            api.verify(issuer.mint())
        except GuestpassError as error:
            pytest.fail(str(error))

"""How a client is made: from arguments and environment, with sentences for what is wrong, and no secrets shown."""

import gc
import subprocess
import sys

import httpx2
import pytest
from scripted_service import LISTED, SECRET_KEY, SESSION_ID, TOKEN, reply

from guestpass.client import AsyncGuestpass, Guestpass
from guestpass.errors import Unauthorized, ValidationFailed

LIVE_KEY = SECRET_KEY.replace("_test_", "_live_")

BOTH = pytest.mark.parametrize("kind", [Guestpass, AsyncGuestpass])


@BOTH
def test_key_and_address_come_from_the_environment(kind, monkeypatch):
    monkeypatch.setenv("GUESTPASS_SECRET_KEY", LIVE_KEY)
    monkeypatch.setenv("GUESTPASS_URL", "https://gp.example.com/base/")
    assert repr(kind()) == f"{kind.__name__}(base_url='https://gp.example.com/base', environment='live')"


@BOTH
def test_arguments_win_over_the_environment(kind, monkeypatch):
    monkeypatch.setenv("GUESTPASS_SECRET_KEY", LIVE_KEY)
    monkeypatch.setenv("GUESTPASS_URL", "https://gp.example.com")
    gp = kind(SECRET_KEY, base_url="http://127.0.0.1:9999")
    assert (gp.environment, "127.0.0.1:9999" in repr(gp)) == ("test", True)


@BOTH
def test_the_address_of_a_local_server_is_the_default(kind):
    assert "http://127.0.0.1:8787" in repr(kind(SECRET_KEY))


@BOTH
def test_a_newline_after_the_key_as_files_have_it_does_not_matter(kind, monkeypatch):
    monkeypatch.setenv("GUESTPASS_SECRET_KEY", SECRET_KEY + "\n")
    assert kind().environment == "test"


WRONG_KEYS = {
    "none": (None, "There is no secret key"),
    "empty": ("", "There is no secret key"),
    "publishable": ("pk_test_" + "a" * 40, "a publishable key"),
    "a partner app's": ("ck_test_" + "a" * 40, "client key of a partner app"),
    "its id": ("key_01jd9x3m5n7p8q9r0s1t2v3w4x", "the id of an API key"),
    "a session token": (TOKEN, "a session token"),
    "a session token with another prefix word": (TOKEN.replace("gp_", "acme_"), "a session token"),
    "a bare JWT": (TOKEN.removeprefix("gp_session_test_"), "a session token"),
    "a refresh token": ("gp_refresh_live_" + "a" * 40, "a refresh token"),
    "cut": ("sk_test_abc", "shape"),
    "no environment": ("sk_" + "a" * 40, "shape"),
    "a space inside": (SECRET_KEY[:20] + " " + SECRET_KEY[20:], "shape"),
    "a header in it": (SECRET_KEY + "\r\nX-Evil: 1", "shape"),
    "another alphabet": ("sk_test_" + "ä" * 40, "shape"),
}


@BOTH
@pytest.mark.parametrize(("key", "words"), WRONG_KEYS.values(), ids=WRONG_KEYS.keys())
def test_a_wrong_key_is_a_sentence_that_says_what_it_is_and_what_to_do(kind, key, words):
    with pytest.raises(Unauthorized, match=words) as refused:
        kind(key)
    assert "guestpass keys create" in str(refused.value)
    assert not key or key not in str(refused.value)


WRONG_ADDRESSES = {
    "no scheme": "guestpass.example.com",
    "another scheme": "ftp://guestpass.example.com",
    "no host": "https://",
    "user name and password": "https://user:hunter2@guestpass.example.com",
    "user name": "https://user@guestpass.example.com",
    "a query": "https://guestpass.example.com/?key=hunter2",
    "a fragment": "https://guestpass.example.com/#x",
    "no such port": "http://127.0.0.1:99999",
    "a word for a port": "http://127.0.0.1:http",
    "an open bracket": "http://[::1",
    "a space": "http://guest pass.example.com",
    "a newline": "http://guestpass.example.com/\nx",
}


@BOTH
@pytest.mark.parametrize("url", WRONG_ADDRESSES.values(), ids=WRONG_ADDRESSES.keys())
def test_a_wrong_address_is_a_sentence_and_is_not_repeated(kind, url):
    with pytest.raises(ValidationFailed, match="base_url or GUESTPASS_URL") as refused:
        kind(SECRET_KEY, base_url=url)
    assert "hunter2" not in str(refused.value)


WRONG_OPTIONS = [
    {"timeout_seconds": 0},
    {"timeout_seconds": float("inf")},
    {"timeout_seconds": None},
    {"connect_timeout_seconds": -1},
    {"connect_timeout_seconds": float("nan")},
    {"max_retries": -1},
    {"max_retries": 11},
    {"max_retries": 1.5},
    {"max_retries": True},
]


@BOTH
@pytest.mark.parametrize("options", WRONG_OPTIONS, ids=str)
def test_an_option_out_of_bounds_is_named(kind, options):
    with pytest.raises(ValidationFailed, match=next(iter(options))):
        kind(SECRET_KEY, **options)


def test_a_server_below_a_path_is_called_there(host, service):
    gp = host.client(base_url="https://example.com/guestpass/")
    host.do(lambda gp: gp.create_session_token(external_user_id="u"), gp=gp)
    assert str(service.last.url) == "https://example.com/guestpass/v1/session-tokens"


def test_each_try_has_the_timeouts_that_were_asked_for(host, service):
    host.mint()
    assert service.last.extensions["timeout"] == {"connect": 2.0, "read": 10.0, "write": 10.0, "pool": 10.0}
    gp = host.client(timeout_seconds=3, connect_timeout_seconds=0.5)
    host.do(lambda gp: gp.create_session_token(external_user_id="u"), gp=gp)
    assert service.last.extensions["timeout"] == {"connect": 0.5, "read": 3, "write": 3, "pool": 3}


@BOTH
def test_the_secret_key_is_in_no_repr(kind):
    gp = kind(SECRET_KEY)
    seen = [gp, gp.session_tokens, gp.sessions, gp.tokens, gp.customers, gp.users, gp._caller, gp._caller.exchange]
    assert not any(SECRET_KEY in text for thing in seen for text in (repr(thing), str(thing)))


def test_a_result_shows_no_token(host):
    token = host.mint()
    assert TOKEN not in f"{token!r} {token} {[token]} {list(token.__rich_repr__())}"
    assert SESSION_ID in repr(token)


def test_your_own_http_client_is_used_as_it_is_and_stays_open(service):
    service.will(reply(200, LISTED))
    http = httpx2.Client(
        transport=httpx2.MockTransport(service.answer),
        auth=("someone", "else"),
        base_url="http://elsewhere.test",
        follow_redirects=True,
    )
    with Guestpass(SECRET_KEY, base_url="http://guestpass.test", http_client=http) as gp:
        gp.sessions.get(SESSION_ID)
    assert service.last.url.host == "guestpass.test"
    assert service.last.headers["authorization"] == f"Bearer {SECRET_KEY}"
    assert not http.is_closed


def test_a_client_closes_what_it_opened():
    with Guestpass(SECRET_KEY) as gp:
        assert not gp._caller._http.is_closed
    assert gp._caller._http.is_closed


def test_a_client_that_is_let_go_closes_what_it_opened():
    gp = Guestpass(SECRET_KEY)
    http = gp._caller._http
    del gp
    gc.collect()
    assert http.is_closed


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_async_client_closes_what_it_opened():
    async with AsyncGuestpass(SECRET_KEY) as gp:
        assert not gp._caller._http.is_closed
    assert gp._caller._http.is_closed


def test_importing_the_sdk_loads_no_http_library():
    program = (
        "import sys, guestpass.client; "
        "slow = {'httpx2', 'httpcore2', 'anyio', 'asyncio', 'ssl', 'cryptography'} & set(sys.modules); "
        "sys.exit(f'loaded: {slow}' if slow else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)

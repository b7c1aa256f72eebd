"""Lists that must not be believed: tampered, expired, another's, too big; and addresses that nobody is sent to."""

import json
import zlib

import httpx2
import pytest
from verifying import CUTS, KEYS, LIST, Api, answering, ok

from guestpass.core.jose import base64url
from guestpass.core.jose.jws import encode_header, sign_compact
from guestpass.core.revocation import status_list
from guestpass.core.tokens.claims import Status, StatusListEntry
from guestpass.errors import Unavailable
from guestpass.testing.issuer import new_key

POLL = 5


def sealed(issuer, *, typ="statuslist+jwt", key=None, **changed):
    """A list of this issuer with claims in place of the right ones."""
    key = key or issuer.key
    iat = int(issuer.clock())
    claims = {
        "sub": "https://guestpass.test/test/status-lists/1",
        "iat": iat,
        "exp": iat + 3600,
        "ttl": 5,
        "status_list": {"bits": 2, "lst": status_list.compress(bytes(16_384))},
    } | changed
    return sign_compact(encode_header(key.algorithm, key.kid, typ), json.dumps(claims).encode(), key)


REFUSED = {
    "of another list": lambda issuer: sealed(issuer, sub="https://guestpass.test/test/status-lists/2"),
    "of another issuer": lambda issuer: sealed(issuer, sub="https://guestpass.test/live/status-lists/1"),
    "signed by a stranger": lambda issuer: sealed(issuer, key=new_key("ES256")),
    "expired": lambda issuer: sealed(issuer, exp=int(issuer.clock())),
    "from the future": lambda issuer: sealed(issuer, iat=int(issuer.clock()) + 61),
    "without an end": lambda issuer: sealed(issuer, exp=None),
    "without ttl": lambda issuer: sealed(issuer, ttl=None),
    "with a ttl of 0": lambda issuer: sealed(issuer, ttl=0),
    "that is a session token": lambda issuer: issuer.mint().removeprefix("gp_session_test_"),
    "of another type": lambda issuer: sealed(issuer, typ="JWT"),
    "that is the cut list": lambda issuer: issuer.document("/status-lists/cuts"),
    "of three bits": lambda issuer: sealed(issuer, status_list={"bits": 3, "lst": "eNoDAAAAAAE"}),
    "too short for the token": lambda issuer: sealed(issuer, status_list={"bits": 2, "lst": "eNoDAAAAAAE"}),
    "that inflates to a bomb": lambda issuer: sealed(
        issuer, status_list={"bits": 2, "lst": base64url.encode(zlib.compress(bytes(30_000_000), 9))}
    ),
    "cut": lambda issuer: issuer.document("/status-lists/1")[:-20],
    "tampered": lambda issuer: issuer.document("/status-lists/1").replace(".", ".A", 1),
    "unsigned": lambda issuer: issuer.document("/status-lists/1").rpartition(".")[0] + ".",
    "empty": lambda _: "",
    "no ASCII": lambda _: "é.é.é",
    "endless": lambda _: "x" * 600_000,
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_list_is_refused(api, issuer, name):
    """Before the first good one nothing is known, so no token is accepted; and it is our side's fault, not the token's."""
    bad = answering(LIST, ok(REFUSED[name](issuer)))
    with issuer.service.answering(bad), pytest.raises(Unavailable) as refused:
        api.verify(issuer.mint())
    assert "/test/status-lists/1" in refused.value.message
    assert refused.value.retry_after_seconds


@pytest.mark.parametrize("name", sorted(REFUSED.keys() - {"too short for the token", "from the future"}))
def test_a_list_that_is_refused_leaves_what_was_known(api, issuer, name):
    token, ended = issuer.mint(), issuer.mint()
    issuer.revoke(ended)
    assert api.codes(token, ended) == ["ok", "TOKEN_REVOKED"]
    api.clock.advance(seconds=POLL)
    with issuer.service.answering(answering(LIST, ok(REFUSED[name](issuer)))):
        assert api.codes(token, ended) == ["ok", "TOKEN_REVOKED"]
        api.clock.advance(seconds=301)
        assert api.codes(token, ended) == ["UNAVAILABLE", "UNAVAILABLE"]


@pytest.mark.parametrize("status", [204, 301, 302, 307, 404, 410, 429, 500, 503])
@pytest.mark.parametrize("path", [LIST, CUTS])
def test_any_other_answer_is_none(api, issuer, path, status):
    """No redirect is followed, also not to a good list."""
    elsewhere = {"location": "https://evil.example/status-lists/1"}
    bad = answering(path, httpx2.Response(status, headers=elsewhere))
    with issuer.service.answering(bad), pytest.raises(Unavailable, match=str(status)):
        api.verify(issuer.mint())
    assert set(api.asked) == {KEYS, LIST, CUTS}


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/test/status-lists/1",
        "http://169.254.169.254/latest/status-lists/1",
        "file:///etc/status-lists/passwd",
        "https://guestpass.test/live/status-lists/1",
        "https://guestpass.test@evil.example/status-lists/1",
    ],
)
def test_a_list_is_fetched_at_the_issuers_own_place_whatever_a_token_says(api, issuer, uri):
    """Even the issuer's own signature under it sends nobody elsewhere; and the list there is another's."""
    token = issuer.mint(status=Status(status_list=StatusListEntry(idx=1, uri=uri), cuts=()))
    assert api.code(token) == "UNAVAILABLE"
    assert all(path.startswith("/test/") for path in api.asked)


@pytest.mark.parametrize("uri", ["", "x", "https://guestpass.test/test/status-lists/", "https://guestpass.test/test/status-lists/../x",
                                 "https://guestpass.test/test/status-lists/cuts", "https://guestpass.test/test/status-lists/1?x=1"])  # fmt: skip
def test_an_address_that_is_no_lists_fetches_nothing(api, issuer, uri):
    token = issuer.mint(status=Status(status_list=StatusListEntry(idx=1, uri=uri), cuts=()))
    assert api.code(token) == "TOKEN_MALFORMED"
    assert api.asked == [KEYS]


def test_a_list_whose_own_time_is_over_does_not_count_however_patient_one_is(issuer):
    """An old list, signed and good once, must not be kept up for ever by whoever stands between."""
    api, token = Api(issuer, max_stale_seconds=3600), issuer.mint(expires_in=7200)
    with issuer.service.answering(answering(LIST, ok(sealed(issuer, exp=int(issuer.clock()) + 60)))):
        api.verify(token)
        api.clock.advance(seconds=60)
        assert api.code(token) == "UNAVAILABLE"


def test_one_that_is_confirmed_for_ever_ends_all_the_same(issuer):
    """304 after 304: what stands between us and the issuer cannot make a list younger."""
    api, token = Api(issuer), issuer.mint(expires_in=7200)
    first = ok(sealed(issuer, exp=int(issuer.clock()) + 60), etag='"x"')
    with issuer.service.answering(answering(LIST, first, httpx2.Response(304))):
        assert api.code(token) == "ok"
        api.clock.advance(seconds=POLL)
        assert api.code(token) == "ok"
        api.clock.advance(seconds=60)
        assert api.code(token) == "UNAVAILABLE"

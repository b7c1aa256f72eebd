"""The APIs of ``examples/apis``, each a process of its own, in front of a real server."""

from __future__ import annotations

import contextlib
import datetime as dt
import json

import httpx2
import pytest
from running import EXAMPLES, Example
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from servers.processes import wait_until

NAMES = sorted(path.stem.removeprefix("invoices_") for path in EXAMPLES.glob("apis/invoices_*.py"))
PATIENCE_SECONDS = 30
WEBSOCKETS = ("asgi", "fastapi", "litestar")


class Backend:
    """The business that holds the API key."""

    def __init__(self, server):
        url = f"http://127.0.0.1:{server.port}"
        self.issuer = f"{url}/test"
        self.client = httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {server.key}"})

    def close(self):
        self.client.close()

    def mint(self, *operations, user="user_42"):
        """The answer of a mint; of every operation where none is named."""
        body = {"externalUserId": user} | ({"allowedOperations": operations} if operations else {})
        return self.client.post("/v1/session-tokens", json=body).raise_for_status().json()

    def mint_for_a_moment(self):
        end = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)
        body = {"user": {"id": "user_42"}, "expiration": end.isoformat()}
        return self.client.post("/sessions", json=body).raise_for_status().json()["token"]

    def revoke(self, session_id):
        self.client.delete(f"/v1/session-tokens/{session_id}").raise_for_status()


class Api(Example):
    """One example under way."""

    def __init__(self, name, folder, issuer):
        super().__init__(f"apis/invoices_{name}.py", folder, {"GUESTPASS_ISSUER": issuer})

    def call(self, method, path, token=None, **options):
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.client.request(method, path, headers=headers, **options)

    def invoices(self, token=None, **options):
        return self.call("GET", "/invoices", token, **options)

    def code(self, token):
        reply = self.invoices(token)
        return "ok" if reply.status_code == 200 else reply.json()["code"]

    def live(self, *subprotocols, query=""):
        return connect(f"ws://127.0.0.1:{self.port}/live{query}", subprotocols=subprotocols or None, proxy=None)


@pytest.fixture(scope="module")
def backend(server):
    with contextlib.closing(Backend(server)) as backend:
        yield backend


@pytest.fixture(scope="module")
def apis(tmp_path_factory, backend):
    """All of them, since they start together in the time of one."""
    apis = {name: Api(name, tmp_path_factory.mktemp(name), backend.issuer) for name in NAMES}
    try:
        for api in apis.values():
            api.wait()
        yield apis
    finally:
        for api in apis.values():
            api.end()


@pytest.fixture(params=NAMES)
def api(request, apis):
    return apis[request.param]


def test_there_is_one_for_each_adapter():
    assert NAMES == ["asgi", "django", "fastapi", "flask", "litestar", "wsgi"]


@pytest.fixture(scope="module")
def tokens(apis, backend):
    """By what becomes of them; the revoked one was good to all of the APIs before."""
    ended = backend.mint()
    assert {api.code(ended["sessionToken"]) for api in apis.values()} == {"ok"}
    backend.revoke(ended["id"])
    return {"expired": backend.mint_for_a_moment(), "revoked": ended["sessionToken"]}


def test_a_good_token_opens_what_it_names(api, backend):
    token = backend.mint("read_invoices")["sessionToken"]
    reply = api.invoices(token)
    assert (reply.status_code, [invoice["number"] for invoice in reply.json()]) == (200, [7])
    refused = api.call("POST", "/invoices/7/pay", token)
    assert (refused.status_code, refused.json()["code"]) == (403, "OPERATION_NOT_ALLOWED")
    assert refused.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="pay_invoices"'
    may_pay = backend.mint("pay_invoices")["sessionToken"]
    assert api.call("POST", "/invoices/7/pay", may_pay).json()["paid"] is True
    assert api.invoices(may_pay).status_code == 403


def test_a_user_sees_his_own(api, backend):
    token = backend.mint(user="user_43")["sessionToken"]
    assert api.invoices(token).json() == []
    assert api.call("POST", "/invoices/7/pay", token).status_code == 404


def test_no_token_opens_nothing(api):
    for reply in (api.invoices(), api.call("POST", "/invoices/7/pay")):
        assert (reply.status_code, reply.json()["code"]) == (401, "TOKEN_MISSING")
        assert reply.headers["www-authenticate"] == "Bearer"
        assert reply.json()["requestId"] == reply.headers["x-request-id"]


def test_a_wrong_token_opens_nothing(api, backend):
    good = backend.mint()["sessionToken"]
    wrong = {
        good[:-4] + "AAAA": "TOKEN_SIGNATURE_INVALID",
        "nonsense": "TOKEN_MALFORMED",
        f"{good} x": "TOKEN_MALFORMED",
    }
    for token, code in wrong.items():
        reply = api.invoices(token)
        assert (reply.status_code, reply.json()["code"]) == (401, code)
        assert reply.headers["www-authenticate"].startswith('Bearer error="invalid_token"')


def test_a_token_in_the_url_opens_nothing(api, backend):
    reply = api.invoices(params={"access_token": backend.mint()["sessionToken"]})
    assert (reply.status_code, reply.json()["code"]) == (401, "TOKEN_MISSING")


def test_a_header_that_is_sent_twice_opens_nothing(api, backend):
    twice = [("Authorization", f"Bearer {backend.mint()['sessionToken']}")] * 2
    assert api.client.get("/invoices", headers=twice).status_code == 401


def test_a_stranger_may_come_where_none_is_required(api, backend):
    assert api.call("GET", "/hello").json() == {"hello": "stranger"}
    assert api.call("GET", "/hello", "nonsense").json() == {"hello": "stranger"}
    assert api.call("GET", "/hello", backend.mint()["sessionToken"]).json() == {"hello": "user_42"}


def test_a_revoked_token_opens_nothing_once_the_list_was_read_again(api, tokens):
    """At most 5 s, 1 s and one fetch after the answer."""
    wait_until(lambda: api.code(tokens["revoked"]) == "TOKEN_REVOKED", api.process, api.folder)
    assert "guestpass-retry" not in api.invoices(tokens["revoked"]).headers


def test_an_expired_token_opens_nothing(api, tokens):
    wait_until(lambda: api.code(tokens["expired"]) == "TOKEN_EXPIRED", api.process, api.folder)
    assert api.invoices(tokens["expired"]).headers["guestpass-retry"] == "token"


@pytest.mark.parametrize("api", WEBSOCKETS, indirect=True)
def test_a_websocket_is_let_in_by_its_subprotocol(api, backend):
    with api.live("guestpass", backend.mint("read_invoices")["sessionToken"]) as websocket:
        assert websocket.subprotocol == "guestpass"
        assert json.loads(websocket.recv()) == {"invoices": 1}


@pytest.mark.parametrize("api", WEBSOCKETS, indirect=True)
def test_a_websocket_without_a_good_token_is_refused_before_it_is_accepted(api, backend):
    token = backend.mint("pay_invoices")["sessionToken"]
    for subprotocols, query in (
        ((), ""),
        (("guestpass", "nonsense"), ""),
        (("guestpass", token), ""),
        ((), f"?t={token}"),
    ):
        with pytest.raises(InvalidStatus) as refused, api.live(*subprotocols, query=query):
            pass
        assert refused.value.response.status_code == 403
        assert token not in str(refused.value.response.headers)


def test_without_an_issuer_an_example_says_which_setting_is_missing(tmp_path):
    api = Api("flask", tmp_path, "")
    assert api.process.wait(PATIENCE_SECONDS) == 1
    api.end()
    assert "GUESTPASS_ISSUER" in api.log


def test_no_example_logs_a_token(apis, backend):
    """One in the URL is another matter: that stands in the access log of any server."""
    token = backend.mint("read_invoices")["sessionToken"]
    for api in apis.values():
        api.call("POST", "/invoices/7/pay", token)
        api.invoices(token + "x")
        assert token.rpartition(".")[2] not in api.log

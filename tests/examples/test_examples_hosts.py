"""The shops of ``examples/hosts``, each a process of its own, in front of a real server: real sockets, real cookies."""

from __future__ import annotations

import base64
import contextlib
import json
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from running import EXAMPLES, Example

from guestpass.verify import Verifier

NAMES = sorted(path.stem.removeprefix("shop_") for path in EXAMPLES.glob("hosts/shop_*.py"))
COOKIE = "gp_refresh_test"


class Shopper:
    """A browser at one shop; its cookies are kept as a browser keeps them."""

    def __init__(self, shop):
        self.http = httpx2.Client(base_url=f"http://127.0.0.1:{shop.port}", headers={"Sec-Fetch-Site": "same-origin"})
        self.csrf = ""

    def close(self):
        self.http.close()

    def sign_in(self, user="user_42"):
        assert self.http.post(f"/sign-in/{user}").json() == {"signedIn": user}
        return self.session().json()

    def session(self):
        answer = self.http.get("/api/session")
        self.csrf = answer.json().get("csrfToken", "")
        return answer

    def post(self, what, **headers):
        return self.http.post(f"/api/session/{what}", headers={"X-Guestpass-CSRF": self.csrf} | headers)


@pytest.fixture(scope="module")
def shops(tmp_path_factory, server):
    """All of them, since they start together in the time of one."""
    settings = {"GUESTPASS_URL": f"http://127.0.0.1:{server.port}", "GUESTPASS_SECRET_KEY": server.key}
    shops = {name: Example(f"hosts/shop_{name}.py", tmp_path_factory.mktemp(name), settings) for name in NAMES}
    try:
        for shop in shops.values():
            shop.wait()
        yield shops
    finally:
        for shop in shops.values():
            shop.end()


@pytest.fixture(params=NAMES)
def shop(request, shops):
    return shops[request.param]


@pytest.fixture
def arrive(shop):
    """Let a browser come to the shop."""
    with contextlib.ExitStack() as leaving:
        yield lambda: leaving.enter_context(contextlib.closing(Shopper(shop)))


def test_there_is_one_for_each_framework():
    assert NAMES == ["django", "fastapi", "flask", "litestar"]


def test_nobody_gets_no_token(arrive):
    answer = arrive().session()
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")


def test_who_signs_in_gets_a_token_that_verifies(arrive, server):
    answer = arrive().sign_in("user_43")
    with Verifier(f"http://127.0.0.1:{server.port}/test") as verifier:
        session = verifier.verify(answer["sessionToken"])
    assert session.user_id == "user_43"


def test_a_session_goes_on_over_refreshes_and_ends_at_the_end(arrive):
    shopper = arrive()
    first = _id_of(shopper.sign_in())
    for _ in range(3):
        before = shopper.http.cookies[COOKIE]
        answer = shopper.post("refresh")
        assert (answer.status_code, _id_of(answer.json())) == (200, first)
        assert shopper.http.cookies[COOKIE] != before
    assert _id_of(shopper.session().json()) == first
    assert shopper.post("end").json() == {"tokensRevoked": 1}
    assert COOKIE not in shopper.http.cookies
    assert shopper.http.post("/sign-out").status_code == 200
    assert shopper.session().status_code == 401


def test_tabs_that_refresh_at_once_all_get_a_token(arrive):
    shopper = arrive()
    shopper.sign_in()
    shown = {"Cookie": "; ".join(f"{name}={value}" for name, value in shopper.http.cookies.items())}
    with ThreadPoolExecutor(8) as tabs:
        answers = list(tabs.map(lambda _: shopper.post("refresh", **shown), range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len({answer.headers["set-cookie"].partition(".")[0] for answer in answers}) == 1


def test_another_site_can_do_nothing(arrive):
    shopper = arrive()
    shopper.sign_in()
    for what in ("refresh", "end"):
        answer = shopper.post(what, **{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"})
        assert (answer.status_code, answer.json()["code"]) == (403, "CSRF_FAILED")
    assert shopper.post("refresh").status_code == 200


def test_no_shop_logs_a_token(shop, arrive):
    shopper = arrive()
    shopper.sign_in()
    shopper.post("refresh")
    assert shopper.http.cookies[COOKIE].partition(".")[0] not in shop.log
    assert shopper.csrf not in shop.log


def _id_of(answer):
    segment = answer["sessionToken"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))["sid"]

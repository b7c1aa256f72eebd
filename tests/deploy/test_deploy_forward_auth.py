"""``deploy/nginx/forward-auth.conf`` under a real nginx, between a real server and an API that tells what reached it."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from urllib.parse import quote

import pytest
from in_front import exchange, make_certificate

from servers.nginx import Nginx
from servers.processes import stable_port
from torture.real_server import RealServer

DEPLOY = Path(__file__).parent.parent.parent / "deploy" / "nginx"
NAME = "api.example.com"
ORIGIN = "https://shop.example.com"
TOLD = ("user", "organization", "operations", "session", "project", "environment")


class Reply:
    """An answer; ``headers``: pairs, names in lower case."""

    def __init__(self, head, body):
        status, *lines = head.decode().split("\r\n")
        self.status = int(status.split()[1])
        self.headers = [(name.lower(), value) for name, value in (line.split(": ", 1) for line in lines)]
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def header(self, name):
        """The values of a header, for there may be two by mistake."""
        return [value for key, value in self.headers if key == name]

    @property
    def reached(self):
        """What the API was sent: name and value of each header."""
        assert self.status == 200, self.body
        return self.json


class Front:
    """nginx as ``forward-auth.conf`` sets it up, on ports of its own."""

    def __init__(self, home):
        self._nginx = Nginx(home)
        folder = self._nginx.folder
        make_certificate(folder, NAME)
        self._trust = ssl.create_default_context(cafile=folder / "fullchain.pem")
        self._folder = folder

    def start(self, guestpass_port, api_port):
        upstream = (DEPLOY / "upstream.conf").read_text()
        text = upstream + (DEPLOY / "forward-auth.conf").read_text()
        for shipped, here in {
            "server 10.0.0.11:8787": f"server 127.0.0.1:{guestpass_port}",
            "server 10.0.0.12:8787 max_fails=3 fail_timeout=1s;": "",
            "server 127.0.0.1:9000": f"server 127.0.0.1:{api_port}",
            "listen 443 ssl": f"listen 127.0.0.1:{self._nginx.port} ssl",
            "/etc/guestpass/tls": str(folder := self._folder),
            "/var/log/nginx": str(folder),
            "/live/default/": "/test/default/",
            f'# "{ORIGIN}"': f'"{ORIGIN}"',
        }.items():
            assert shipped in text
            text = text.replace(shipped, here)
        self._nginx.start(text)

    def stop(self):
        self._nginx.stop()

    async def request(self, path, token=None, *headers, method="GET"):
        lines = [f"{method} {path} HTTP/1.1", f"Host: {NAME}", "Connection: close", *headers]
        if token is not None:
            lines.append(f"Authorization: Bearer {token}")
        raw = "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")
        return Reply(*await exchange(raw, self._nginx.port, self._trust, NAME))

    @property
    def log(self):
        return "\n".join(path.read_text(errors="replace") for path in self._folder.glob("*.log"))


@pytest.fixture(scope="module")
def guestpass(tmp_path_factory):
    server = RealServer.made(tmp_path_factory.mktemp("guestpass"))
    try:
        asyncio.run(server.start())
        yield server
    finally:
        server.end()


@pytest.fixture
def front(home):
    front = Front(home)
    yield front
    front.stop()


@pytest.fixture
async def mint(guestpass):
    """Mint for a user, of the operations named."""
    async with guestpass.connection() as connection:

        async def mint(user="ada", *operations, **fields):
            body = {"externalUserId": user, "allowedOperations": operations} | fields
            status, _, answer = await connection.post("/v1/session-tokens", body)
            assert status == 201, answer
            return answer["sessionToken"]

        yield mint


def told_of(reply):
    """What the API was told of the token: by the six headers, each at most once."""
    pairs = [(name.removeprefix("x-guestpass-"), value) for name, value in reply.reached if "guestpass" in name]
    assert len(pairs) == len(dict(pairs)), pairs
    return dict(pairs)


async def test_the_api_is_told_whose_token_passed(front, guestpass, mirror_port, mint):
    front.start(guestpass.port, mirror_port)
    token = await mint("ada/läst", "read_invoices", "pay_invoices", externalOrganizationId="acme")
    told = told_of(await front.request("/invoices/7?page=2", token))
    assert sorted(told) == sorted(TOLD)
    assert (told["user"], told["organization"]) == (quote("ada/läst", safe=""), "acme")
    assert (told["operations"], told["environment"]) == ("pay_invoices%20read_invoices", "test")


async def test_nothing_that_a_client_says_of_itself_arrives(front, guestpass, mirror_port, mint):
    """Neither beside a good token, nor in place of what the token does not say, nor under a name that reads alike."""
    front.start(guestpass.port, mirror_port)
    token = await mint("ada", "read_invoices")
    for written in (str.title, str.lower, str.upper):
        for dash in ("-", "_"):
            lies = [written(f"x-guestpass-{name}").replace("-", dash) + ": admin" for name in TOLD]
            reply = await front.request("/invoices", token, *lies, *lies)
            assert told_of(reply).keys() == set(TOLD) - {"organization"}
            assert "admin" not in str(reply.reached)


async def test_a_client_cannot_have_what_the_api_is_told_taken_away(front, guestpass, mirror_port, mint):
    """``Connection`` names headers of one hop, which a proxy drops (RFC 9110 section 7.6.1)."""
    front.start(guestpass.port, mirror_port)
    lie = "Connection: close, X-Guestpass-User, X-Guestpass-Operations"
    reply = await front.request("/invoices", await mint("ada", "read_invoices"), lie)
    assert told_of(reply)["user"] == "ada"


async def test_a_token_without_the_operation_of_the_place_does_not_pass(front, guestpass, mirror_port, mint):
    front.start(guestpass.port, mirror_port)
    token = await mint("ada", "read_invoices")
    assert (await front.request("/me", token)).status == 200
    reply = await front.request("/payments", token, "X-Request-Id: req_7", method="POST")
    assert (reply.status, reply.json["code"], reply.json["requestId"]) == (403, "OPERATION_NOT_ALLOWED", "req_7")
    assert reply.header("www-authenticate") == ['Bearer error="insufficient_scope"']
    assert (reply.header("x-request-id"), reply.header("content-type")) == (["req_7"], ["application/json"])


async def test_who_shows_no_good_token_is_told_why(front, guestpass, mirror_port, mint):
    front.start(guestpass.port, mirror_port)
    missing = await front.request("/invoices")
    assert (missing.status, missing.json["code"]) == (401, "TOKEN_MISSING")
    assert missing.header("www-authenticate") == ["Bearer"]
    forged = await front.request("/invoices", (await mint("ada"))[:-4] + "AAAA")
    assert (forged.status, forged.json["code"]) == (401, "TOKEN_SIGNATURE_INVALID")
    assert forged.header("www-authenticate") == [
        'Bearer error="invalid_token", error_description="TOKEN_SIGNATURE_INVALID"'
    ]
    assert forged.header("cache-control") == ["no-store"]


async def test_a_token_that_is_used_up_asks_the_page_for_another(front, guestpass, mirror_port, mint):
    front.start(guestpass.port, mirror_port)
    token = await mint("ada", "read_invoices", maxUses=1)
    first, second = await front.request("/invoices", token), await front.request("/invoices", token)
    assert (first.status, second.status, second.json["code"]) == (200, 401, "TOKEN_REPLAYED")
    assert second.header("guestpass-retry") == ["token"]


async def test_a_token_elsewhere_than_in_its_header_does_not_pass(front, guestpass, mirror_port, mint):
    front.start(guestpass.port, mirror_port)
    token = await mint("ada", "read_invoices")
    for path, headers in ((f"/invoices?access_token={token}", ()), ("/invoices", (f"Cookie: token={token}",))):
        assert (await front.request(path, None, *headers)).status == 401
    twice = f"Authorization: Bearer {token}"
    assert (await front.request("/invoices", token, twice)).status in {400, 401}


async def test_the_path_decides_by_what_nginx_reads_in_it(front, guestpass, mirror_port, mint):
    front.start(guestpass.port, mirror_port)
    token = await mint("ada", "read_invoices")
    for path in ("/payments", "//payments", "/invoices/../payments", "/invoices/%2e%2e/payments", "/p%61yments"):
        assert (await front.request(path, token)).status == 403, path


@pytest.mark.parametrize("path", ["/", "/other", "/_guestpass/-", "/_guestpass/read_invoices", "//_guestpass/-"])
async def test_what_is_not_named_is_not_there(front, guestpass, mirror_port, mint, path):
    front.start(guestpass.port, mirror_port)
    assert (await front.request(path, await mint("ada", "read_invoices"))).status == 404


async def test_where_guestpass_is_away_nobody_passes_and_nobody_is_signed_out(front, mirror_port, mint):
    front.start(stable_port(), mirror_port)
    reply = await front.request("/invoices", await mint("ada", "read_invoices"))
    assert (reply.status, reply.json["code"]) == (503, "UNAVAILABLE")
    assert (reply.header("retry-after"), reply.header("www-authenticate")) == (["5"], [])


async def test_a_page_of_a_named_origin_may_ask_first_and_reads_why(front, guestpass, mirror_port):
    front.start(guestpass.port, mirror_port)
    asks = (f"Origin: {ORIGIN}", "Access-Control-Request-Method: POST")
    preflight = await front.request("/payments", None, *asks, method="OPTIONS")
    assert preflight.status == 204
    assert preflight.header("access-control-allow-origin") == [ORIGIN]
    assert "Authorization" in preflight.header("access-control-allow-headers")[0]
    refused = await front.request("/payments", None, f"Origin: {ORIGIN}", method="POST")
    assert refused.header("access-control-allow-origin") == [ORIGIN]
    assert "Guestpass-Retry" in refused.header("access-control-expose-headers")[0]


async def test_a_page_of_any_other_may_not(front, guestpass, mirror_port):
    front.start(guestpass.port, mirror_port)
    for origin in ("https://evil.example", f"{ORIGIN}.evil.example", "null", "http://shop.example.com"):
        reply = await front.request("/payments", None, f"Origin: {origin}", method="OPTIONS")
        assert (reply.status, reply.header("access-control-allow-origin")) == (401, [])


async def test_nobody_reads_a_body_that_may_not_pass(front, guestpass, mirror_port, mint):
    """Guestpass is sent none, and the API none before the token passed."""
    front.start(guestpass.port, mirror_port)
    reply = await front.request("/payments", await mint("ada"), "Content-Length: 5", method="POST")
    assert reply.status == 403

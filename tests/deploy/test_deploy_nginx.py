"""The nginx configuration that we ship, under a real nginx in front of real servers."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

import pytest
from in_front import exchange, make_certificate

from guestpass.server.operate.serve import KEEP_ALIVE_SECONDS
from servers.nginx import Nginx
from servers.processes import stable_port
from torture.real_server import RealServer

DEPLOY = Path(__file__).parent.parent.parent / "deploy" / "nginx"
NAME = "guestpass.example.com"
FAIL_SECONDS = 1.2  # after which nginx has forgotten that a server was away, by upstream.conf
SECRET = "sk_test_" + "4f9aK2" * 8
TOKEN = "gp_session_test_eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"


class Proxy:
    """nginx as ``deploy/nginx`` sets it up, on ports of its own; its clients know its certificate."""

    def __init__(self, home):
        self._nginx = Nginx(home)
        self.folder = self._nginx.folder
        self.plain_port = stable_port()
        make_certificate(self.folder, NAME)
        self.trust = ssl.create_default_context(cafile=self.folder / "fullchain.pem")

    def start(self, *server_ports):
        upstream = (DEPLOY / "upstream.conf").read_text()
        for address, port in zip(("10.0.0.11:8787", "10.0.0.12:8787"), server_ports, strict=True):
            assert address in upstream
            upstream = upstream.replace(address, f"127.0.0.1:{port}")
        text = upstream + (DEPLOY / "guestpass.conf").read_text()
        for shipped, here in {
            "listen 443 ssl": f"listen 127.0.0.1:{self._nginx.port} ssl",
            "listen 80": f"listen 127.0.0.1:{self.plain_port}",
            "/etc/guestpass/tls": str(self.folder),
            "/var/log/nginx": str(self.folder),
        }.items():
            assert shipped in text
            text = text.replace(shipped, here)
        self._nginx.start(text)

    def stop(self):
        self._nginx.stop()

    @property
    def written(self):
        """All that nginx wrote anywhere, but the certificate and the configuration."""
        files = [path for path in self.folder.rglob("*") if path.is_file() and path.suffix not in {".pem", ".conf"}]
        return "\n".join(path.read_text(errors="replace") for path in files)

    async def send(self, raw, *, port=None):
        """Send bytes as they are; return the answer's status and body."""
        head, body = await exchange(raw, port or self._nginx.port, *(() if port else (self.trust, NAME)))
        return int(head.split()[1]), body

    async def request(self, method, path, body=b"", *headers, port=None):
        lines = [f"{method} {path} HTTP/1.1", f"Host: {NAME}", "Connection: close", *headers]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return await self.send("\r\n".join([*lines, "", ""]).encode() + body, port=port)


@pytest.fixture
def proxy(home):
    proxy = Proxy(home)
    yield proxy
    proxy.stop()


@pytest.fixture
async def two_servers(tmp_path):
    """Two servers on one store."""
    one = RealServer.made(tmp_path)
    other = RealServer(tmp_path, key=one.key, log=tmp_path / "other.log")
    try:
        await one.start()
        await other.start()
        yield one, other
    finally:
        one.end()
        other.end()


async def test_a_server_that_dies_costs_no_request(proxy, two_servers):
    """A POST too: nginx hands it to the other server, where the first one never had it."""
    one, other = two_servers
    proxy.start(one.port, other.port)

    async def mint(user):
        body = json.dumps({"externalUserId": user}).encode()
        return await proxy.request("POST", "/v1/session-tokens", body, f"Authorization: Bearer {one.key}")

    assert {status for status, _ in [await mint(f"user{n}") for n in range(4)]} == {201}
    one.kill()
    answers = [await mint(f"user{n}") for n in range(8)]
    assert {status for status, _ in answers} == {201}
    status, body = await proxy.request(
        "GET", "/v1/session", b"", f"Authorization: Bearer {json.loads(answers[0][1])['sessionToken']}"
    )
    assert status == 200, body


async def test_a_server_that_is_stopped_under_load_costs_no_request(proxy, two_servers):
    """As in an upgrade, one after the other: each drains, ends and comes back, while clients go on through the proxy."""
    assert "fail_timeout=1s" in (DEPLOY / "upstream.conf").read_text()
    one, other = two_servers
    proxy.start(one.port, other.port)
    failed, minted, done = [], [], asyncio.Event()

    async def client(number):
        while not done.is_set():
            body = json.dumps({"externalUserId": f"user{number}"}).encode()
            status, answer = await proxy.request("POST", "/v1/session-tokens", body, f"Authorization: Bearer {one.key}")
            (minted if status == 201 else failed).append(answer)

    clients = [asyncio.create_task(client(number)) for number in range(8)]
    for server in two_servers:
        before = len(minted)
        while len(minted) < before + 50:  # noqa: ASYNC110 - what is waited for comes from many tasks
            await asyncio.sleep(0.01)
        server.terminate()
        assert (await server.ended())[0] == 0
        await server.start()
        await asyncio.sleep(FAIL_SECONDS)
    done.set()
    await asyncio.gather(*clients)
    assert failed == []


async def test_what_is_for_the_operator_is_not_for_the_world(proxy, two_servers):
    one, other = two_servers
    proxy.start(one.port, other.port)
    for path in ("/metrics", "/readyz", "/metrics?x=1", "/%6detrics", "//metrics"):
        assert (await proxy.request("GET", path))[0] == 404
    assert (await proxy.request("GET", "/healthz"))[0] == 200


async def test_a_client_that_speaks_in_the_clear_finds_out(proxy, two_servers):
    one, other = two_servers
    proxy.start(one.port, other.port)
    status, body = await proxy.request("GET", "/v1/session", port=proxy.plain_port)
    assert (status, body) == (403, b"Use https.\n")


async def test_what_a_client_says_of_itself_reaches_no_server(proxy, mirror_port):
    proxy.start(mirror_port, mirror_port)
    lies = [
        "X-Forwarded-For: 203.0.113.66", "X-Forwarded-Proto: gopher", "X-Forwarded-Host: evil.example",
        "X-Real-IP: 203.0.113.66", "Forwarded: for=203.0.113.66",
        *(f"X-Guestpass-{name}: admin" for name in
          ("User", "Organization", "Operations", "Session", "Project", "Environment")),
    ]  # fmt: skip
    _, body = await proxy.request("GET", "/v1/session", b"", *lies, f"Authorization: Bearer {TOKEN}")
    seen = json.loads(body)
    assert not [pair for pair in seen if pair[0].startswith("x-guestpass-") or pair[0] == "forwarded"]
    assert [value for name, value in seen if name == "x-forwarded-for"] == ["127.0.0.1"]
    assert [value for name, value in seen if name == "x-forwarded-proto"] == ["https"]
    assert [value for name, value in seen if name == "x-forwarded-host"] == [NAME]
    assert [value for name, value in seen if name == "x-real-ip"] == ["127.0.0.1"]
    assert ["authorization", f"Bearer {TOKEN}"] in seen


async def test_no_credential_is_written_wherever_it_was_sent(proxy, mirror_port):
    """In query, path, header, method, or what is no request at all; answered, refused by nginx, or by nobody there."""
    gone = stable_port()
    proxy.start(mirror_port, gone)
    long = "x" * 40_000
    for text in (SECRET, TOKEN, TOKEN.removeprefix("gp_session_test_")):
        for _ in range(2):  # the server that is there, and the one that is not
            await proxy.request("GET", f"/v1/session?token={text}")
            await proxy.request("GET", f"/v1/sessions/{text}")
            await proxy.request("GET", f"/v1/sessions/%2e/{text}?a={text}", b"", f"Authorization: Bearer {text}")
        await proxy.request(
            "GET", "/healthz", b"", f"Referer: https://a.example/?t={text}", f"User-Agent: {text}", f"Cookie: a={text}"
        )
        await proxy.send(f"{text.upper()} /?{text} HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
        await proxy.send(f"GET /?{text} HTTP/9.9\r\nHost: {NAME}\r\n\r\n".encode())
        await proxy.send(f"GET /?{text}{long} HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
        await proxy.send(f"GET /{text} HTTP/1.1\r\nHost: {text}\r\nBad Header {text}\r\n\r\n".encode())
        await proxy.request("POST", f"/?{text}", b"", "Content-Length: 99999999")
        await proxy.request("GET", f"/?{text}", port=proxy.plain_port)
    written = proxy.written
    assert written.count('"method":"GET"') > 12, "the log is read"
    assert "(credential)" in written
    for part in (SECRET, SECRET[8:], "c2lnbmF0dXJl", "eyJzdWIi"):
        assert part not in written
        assert part.upper() not in written


def test_connections_to_the_servers_end_before_the_servers_end_them():
    """Else a request could be written to a connection that the server just closed."""
    assert KEEP_ALIVE_SECONDS > 60, "nginx keeps an idle one for 60 s"

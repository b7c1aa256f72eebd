"""Webhooks of a real server: over kill -9, and with the receiver that the examples have."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys

import pytest
from standardwebhooks import Webhook

from servers.processes import stable_port
from torture.real_server import RealServer, run
from transcript import ROOT
from webhooks.receivers import Receiver

EXAMPLE = ROOT / "examples/webhook_receiver.py"
SECONDS = 60  # in which everything here must have happened; nothing takes a third of it
GUESTPASS = [sys.executable, "-c", "from guestpass.server.main import main; main()"]


@pytest.fixture
async def server(tmp_path):
    server = RealServer.made(tmp_path, workers=2)
    await server.start()
    yield server
    server.end()


@pytest.fixture
def started():
    """Programs that end with the test."""
    programs = []
    yield programs
    for program in programs:
        program.terminate()
        program.wait(SECONDS)
        program.stdout.close()


async def end_a_session_of(server, user):
    async with server.connection() as connection:
        _, _, minted = await connection.post("/v1/session-tokens", {"externalUserId": user})
        assert (await connection.delete(f"/v1/session-tokens/{minted['id']}"))[0] == 200
    return minted["id"]


def endpoint_at(server, port):
    # Of the rest, a new server's spare signing key comes whenever its housekeeping begins.
    events = ("--events", "session.revoked")
    words = ("webhooks", "create", "--url", f"http://127.0.0.1:{port}/hook", *events, "--json")
    return json.loads(run(*words, at=server.directory))


async def deliveries_of(server, endpoint):
    async with server.connection() as connection:
        return (await connection.get(f"/v1/webhook-endpoints/{endpoint['id']}/deliveries"))[2]["data"]


async def until(server, endpoint, is_so):
    while not is_so(await deliveries_of(server, endpoint)):  # noqa: ASYNC110 - a server in another process
        await asyncio.sleep(0.05)


def answered(deliveries):
    return any(one["lastStatus"] or one["lastError"] for one in deliveries)


async def test_what_was_not_delivered_before_a_kill_is_delivered_after_it(server):
    """Tried while nobody listened, and queued but not tried: both are there when the receiver is."""
    port = stable_port()
    endpoint = endpoint_at(server, port)
    async with asyncio.timeout(SECONDS):
        first = await end_a_session_of(server, "ada")
        await until(server, endpoint, answered)
        second = await end_a_session_of(server, "bob")
        server.kill()
        async with Receiver().listening(port=port) as receiver:
            await server.start()
            while {json.loads(one.body)["data"]["sessionId"] for one in receiver.got} != {first, second}:
                await receiver.until(len(receiver.got) + 1)
        for request in receiver.got:
            told = Webhook(endpoint["secret"]).verify(request.body, request.headers)
            assert (told["type"], told["data"]["environment"]) == ("session.revoked", "test")
        await until(server, endpoint, lambda them: {one["status"] for one in them} == {"delivered"})
    assert endpoint["secret"] not in server.last_words()


def start(started, words, environment, first_line):
    program = subprocess.Popen(words, env=os.environ | environment, stdout=subprocess.PIPE, text=True)
    started.append(program)
    assert first_line in program.stdout.readline()
    return program


async def of_sessions(program, count):
    """The next lines that tell of sessions; a spare signing key may be told of between them."""
    lines = []
    while len(lines) < count:
        line = await asyncio.to_thread(program.stdout.readline)
        assert line, "the program ended"
        if "session." in line:
            lines.append(line)
    return lines


async def test_listen_posts_every_event_to_the_example_on_ones_own_machine(server, started):
    secret = {"GUESTPASS_WEBHOOK_SECRET": f"whsec_{base64.b64encode(os.urandom(32)).decode()}"}
    port = stable_port()
    example = start(started, [sys.executable, EXAMPLE, str(port)], secret, "Waiting for webhooks at http://localhost")
    words = ["webhooks", "listen", "--forward-to", f"http://localhost:{port}/hook", "--data-dir", server.directory]
    listen = start(started, [*GUESTPASS, *words], secret, "Events of the project default")
    session = await end_a_session_of(server, "ada")
    told = set(await of_sessions(example, 2))
    assert f"session.created {session} ada\n" in told
    (revoked,) = told - {f"session.created {session} ada\n"}
    assert revoked.startswith("session.revoked evt_")
    lines = await of_sessions(listen, 2)
    assert [line.split()[3] for line in lines] == ["204", "204"]


async def test_the_example_refuses_what_another_signed(server, started):
    port = stable_port()
    other = {"GUESTPASS_WEBHOOK_SECRET": f"whsec_{base64.b64encode(bytes(32)).decode()}"}
    start(started, [sys.executable, EXAMPLE, str(port)], other, "Waiting")
    endpoint = endpoint_at(server, port)
    async with asyncio.timeout(SECONDS):
        await end_a_session_of(server, "ada")
        await until(server, endpoint, answered)
    assert (await deliveries_of(server, endpoint))[0]["lastStatus"] == 401

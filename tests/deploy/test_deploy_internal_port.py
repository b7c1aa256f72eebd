"""The internal port of real servers: the numbers of all workers, whichever of them is asked, and whichever dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from servers.processes import family_of, stable_port
from torture.real_server import RealServer, Unanswered, run

REQUESTS = 40


@pytest.fixture
async def server(tmp_path):
    """Two workers and an internal port."""
    port = stable_port()
    server = RealServer.made(tmp_path, workers=2, settings={"GUESTPASS_INTERNAL_LISTEN": f"127.0.0.1:{port}"})
    server.internal_port = port
    await server.start()
    yield server
    server.end()


def scrape(server):
    """Return the page's samples, asked for over a new connection: any worker may answer."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.internal_port}/metrics") as reply:
        families = text_string_to_metric_families(reply.read().decode())
    return [sample for family in families for sample in family.samples]


def unknown_sessions(samples):
    return sum(
        sample.value
        for sample in samples
        if sample.name == "guestpass_requests_total" and sample.labels["route"] == "/v1/sessions/{id}"
    )


def workers_that_count(samples):
    return {sample.labels["worker"] for sample in samples if sample.name == "process_start_time_seconds"}


def workers_of(server):
    """Return the pids of the processes that serve; there is another one, which multiprocessing keeps."""
    return [pid for pid in family_of(server.pid)[1:] if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def until(condition):
    """Wait until what is asked of the server in a thread is so; the test's own limit ends it."""
    while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - nothing tells of another process
        await asyncio.sleep(0.05)


async def ask(server, times):
    """Ask over as many connections, so that every worker is asked; return how many answers came."""
    answered = 0
    for _ in range(times):
        with contextlib.suppress(Unanswered):
            async with server.connection() as connection:
                assert (await connection.get("/v1/sessions/sess_unknown"))[0] == 404
                answered += 1
    return answered


async def test_every_worker_tells_the_numbers_of_all(server):
    await until(lambda: workers_that_count(scrape(server)) == {"0", "1"})
    assert await ask(server, REQUESTS) == REQUESTS
    for _ in range(10):
        assert unknown_sessions(await asyncio.to_thread(scrape, server)) == REQUESTS


async def test_what_a_worker_counted_outlives_it(server):
    await ask(server, REQUESTS)
    workers = workers_of(server)
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    await until(lambda: len(set(workers_of(server)) - {workers[0]}) == 2)
    answered = await ask(server, REQUESTS)
    for _ in range(10):
        assert unknown_sessions(await asyncio.to_thread(scrape, server)) == REQUESTS + answered


async def test_the_public_port_shows_no_metrics_then(server):
    async with server.connection() as connection:
        assert (await connection.get("/metrics"))[0] == 404
        assert (await connection.get("/healthz"))[0] == 200
    assert await asyncio.to_thread(scrape, server)


async def test_it_ends_with_the_server(server):
    idle = socket.create_connection(("127.0.0.1", server.internal_port))
    server.terminate()
    async with asyncio.timeout(10):
        code, said = await server.ended()
    idle.close()
    assert code == 0, said
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.internal_port))


def test_a_port_that_is_taken_is_named_with_its_setting(tmp_path):
    run("init", "--json", at=tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = {"GUESTPASS_INTERNAL_LISTEN": f"127.0.0.1:{port}", "GUESTPASS_PORT": str(stable_port())}
        said = run("serve", at=tmp_path, expect=5, settings=settings)
    assert f"port {port}" in said
    assert "internal_listen" in said


@pytest.mark.parametrize(
    "address", ["9090", ":9090", "localhost", "127.0.0.1:0", "127.0.0.1:70000", "::1:9090", "a b:9090"]
)
def test_an_address_that_is_none_is_refused_at_the_start(tmp_path, address):
    said = run("config", "show", at=tmp_path, expect=2, settings={"GUESTPASS_INTERNAL_LISTEN": address})
    assert "internal_listen (GUESTPASS_INTERNAL_LISTEN) must be host:port" in said

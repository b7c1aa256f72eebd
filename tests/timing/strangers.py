"""What a stranger can learn from the time of a refusal: nothing about which keys there are, or how near he is.

    ./dev timing [--requests 60000]

Signed requests of three kinds come in random order: of a key that is not known, under a wrong secret, and with a
signature of another request. They are timed twice: *inside*, the processor time that the application takes for each,
which nothing else on the machine disturbs and nobody can see as sharply from outside; and *outside*, until the answer
of a real server is there. ``again`` asks for the same key over and over, whom the server remembers for a moment;
``anew`` for so many that each is looked up. Exit code 1 where Welch's |t| of two kinds is 4.5 or more.
"""
# ruff: noqa: T201  it is a command

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from itertools import combinations
from statistics import median
from typing import Any, NamedTuple, TypeAlias

from guestpass.server.api_keys.service import OPERATOR
from guestpass.server.app import Service, create_app, open_configured
from guestpass.server.operate import logs
from guestpass.server.operate.settings import Settings
from http_caller import Http
from signing import signed
from timing.welch import T_MAX, cropped, t_of
from torture.real_server import RealServer

PATH, QUERY = "/v1/sessions", "limit=1"
KEYS = {"again": 1, "anew": 2000}
WARM_UP = 1000
COLLECTED_EVERY = 500  # requests; in between, no garbage collection falls on one of them
SETTINGS = {"GUESTPASS_FAILURES_PER_MINUTE": "0"}

Headers: TypeAlias = list[tuple[str, str]]
Times: TypeAlias = dict[str, list[int]]  # nanoseconds, by kind
Send: TypeAlias = Callable[[Headers], Coroutine[Any, Any, int]]


class Key(NamedTuple):
    """Its public id and its secret."""

    id: str
    secret: str


def requests_of(keys: list[Key], now: float) -> dict[str, list[Headers]]:
    """Return the headers of requests of each kind, all of one length."""
    kinds = {
        "unknown key": [(Key(neighbour_of(key.id), key.secret), QUERY) for key in keys],
        "wrong secret": [(Key(key.id, key.secret[::-1]), QUERY) for key in keys],
        "wrong signature": [(key, f"{QUERY}0") for key in keys],
    }
    return {
        kind: [signed(key, "GET", f"{PATH}?{query}", now=now) for key, query in requests]
        for kind, requests in kinds.items()
    }


def neighbour_of(key_id: str) -> str:
    """Return an id that no key has, and that would stand beside this one in the store."""
    return key_id[:-1] + ("0" if key_id[-1] != "0" else "1")


async def measured(send: Send, requests: dict[str, list[Headers]], count: int) -> Times:
    times: Times = {kind: [] for kind in requests}
    dice = random.Random(7)
    kinds = list(requests)
    gc.disable()
    for number in range(count + WARM_UP):
        if number % COLLECTED_EVERY == 0:
            gc.collect()
        kind = dice.choice(kinds)
        took = await send(dice.choice(requests[kind]))
        if number >= WARM_UP:
            times[kind].append(took)
    gc.enable()
    return times


def inside(service: Service) -> Send:
    http = Http(create_app(service))

    async def send(headers: Headers) -> int:
        began = time.thread_time_ns()
        reply = await http.get(PATH, query=QUERY, headers=headers)
        took = time.thread_time_ns() - began
        assert reply.status == 401
        return took

    return send


def outside(connection: socket.socket) -> Send:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    first = (f"GET {PATH}?{QUERY} HTTP/1.1", "Host: guestpass.test")

    async def send(headers: Headers) -> int:
        sent = "\r\n".join([*first, *(f"{name}: {value}" for name, value in headers), "", ""]).encode()
        began = time.perf_counter_ns()
        connection.sendall(sent)
        answer = connection.recv(65_536)
        took = time.perf_counter_ns() - began
        assert answer.startswith(b"HTTP/1.1 401")
        assert answer.endswith(b"}")
        return took

    return send


def tell(name: str, times: Times) -> float:
    """Print what was seen; return the largest |t|, with and without the slowest tenth."""
    print(f"{name}: " + ", ".join(f"{kind} {median(some) / 1000:.1f} us" for kind, some in times.items()))
    largest = 0.0
    for one, other in combinations(times, 2):
        pair = {kind: times[kind] for kind in (one, other)}
        of_most, of_all = (t_of(some[one], some[other]) for some in (cropped(pair), pair))
        largest = max(largest, abs(of_most), abs(of_all))
        print(f"  {one} / {other}: t = {of_most:+.2f}; with the slowest tenth {of_all:+.2f}")
    return largest


async def make_keys(service: Service, count: int) -> list[Key]:
    issuer = await service.issuers.at("test")
    made = [
        await service.api_keys.create(issuer, f"timing {number}", actor=OPERATOR, signing=True)
        for number in range(count)
    ]
    return [Key(new.key.public_id, new.secret) for new in made]


async def tried(directory: str, count: int) -> float:
    """Time refusals over a new store in ``directory``; return the largest |t|."""
    server = RealServer.made(directory, settings=SETTINGS)
    service = await open_configured(Settings(data_dir=directory, failures_per_minute=0))
    keys = await make_keys(service, max(KEYS.values()))
    largest = []
    for name, few in KEYS.items():
        requests = requests_of(keys[:few], time.time())
        largest.append(tell(f"inside, {name}", await measured(inside(service), requests, count)))
    await service.close()
    await server.start()
    try:
        for name, few in KEYS.items():
            requests = requests_of(keys[:few], time.time())
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                largest.append(tell(f"outside, {name}", await measured(outside(connection), requests, count)))
    finally:
        server.end()
    return max(largest)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the refusals of signed requests.")
    parser.add_argument("--requests", type=int, default=60_000, help="of each of four runs")
    count = parser.parse_args().requests
    logs.configure("error")
    with tempfile.TemporaryDirectory() as directory:
        largest = asyncio.run(tried(directory, count))
    print(f"largest |t| {largest:.2f}: " + ("alike" if largest < T_MAX else f"NOT alike, since it is {T_MAX} or more"))
    sys.exit(largest >= T_MAX)


if __name__ == "__main__":
    main()

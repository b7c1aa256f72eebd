"""Send one delivery to an address that a stranger chose.

The name is resolved once, every address that it stands for is judged, and one of these is connected to: nothing is
resolved again in between, so a name that stands for another address a moment later leads nowhere. The certificate
is held against the name. Redirects are answers like any other, proxies of the environment are not used, and every
delivery has a connection of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Any, TypeAlias

import httpcore2

from guestpass.core.webhooks.destination import Destination, IpAddress, fault_of_ip
from guestpass.server.webhooks.attempts import Headers, Received

CONNECT_SECONDS = 5.0  # to resolve, and to connect; as long again for TLS
TOTAL_SECONDS = 15.0
ANSWER_BYTES_MAX = 4096  # are read, for the receiver's sake, and dropped

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[IpAddress]]]


class RefusedAddress(Exception):
    """The name stands for an address that may not be connected to."""


class UnknownHost(Exception):
    """The name stands for no address."""


async def resolve(host: str, port: int) -> list[IpAddress]:
    """Ask the system which addresses a name stands for. Raises: UnknownHost.

    In a thread of its own: a name server that hangs then holds up nobody else, nor the end of the process.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[list[IpAddress] | None] = loop.create_future()

    def answer(addresses: list[IpAddress] | None) -> None:
        if not answered.done():
            answered.set_result(addresses)

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(ip_address(str(each[4][0])) for each in found))
        except (OSError, ValueError):
            addresses = None
        with contextlib.suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(answer, addresses)

    threading.Thread(target=ask, name="guestpass-resolver", daemon=True).start()
    addresses = await answered
    if not addresses:
        raise UnknownHost(host)
    return addresses


class Posting:
    """Posts to destinations.

    Args:
        resolve: And ``network``, ``trust``: seams for tests; the system's by default.
        total_seconds: In which all of an attempt must be over, also where the answer trickles.
    """

    def __init__(
        self,
        *,
        resolve: Resolve = resolve,
        network: httpcore2.AsyncNetworkBackend | None = None,
        trust: ssl.SSLContext | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._resolve = resolve
        self._network = network or httpcore2.AnyIOBackend()
        self._trust = trust
        self._total_seconds = total_seconds

    async def __call__(self, destination: Destination, headers: Headers, body: bytes) -> Received:
        """Send a body and return what was answered."""
        try:
            async with asyncio.timeout(self._total_seconds):
                return await self._post(destination, headers, body)
        except (TimeoutError, httpcore2.TimeoutException):
            return Received(None, error="timeout")
        except RefusedAddress:
            return Received(None, error="refused_address")
        except UnknownHost:
            return Received(None, error="unknown_host")
        except httpcore2.ProtocolError:
            return Received(None, error="bad_answer")
        except httpcore2.NetworkError as fault:
            return Received(
                None, error="tls_failed" if isinstance(fault.__cause__, ssl.SSLError) else "connection_failed"
            )

    async def _post(self, destination: Destination, headers: Headers, body: bytes) -> Received:
        if self._trust is None:
            self._trust = httpcore2.default_ssl_context()  # 20 ms that only who sends pays
        url = httpcore2.URL(destination.url)
        backend = _Checked(destination, self._resolve, self._network)
        timeouts = {"connect": CONNECT_SECONDS, "read": TOTAL_SECONDS, "write": TOTAL_SECONDS}
        host = destination.url.partition("://")[2].partition("/")[0].partition("?")[0]
        async with (
            httpcore2.AsyncHTTPConnection(url.origin, ssl_context=self._trust, network_backend=backend) as connection,
            connection.stream(
                "POST", url, headers=[("host", host), *headers, ("content-length", str(len(body)))], content=body,
                extensions={"timeout": timeouts},
            ) as response,
        ):  # fmt: skip
            retry_after = next((value for name, value in response.headers if name.lower() == b"retry-after"), None)
            received = Received(response.status, None if retry_after is None else retry_after.decode("latin-1"))
            await _read_a_little(response)
            return received


async def _read_a_little(response: httpcore2.Response) -> None:
    """Read the beginning of an answer, so that a receiver who writes a few words is not cut off in them."""
    read = 0
    with contextlib.suppress(httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException):
        async for chunk in response.aiter_stream():
            read += len(chunk)
            if read >= ANSWER_BYTES_MAX:
                return


class _Checked(httpcore2.AsyncNetworkBackend):
    """Connects to an address that was judged, and to no other."""

    def __init__(self, destination: Destination, resolve: Resolve, network: httpcore2.AsyncNetworkBackend) -> None:
        self._destination = destination
        self._resolve = resolve
        self._network = network

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        fault: Exception = UnknownHost(host)
        async with asyncio.timeout(timeout):
            addresses = await self._resolve(self._destination.host, port)
            for address in addresses:
                refused = fault_of_ip(address, is_local=self._destination.is_local)
                if refused:  # one is enough: nobody has a receiver at a public and at a private address at once
                    raise RefusedAddress(refused)
            for address in addresses:
                try:
                    return await self._network.connect_tcp(str(address), port, timeout, local_address, socket_options)
                except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                    fault = failed
        raise fault

"""Receivers of webhooks: real sockets on this machine, which a test reaches by the names of the world outside."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ssl
from dataclasses import dataclass, field

import httpcore2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

OK = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
_DAY = dt.timedelta(days=1)


def answer(status, *headers, body=b""):
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Request:
    """What a receiver got. ``headers``: names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers each request with the next of its answers, and the last one for ever; an endless one never ends."""

    answers: list[bytes] = field(default_factory=lambda: [OK])
    hangs: bool = False
    is_endless: bool = False
    got: list[Request] = field(default_factory=list)
    port: int = 0
    sent: int = 0  # bytes of an endless answer
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.asynccontextmanager
    async def listening(self, tls=None, port=0):
        server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def until(self, count):
        """Wait until so many requests have come."""
        while len(self.got) < count:
            self.arrived.clear()
            await self.arrived.wait()

    async def _serve(self, reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.got.append(Request(head[0], headers, body))
            self.arrived.set()
            if self.hangs:
                await reader.read()  # until the other end gives up
            elif self.is_endless:
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                while True:
                    writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
                    await writer.drain()
                    self.sent += 1024
            else:
                writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
                await writer.drain()
        writer.close()


class Network(httpcore2.AnyIOBackend):
    """Connects to a receiver wherever it is asked to, and notes where that was."""

    def __init__(self, *receivers):
        self._ports = [receiver.port for receiver in receivers]
        self.dialled = []

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):  # noqa: ASYNC109
        self.dialled.append((host, port))
        if not self._ports:
            raise httpcore2.ConnectError("nobody is there")
        here = self._ports[min(len(self.dialled), len(self._ports)) - 1]
        return await super().connect_tcp("127.0.0.1", here, timeout, local_address, socket_options)


class Authority:
    """Issues certificates that a client can be told to trust."""

    def __init__(self, folder):
        self._folder = folder
        self._key, self._root = ec.generate_private_key(ec.SECP256R1()), None
        self._root = self._certificate("authority", self._key, is_authority=True)

    def trust(self):
        context = ssl.create_default_context()
        context.load_verify_locations(cadata=self._root.public_bytes(serialization.Encoding.PEM).decode())
        return context

    def server(self, name):
        """Return what a server of that name shows."""
        key = ec.generate_private_key(ec.SECP256R1())
        path = self._folder / f"{name}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + self._certificate(name, key).public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _certificate(self, name, key, *, is_authority=False):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._root.subject if self._root else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())

"""One request and its answer, as the handlers see them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple, TypeAlias, TypeVar

import msgspec

from guestpass.core.bounds import BODY_BYTES_MAX
from guestpass.core.callers.client_address import ClientAddress, TrustedProxies, network_of
from guestpass.errors import PayloadTooLarge, Unauthorized, ValidationFailed
from guestpass.server.api_keys.service import ApiKey
from guestpass.server.audit.service import Where
from guestpass.server.signed_requests.service import SignatureUse
from guestpass.server.storage.store import Riders

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
Body = TypeVar("Body")

_LENGTH = re.compile(r"[0-9]{1,18}")
_NO_PROXIES = TrustedProxies()
JSON_TYPE: Headers = ((b"content-type", b"application/json"),)
NO_STORE: Headers = ((b"cache-control", b"no-store"),)

_encoder = msgspec.json.Encoder()


class Answer(NamedTuple):
    """Status, body and headers; length and request id are added when it is sent."""

    status: int
    body: bytes
    headers: Headers = JSON_TYPE


def answer(value: object, *, status: int = 200, headers: Headers = NO_STORE) -> Answer:
    """Answer ``value`` as JSON; by default not to be stored by any cache."""
    return Answer(status, _encoder.encode(value), JSON_TYPE + headers)


class Exchange:
    """A request under way. ``caller``, ``token`` and ``body`` are set before the handler sees it, as its route says.

    ``riders`` must become part of whatever the request writes: the handler hands them to the one use case it calls.
    ``signature``: the use of one, where the request is signed and may change something.
    ``working_since``, ``reading_since`` (a body that is not here yet), ``is_late``: see ``Deadlines``.
    """

    __slots__ = (
        "_proxies", "_read", "_receive", "_scope", "body", "caller", "headers", "is_late", "method", "parameters", "peer",
        "query", "reading_since", "request_id", "riders", "signature", "token", "working_since",
    )  # fmt: skip

    def __init__(self, scope: Scope, receive: Receive, request_id: str, proxies: TrustedProxies = _NO_PROXIES) -> None:
        self.method: str = scope["method"]
        self.headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.peer: str | None = (scope.get("client") or (None,))[0]  # the address at the other end of the connection
        self.request_id = request_id
        self.parameters: dict[str, str] = {}  # from the path
        self.query: dict[str, str] = {}
        self.caller: ApiKey | None = None
        self.token = ""
        self.body: Any = None
        self.riders: Riders = ()
        self.signature: SignatureUse | None = None
        self.working_since = 0.0  # seconds of the event loop's clock
        self.reading_since: float | None = None
        self.is_late = False
        self._scope = scope
        self._receive = receive
        self._read: bytes | None = None
        self._proxies = proxies

    @property
    def client_address(self) -> ClientAddress | None:
        """Where the call came from, past the proxies that are trusted; None where that is not known."""
        return self._proxies.client_of(self.peer, self.headers)

    @property
    def where(self) -> Where:
        """From where the call came, as the audit log keeps it."""
        address = self.client_address
        return Where(None if address is None else network_of(address.ip), self.request_id)

    @property
    def key(self) -> ApiKey:
        """The API key that called; its route has made sure that there is one."""
        if self.caller is None:
            raise Unauthorized
        return self.caller

    @property
    def path(self) -> str:
        """The path, percent-decoded."""
        path: str = self._scope["path"]
        return path

    @property
    def query_string(self) -> bytes:
        """The query, as it was sent."""
        query: bytes = self._scope["query_string"]
        return query

    @property
    def target(self) -> bytes:
        """The path with its query, as they were sent. A question mark with nothing behind it is not kept."""
        path: bytes = self._scope["raw_path"]
        query: bytes = self._scope["query_string"]
        return b"%b?%b" % (path, query) if query else path

    def header(self, name: bytes) -> str | None:
        """Return the one header of that name (lower case), or None. Raises: ValidationFailed where it is given twice."""
        found = [value for key, value in self.headers if key == name]
        if len(found) > 1:
            raise ValidationFailed(f"The header {name.decode()} was sent {len(found)} times; send it once.")
        return found[0].decode("latin-1") if found else None

    async def read(self) -> bytes:
        """Return the body, at most 64 KiB. Raises: PayloadTooLarge; ValidationFailed where less of it came than was said."""
        if self._read is None:
            length = self._content_length()
            body = await self._read_in_time()
            if length not in (None, len(body)):
                raise ValidationFailed(f"The body has {len(body)} bytes; its Content-Length says {length}.")
            self._read = body
        return self._read

    async def _read_in_time(self) -> bytes:
        """Read. What a client takes to send its body is not held against our own time."""
        loop = asyncio.get_running_loop()
        self.reading_since = began = loop.time()
        body = await self._read_all()
        self.working_since += loop.time() - began
        self.reading_since = None
        return body

    def _content_length(self) -> int | None:
        text = self.header(b"content-length")
        if text is None:
            return None
        if not _LENGTH.fullmatch(text):
            raise ValidationFailed("The header Content-Length is not a number of bytes.")
        if int(text) > BODY_BYTES_MAX:
            raise PayloadTooLarge
        return int(text)

    async def _read_all(self) -> bytes:
        body = bytearray()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ValidationFailed("The body was cut off.")
            body += message.get("body", b"")
            if len(body) > BODY_BYTES_MAX:
                raise PayloadTooLarge
            if not message.get("more_body"):
                return bytes(body)

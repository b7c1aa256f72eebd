"""The service in one process, on SQLite in memory: a clock that tests move, seeded entropy, people with sessions.

    async def test_a_token_dies_with_its_second(world):
        ada = await world.mint("ada", expiresIn=60)
        world.clock.advance(seconds=60)
        with world.refused("TOKEN_EXPIRED"):
            await ada.who_am_i()

Nothing sleeps and nothing is patched: a test calls the ASGI application that ``serve`` serves. Every answer is
held to the rules that hold for all of them; see ``http_caller``.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import structlog

from guestpass.core import ids
from guestpass.core.callers.api_key import ALL_CAN
from guestpass.core.tokens import operations
from guestpass.errors import NotFound, Unavailable
from guestpass.server.api_keys import wishes
from guestpass.server.api_keys.service import OPERATOR, Grant
from guestpass.server.app import Service, create_app, open_service
from guestpass.server.operate.settings import Settings
from guestpass.server.projects.service import Issuer
from guestpass.server.sessions import sql as sessions
from guestpass.server.sessions.model import SessionRow
from guestpass.server.storage import migrate
from guestpass.server.storage.postgres import PostgresStore
from guestpass.server.storage.sealing import KEY_BYTES, MasterKey, Sealer
from guestpass.server.storage.sqlite import MEMORY, SqliteStore
from http_caller import Http, Reply

START = 1_893_456_000.0  # 2030-01-01T00:00:00Z
MASTER_KEY = MasterKey(1, bytes(range(KEY_BYTES)))


class Clock:
    """Unix seconds, moved by hand."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, *, seconds: float = 0, milliseconds: float = 0) -> None:
        # Whole milliseconds, so that a thousand small steps do not drift.
        self.now = round(self.now * 1000 + seconds * 1000 + milliseconds) / 1000


class Refused(Exception):
    """The service refused what a test asked for in a sentence."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.status} {reply.json['code']}: {reply.json['message']}")
        self.reply = reply


class WatchedStore:
    """A store that can say what it was asked, and that can be away."""

    def __init__(self, store: SqliteStore | PostgresStore) -> None:
        self._store = store
        self.tally = store.tally
        self.look_ups: list[str] = []  # the SQL of each
        self.reads_begun = 0
        self.is_away = False
        self.reads = True
        self.next_write: Literal["done", "rolled back", "unheard"] = "done"

    @contextlib.contextmanager
    def watched(self) -> Iterator[list[str]]:
        """Give the list of look-ups made within."""
        self.look_ups.clear()
        yield self.look_ups

    @contextlib.contextmanager
    def away(self, *, for_long_reads_only: bool = False) -> Iterator[None]:
        """Answer nothing within, as a store does whose disk is gone; or nothing that takes long."""
        self.is_away, self.reads = not for_long_reads_only, False
        try:
            yield
        finally:
            self.is_away, self.reads = False, True

    async def write(self, act: Any, item: Any, riders: Any = ()) -> Any:
        self._answers()
        fate, self.next_write = self.next_write, "done"
        if fate == "done":
            return await self._store.write(act, item, riders)
        if fate == "unheard":
            await self._store.write(act, item, riders)
            raise Unavailable(internal="the test lost the answer of a commit")

        async def broken_off(tx: Any, items: list[Any]) -> list[Any]:
            await act(tx, items)
            raise Unavailable(internal="the test broke off before the commit")

        return await self._store.write(broken_off, item, riders)

    async def look_up(self, sql: str, parameters: Any = ()) -> Any:
        self._answers()
        self.look_ups.append(sql)
        return await self._store.look_up(sql, parameters)

    async def read(self, query: Any) -> Any:
        self._answers()
        self.reads_begun += 1
        if not self.reads:
            raise Unavailable(internal="the test let no long read through")
        return await self._store.read(query)

    async def close(self) -> None:
        await self._store.close()

    async def at_once(self, act: Any) -> Any:
        """Run ``await act(tx)`` in a transaction of its own: how a test reaches below the API."""

        async def alone(tx: Any, items: list[Any]) -> list[Any]:
            return [await act(tx) for _ in items]

        return await self._store.write(alone, None)

    def _answers(self) -> None:
        if self.is_away:
            raise Unavailable(internal="the test took the store away")


@dataclass
class Session:
    """A session in a test's hand: its token, and what the mint answered."""

    http: Http = field(repr=False)
    answer: dict[str, Any]

    @property
    def id(self) -> str:
        return self.answer["id"]

    @property
    def token(self) -> str:
        return self.answer["sessionToken"]

    async def who_am_i(self) -> dict[str, Any]:
        """``GET /v1/session`` with the token. Raises: Refused."""
        return _accepted(await self.http.get("/v1/session", bearer=self.token))

    async def end(self) -> dict[str, Any]:
        """``DELETE /v1/session`` with the token. Raises: Refused."""
        return _accepted(await self.http.delete("/v1/session", bearer=self.token))

    async def lives(self) -> bool:
        return (await self.http.get("/v1/session", bearer=self.token)).status == 200


@dataclass
class Login:
    """A renewable session in a test's hand: the tokens that were answered last, and what the login answered."""

    http: Http = field(repr=False)
    answer: dict[str, Any]

    @property
    def id(self) -> str:
        return self.answer["sessionId"]

    @property
    def refresh_token(self) -> str:
        return self.answer["refreshToken"]

    @property
    def token(self) -> str:
        return self.answer["accessToken"]

    def copy(self) -> Login:
        """Return what a thief would have, who copied both tokens."""
        return Login(self.http, dict(self.answer))

    async def refresh(self, **how: Any) -> dict[str, Any]:
        """``POST /v1/auth/refresh``; keeps what it answers. Raises: Refused."""
        self.answer = _accepted(await self.try_refresh(**how))
        return self.answer

    async def try_refresh(self, **how: Any) -> Reply:
        """Do the same, as a client whose answer is lost: nothing is kept."""
        return await self.http.post("/v1/auth/refresh", {"refreshToken": self.refresh_token}, **how)

    async def logout(self, **fields: Any) -> int | None:
        """``POST /v1/auth/logout`` with the refresh token. Raises: Refused."""
        reply = await self.http.post("/v1/auth/logout", {"refreshToken": self.refresh_token, **fields})
        return _accepted(reply)["tokensRevoked"]

    async def who_am_i(self) -> dict[str, Any]:
        """``GET /v1/session`` with the access token. Raises: Refused."""
        return _accepted(await self.http.get("/v1/session", bearer=self.token))

    async def lives(self) -> bool:
        return (await self.http.get("/v1/session", bearer=self.token)).status == 200


@dataclass
class Host:
    """A business's backend that holds one API key."""

    http: Http = field(repr=False)
    issuer: Issuer
    id: str
    secret: str

    async def mint(self, user: str = "ada", **fields: Any) -> Session:
        """Raises: Refused."""
        return Session(self.http, _accepted(await self.post("/v1/session-tokens", {"externalUserId": user, **fields})))

    async def login(self, user: str = "ada", **fields: Any) -> Login:
        """``POST /v1/auth/login``. Raises: Refused."""
        return Login(self.http, _accepted(await self.post("/v1/auth/login", {"externalUserId": user, **fields})))

    async def revoke(self, **body: Any) -> dict[str, Any]:
        """``POST /v1/sessions/revoke``. Raises: Refused."""
        return _accepted(await self.post("/v1/sessions/revoke", body))

    async def end(self, session: Session | Login) -> dict[str, Any]:
        """``DELETE /v1/session-tokens/{id}``. Raises: Refused."""
        return _accepted(await self.delete(f"/v1/session-tokens/{session.id}"))

    async def session(self, session: Session | Login) -> dict[str, Any]:
        """``GET /v1/sessions/{id}``. Raises: Refused."""
        return _accepted(await self.get(f"/v1/sessions/{session.id}"))

    async def sessions(self, **query: Any) -> list[dict[str, Any]]:
        """Every session that the list shows, page by page. Raises: Refused."""
        shown: list[dict[str, Any]] = []
        while True:
            page = _accepted(await self.get("/v1/sessions", query=query))
            shown += page["data"]
            if page["nextCursor"] is None:
                return shown
            query["cursor"] = page["nextCursor"]

    async def verify(self, token: str, **fields: Any) -> dict[str, Any]:
        """``POST /v1/tokens/verify``. Raises: Refused."""
        return _accepted(await self.post("/v1/tokens/verify", {"token": token, **fields}))

    async def revoke_user(self, user: str, **fields: Any) -> dict[str, Any]:
        """``POST /v1/users/revoke``. Raises: Refused."""
        return _accepted(await self.post("/v1/users/revoke", {"externalUserId": user, **fields}))

    async def block(self, customer_id: str) -> dict[str, Any]:
        """``POST /v1/customers/{id}/block``. Raises: Refused."""
        return _accepted(await self.post(f"/v1/customers/{customer_id}/block"))

    async def unblock(self, customer_id: str) -> dict[str, Any]:
        """``POST /v1/customers/{id}/unblock``. Raises: Refused."""
        return _accepted(await self.post(f"/v1/customers/{customer_id}/unblock"))

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.http.get(path, bearer=self.secret, **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> Reply:
        return await self.http.post(path, json, bearer=self.secret, **options)

    async def delete(self, path: str, **options: Any) -> Reply:
        return await self.http.delete(path, bearer=self.secret, **options)


class World:
    """One service and those who use it.

    ``host``: a backend of the default project, in test. ``live``: the same project's in live. ``neighbour``: a backend
    of another project, in test. Each has a key that may do everything.
    """

    host: Host
    live: Host
    neighbour: Host

    def __init__(self, service: Service, store: WatchedStore, clock: Clock) -> None:
        self.service = service
        self.store = store
        self.clock = clock
        self.app = create_app(service)
        self.http = Http(self.app)
        self.log_lines: list[Any] = []  # what was logged, before anything is redacted

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, path: Path | str = MEMORY, *, database_url: str = "", seed: int = 7, **settings: Any
    ) -> AsyncIterator[World]:
        """Open the service over a store, in memory unless a path or a database is given.

        ``seed``: another one for a second server on a store, or for one that is started again.
        """
        clock = Clock()
        if database_url:
            inner = PostgresStore(database_url, clock=clock)
            await migrate.upgrade_postgres(inner)
        else:
            inner = _migrated(path, clock)
        store = WatchedStore(inner)
        service = await open_service(
            Settings(**settings), store, Sealer(MASTER_KEY), clock=clock, entropy=random.Random(seed).randbytes
        )
        world = cls(service, store, clock)
        try:
            with structlog.testing.capture_logs() as world.log_lines:
                world.host = await world.key("test")
                world.live = await world.key("live")
                world.neighbour = await world.key("test", project=await world.neighbours_project())
                yield world
        finally:
            await service.close()

    async def beside(self, *, ahead_seconds: float = 0.0, **settings: Any) -> World:
        """Start another server of the same store, whose own clock may be ahead of the store's; it has no backends."""
        service = await open_service(
            Settings(**settings), self.store, Sealer(MASTER_KEY), clock=lambda: self.clock() + ahead_seconds,
            entropy=random.Random(f"{ahead_seconds} {settings}").randbytes,
        )  # fmt: skip
        return World(service, self.store, self.clock)

    async def key(
        self,
        environment: str = "test",
        *,
        can: Sequence[Any] = ALL_CAN,
        ceiling: str = "*",
        ip_ranges: Sequence[str] | None = None,
        expires_in: int | None = None,
        project: str | None = None,
        signing: bool = False,
    ) -> Host:
        """Make an API key, and the backend that holds it. ``ceiling``: a scope. ``expires_in``: seconds."""
        issuer = await self.service.issuers.at(environment, project)
        assert ceiling == operations.UNRESTRICTED or operations.fault_of_list(ceiling.split()) is None
        grant = Grant(
            can=frozenset(can),
            ceiling=ceiling,
            ip_ranges=wishes.ip_ranges_of(ip_ranges),
            expires_at=None if expires_in is None else int(self.clock()) + expires_in,
        )
        new = await self.service.api_keys.create(issuer, "a test's", grant, actor=OPERATOR, signing=signing)
        return Host(self.http, issuer, new.key.public_id, new.secret)

    async def revoke_key(self, host: Host, **how: Any) -> None:
        """Let the operator revoke the key that a backend holds."""
        await self.service.api_keys.revoke(host.id, actor=OPERATOR, **how)

    async def project(self, name: str) -> str:
        """Make a project and return its id. Raises: Conflict."""
        return (await self.service.make_project(name)).id

    async def neighbours_project(self) -> str:
        """Return the id of the neighbour's project; where a world was there before, it has it."""
        try:
            return (await self.service.issuers.project("The neighbour")).id
        except NotFound:
            return await self.project("The neighbour")

    async def mint(self, user: str = "ada", **fields: Any) -> Session:
        """Let ``host`` mint a session for a user; the fields are those of the API. Raises: Refused."""
        return await self.host.mint(user, **fields)

    async def login(self, user: str = "ada", **fields: Any) -> Login:
        """Let ``host`` open a renewable session for a user. Raises: Refused."""
        return await self.host.login(user, **fields)

    async def set(self, **settings: Any) -> None:
        """Change settings of the host's project in test; they are in use at once."""
        await self.service.issuers.set(self.host.issuer, settings)

    async def fill(self, like: Session, count: int) -> None:
        """Add ``count`` sessions like one that was minted, a millisecond apart, below the API: for their number."""
        found = ids.decode("sess", like.id)
        first_ms = int(self.clock() * 1000)

        async def act(tx: Any) -> None:
            row = SessionRow(*await tx.fetch_one(f"SELECT {sessions.COLUMNS} FROM sessions WHERE id = ?", (found,)))
            new_ids = (ids.time_ordered(first_ms + n, self.service.entropy(ids.ENTROPY_BYTES)) for n in range(count))
            await sessions.add(tx, [row._replace(id=new_id) for new_id in new_ids])

        await self.store.at_once(act)

    @contextlib.contextmanager
    def refused(self, code: str) -> Iterator[list[Reply]]:
        """Expect what happens within to be refused with ``code``; the list then holds the answer."""
        replies: list[Reply] = []
        try:
            yield replies
        except Refused as refusal:
            assert refusal.reply.code == code, refusal  # noqa: PT017
            replies.append(refusal.reply)
        else:
            raise AssertionError(f"this was to be refused with {code}, and was not")


def _accepted(reply: Reply) -> dict[str, Any]:
    if reply.status >= 400:
        raise Refused(reply)
    return reply.json


def _migrated(path: Path | str, clock: Clock) -> SqliteStore:
    store = SqliteStore(path, clock=clock)
    with store.exclusively() as connection:
        if path == MEMORY:
            connection.deserialize(_template())
    migrate.upgrade(store)
    return store


@cache
def _template() -> bytes:
    """An empty store, migrated once a run: alembic costs more than all the rest of a test."""
    store = SqliteStore(MEMORY)
    migrate.upgrade(store)
    with store.exclusively() as connection:
        return connection.serialize()

"""Run the server: one process, or several that share a socket and a store. SIGTERM drains."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from ctypes import Array, c_uint64
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import NamedTuple

import structlog
import uvicorn

from guestpass.errors import Unavailable
from guestpass.server.app import Service, create_app, create_internal_app, open_configured
from guestpass.server.command_line import EXPECTED_ERRORS, FAILED
from guestpass.server.http.application import Application
from guestpass.server.operate import logs, tracing
from guestpass.server.operate.gathered import GatheringProtocol
from guestpass.server.operate.settings import Settings, address_of
from guestpass.server.tally import SLOTS, Tally

DRAIN_SECONDS = 0.5  # in which every answer asks its connection to close
LAST_GUESTS_SECONDS = 0.1  # between the last one let in and the closed door
SHUTDOWN_SECONDS = 10  # for requests under way
BACKLOG = 2048
KEEP_ALIVE_SECONDS = 75
RESTART_PAUSE_SECONDS = 1.0
WATCH_SECONDS = 0.2  # between two looks at each other of a supervisor and its workers

log = structlog.get_logger("guestpass")


class Server(uvicorn.Server):
    """uvicorn, but a first signal lets clients leave before the door closes."""

    def __init__(self, config: uvicorn.Config, application: Application, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._application = application
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in sockets or []:
            listener.listen(0)  # who knocks now tries again elsewhere; who is in the queue is let in
        await asyncio.sleep(LAST_GUESTS_SECONDS)
        for server in self.servers:
            server.close()
        await asyncio.sleep(LAST_GUESTS_SECONDS)  # who was let in last is answered
        await super().shutdown(sockets)

    def handle_exit(self, _: int, __: FrameType | None) -> None:
        """Drain at the first signal; at the second, do not wait for what is under way.

        uvicorn would raise the signal again when all is done, and end us before the store is closed.
        """
        self.force_exit = self._application.draining
        self._application.draining = True
        asyncio.get_running_loop().call_later(DRAIN_SECONDS, self._leave)

    def _leave(self) -> None:
        self.should_exit = True


class InternalServer(uvicorn.Server):
    """Serves the internal port for as long as the public one is served; signals are that one's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    @contextlib.asynccontextmanager
    async def beside(self, listener: socket.socket) -> AsyncIterator[None]:
        serving = asyncio.create_task(self.serve(sockets=[listener]))
        try:
            yield
        finally:
            self.should_exit = True
            await serving


class Listeners(NamedTuple):
    """The sockets of a server; ``internal``: where the setting asks for it."""

    public: socket.socket
    internal: socket.socket | None

    def close(self) -> None:
        for listener in self:
            if listener is not None:
                listener.close()


def listen(settings: Settings) -> Listeners:
    """Take the ports for this process alone. Raises: Unavailable, saying which port is taken."""
    return _listening(settings, shared=False)


def _listening(settings: Settings, *, shared: bool) -> Listeners:
    bound = _bound(settings, shared=shared)
    try:
        for listener, address in zip(bound, _addresses(settings), strict=False):
            if listener is not None:
                with _port_is_free(*address):  # two that start at once both bind; the second is told here
                    listener.listen(BACKLOG)
    except Unavailable:
        bound.close()
        raise
    return bound


def _bound(settings: Settings, *, shared: bool) -> Listeners:
    public, *internal = _addresses(settings)
    first = _bind(*public, shared=shared)
    try:
        return Listeners(first, _bind(*internal[0], shared=shared) if internal else None)
    except Unavailable:
        first.close()
        raise


def _addresses(settings: Settings) -> list[tuple[str, int, str]]:
    """Return (host, port, the setting to change where it is taken), the public one first."""
    internal = address_of(settings.internal_listen)
    return [
        (settings.host, settings.port, "Choose another with --port."),
        *([] if internal is None else [(*internal, "Change the setting internal_listen.")]),
    ]


def _bind(host: str, port: int, advice: str, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        with _port_is_free(host, port, advice):
            bound.bind((host, port))
    except Unavailable:
        bound.close()
        raise
    return bound


@contextlib.contextmanager
def _port_is_free(host: str, port: int, advice: str) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise Unavailable(f"Cannot listen on {host} port {port}: {fault.strerror}. {advice}") from fault


async def serve(service: Service, listeners: Listeners, on_start: Callable[[], None] = lambda: None) -> None:
    """Serve until a signal asks to stop; what is under way is finished and committed."""
    public = create_app(service, metrics_apart=listeners.internal is not None)
    service.jobs.start()
    service.webhooks.sending.start()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(service.close)
        spans = tracing.start(os.environ)
        if spans is not None:
            stack.push_async_callback(spans.close)
            public.observe = spans.answered
        if listeners.internal is not None:
            internal = InternalServer(_config(create_internal_app(service)))
            await stack.enter_async_context(internal.beside(listeners.internal))
        await Server(_config(public), public, on_start).serve(sockets=[listeners.public])


def _config(application: Application) -> uvicorn.Config:
    return uvicorn.Config(
        application, http=GatheringProtocol, lifespan="off", log_config=None, access_log=False, server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS, timeout_graceful_shutdown=SHUTDOWN_SECONDS, ws="none",
        proxy_headers=False,
    )  # fmt: skip


def run_loop(main: Callable[[], object]) -> None:
    """Run a coroutine function on the fastest loop there is."""
    import uvloop  # noqa: PLC0415 - only a server needs it

    uvloop.run(main())  # type: ignore[arg-type]


def work(settings: Settings, supervisor: int, counts: Array[c_uint64], place: int) -> None:
    """Be one of several server processes, as long as the process ``supervisor`` lives.

    Each has a queue of its own at the shared ports: one that leaves can empty its queue before it closes it. Whichever
    is asked for metrics tells those of all: they count in ``counts``, this one in row ``place``.
    """
    logs.configure(settings.log_level)
    try:
        _work(settings, supervisor, counts, place)
    except EXPECTED_ERRORS as error:
        log.error("worker_cannot_serve", why=str(error))  # noqa: TRY400 - a sentence for the operator says it all
        sys.exit(FAILED)
    except Exception:
        log.exception("crashed")  # multiprocessing would print it past every redaction
        sys.exit(FAILED)


def _work(settings: Settings, supervisor: int, counts: Array[c_uint64], place: int) -> None:
    listeners = _listening(settings, shared=True)
    tally = Tally(memoryview(counts).cast("B").cast("Q"), place)

    async def main() -> None:
        watching = asyncio.create_task(_end_without(supervisor))
        await serve(await open_configured(settings, tally), listeners)
        watching.cancel()

    run_loop(main)


async def _end_without(supervisor: int) -> None:
    while os.getppid() == supervisor:  # noqa: ASYNC110 - nothing tells a child that its parent died
        await asyncio.sleep(WATCH_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


class Supervisor:
    """Keeps ``settings.workers`` processes alive until a signal; then lets each of them drain."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._claim = _bound(settings, shared=True)  # keeps the ports ours while no worker listens
        self._context = multiprocessing.get_context("spawn")
        self._counts = self._context.RawArray(c_uint64, SLOTS * settings.workers)
        self._workers: list[BaseProcess] = []
        self._ends = False

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        self._workers = [self._start(place) for place in range(self._settings.workers)]
        while not self._ends:
            for place, worker in enumerate(self._workers):
                if not worker.is_alive() and not self._ends:
                    log.error("worker_ended", pid=worker.pid, exit_code=worker.exitcode)
                    time.sleep(RESTART_PAUSE_SECONDS)
                    self._workers[place] = self._start(place)
            time.sleep(WATCH_SECONDS)
        for worker in self._workers:
            worker.join(SHUTDOWN_SECONDS + DRAIN_SECONDS + 1)
        self._claim.close()

    def _start(self, place: int) -> BaseProcess:
        worker = self._context.Process(target=work, args=(self._settings, os.getpid(), self._counts, place))
        worker.start()
        return worker

    def _end(self, _: int, __: FrameType | None) -> None:
        self._ends = True
        for worker in self._workers:
            if worker.is_alive():
                worker.terminate()

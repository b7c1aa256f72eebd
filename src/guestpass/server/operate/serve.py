"""Run the server: one process, or several that share a socket and a store. SIGTERM drains."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from types import FrameType

import uvicorn

from guestpass.errors import Unavailable
from guestpass.server.app import Service, create_app, open_embedded
from guestpass.server.http.application import Application
from guestpass.server.operate import logs
from guestpass.server.operate.gathered import GatheringProtocol
from guestpass.server.operate.settings import Settings

DRAIN_SECONDS = 0.5  # in which every answer asks its connection to close
LAST_GUESTS_SECONDS = 0.1  # between the last one let in and the closed door
SHUTDOWN_SECONDS = 10  # for requests under way
BACKLOG = 2048
KEEP_ALIVE_SECONDS = 75
RESTART_PAUSE_SECONDS = 1.0
WATCH_SECONDS = 0.2  # between two looks at each other of a supervisor and its workers


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


def listen(settings: Settings) -> socket.socket:
    """Take the port for this process alone. Raises: Unavailable, saying which port is taken."""
    listener = _bound(settings)
    try:
        listener.listen(BACKLOG)  # two that start at once both bind; the second is told here
    except OSError as fault:
        listener.close()
        raise _port_taken(settings, fault) from fault
    return listener


def _bound(settings: Settings, *, shared: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((settings.host, settings.port))
    except OSError as fault:
        bound.close()
        raise _port_taken(settings, fault) from fault
    return bound


def _port_taken(settings: Settings, fault: OSError) -> Unavailable:
    why = f"Cannot listen on {settings.host} port {settings.port}: {fault.strerror}."
    return Unavailable(f"{why} Choose another with --port.")


async def serve(service: Service, listener: socket.socket, on_start: Callable[[], None] = lambda: None) -> None:
    """Serve until a signal asks to stop; what is under way is finished and committed."""
    application = create_app(service)
    config = uvicorn.Config(
        application, http=GatheringProtocol, lifespan="off", log_config=None, access_log=False, server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS, timeout_graceful_shutdown=SHUTDOWN_SECONDS, ws="none",
        proxy_headers=False,
    )  # fmt: skip
    service.jobs.start()
    try:
        await Server(config, application, on_start).serve(sockets=[listener])
    finally:
        await service.close()


def run_loop(main: Callable[[], object]) -> None:
    """Run a coroutine function on the fastest loop there is."""
    import uvloop  # noqa: PLC0415 - only a server needs it

    uvloop.run(main())  # type: ignore[arg-type]


def work(settings: Settings, supervisor: int) -> None:
    """Be one of several server processes, as long as the process ``supervisor`` lives.

    Each has a queue of its own at the shared port: one that leaves can empty its queue before it closes it.
    """
    logs.configure(settings.log_level)
    listener = _bound(settings, shared=True)
    listener.listen(BACKLOG)

    async def main() -> None:
        watching = asyncio.create_task(_end_without(supervisor))
        await serve(await open_embedded(settings), listener)
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
        self._claim = _bound(settings, shared=True)  # keeps the port ours while no worker listens
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[BaseProcess] = []
        self._ends = False

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        self._workers = [self._start() for _ in range(self._settings.workers)]
        while not self._ends:
            for place, worker in enumerate(self._workers):
                if not worker.is_alive() and not self._ends:
                    sys.stderr.write(f"worker {worker.pid} ended with {worker.exitcode}; starting another\n")
                    time.sleep(RESTART_PAUSE_SECONDS)
                    self._workers[place] = self._start()
            time.sleep(WATCH_SECONDS)
        for worker in self._workers:
            worker.join(SHUTDOWN_SECONDS + DRAIN_SECONDS + 1)
        self._claim.close()

    def _start(self) -> BaseProcess:
        worker = self._context.Process(target=work, args=(self._settings, os.getpid()))
        worker.start()
        return worker

    def _end(self, _: int, __: FrameType | None) -> None:
        self._ends = True
        for worker in self._workers:
            if worker.is_alive():
                worker.terminate()

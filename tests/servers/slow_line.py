"""A line to a server on which answers take as long as a test likes: a store that is slow, or far away."""

from __future__ import annotations

import asyncio
import contextlib


class SlowLine:
    """Passes on what comes at ``port``; answers come ``seconds`` late."""

    def __init__(self):
        self.port = 0
        self.seconds = 0.0
        self._passing = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, port):
        line = cls()

        async def serve(reader, writer):
            there = await asyncio.open_connection("127.0.0.1", port)
            for source, sink, is_late in ((reader, there[1], False), (there[0], writer, True)):
                task = asyncio.create_task(line._pass_on(source, sink, is_late=is_late))
                line._passing.add(task)
                task.add_done_callback(line._passing.discard)

        listener = await asyncio.start_server(serve, "127.0.0.1", 0)
        line.port = listener.sockets[0].getsockname()[1]
        async with listener:
            yield line
            for task in line._passing:
                task.cancel()

    async def _pass_on(self, source, sink, *, is_late):
        with contextlib.closing(sink), contextlib.suppress(OSError):
            while some := await source.read(65_536):
                if is_late:
                    await asyncio.sleep(self.seconds)
                sink.write(some)
                await sink.drain()

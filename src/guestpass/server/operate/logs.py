"""Logs: one JSON line an event on standard error, or a readable one on a terminal; credentials never."""

from __future__ import annotations

import atexit
import contextlib
import logging
import queue
import sys
import threading
import time
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from guestpass.server import credentials

LINES_MAX = 10_000
FLUSH_SECONDS = 1.0
_FLUSH_LOOK_SECONDS = 0.01
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace every credential in an event: the one place that stands between a mistake and the log."""
    for name, value in event.items():
        event[name] = _redacted(value)
    return event


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return credentials.without(value)
    if isinstance(value, dict):
        return {name: _redacted(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(inner) for inner in value]
    return value


class Writer:
    """Writes lines in a thread of its own, so that nobody who stops reading our log can stop the server.

    Up to ``LINES_MAX`` lines wait; what comes while all places are taken is dropped, and counted in the next line.
    """

    def __init__(self, file: TextIO, *, lines_max: int = LINES_MAX) -> None:
        self._file = file
        self._lines: queue.Queue[str] = queue.Queue(lines_max)
        self._dropped = 0
        threading.Thread(target=self._run, name="guestpass-log", daemon=True).start()
        atexit.register(self.flush)

    def msg(self, message: str) -> None:
        try:
            self._lines.put_nowait(message)
        except queue.Full:
            self._dropped += 1

    debug = info = warning = error = critical = exception = log = msg  # the names by which structlog calls

    def flush(self) -> None:
        """Wait until all is written, at most ``FLUSH_SECONDS``."""
        deadline = time.monotonic() + FLUSH_SECONDS
        while self._lines.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(_FLUSH_LOOK_SECONDS)

    def _run(self) -> None:
        while True:
            line = self._lines.get()
            dropped, self._dropped = self._dropped, 0
            with contextlib.suppress(OSError, ValueError):  # the file was closed: nobody reads any more
                self._file.write(f"{line}\n" if not dropped else f"({dropped} lines were dropped)\n{line}\n")
                self._file.flush()
            self._lines.task_done()


def configure(level: str) -> None:
    """Send events to standard error. JSON keeps a line break in a value from forging a line."""
    writer = Writer(sys.stderr)
    on_terminal = sys.stderr.isatty()
    renderer: Any = structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=True,
    )

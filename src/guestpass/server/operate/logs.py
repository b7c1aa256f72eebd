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
from types import TracebackType
from typing import Any, TextIO

import structlog

from guestpass.server import credentials

log = structlog.get_logger("guestpass")

LINES_MAX = 10_000
DEPTH_MAX = 8  # of what is logged as values; deeper is logged as text
FLUSH_SECONDS = 1.0
_FLUSH_LOOK_SECONDS = 0.01
_OF_MANY_LINES = frozenset({"exception", "stack"})
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace every credential in an event: the one place that stands between a mistake and the log."""
    return {credentials.without_any_secret(str(name)): _redacted(value, DEPTH_MAX) for name, value in event.items()}


def _redacted(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth and isinstance(value, dict):
        return {_redacted(str(name), 0): _redacted(inner, depth - 1) for name, inner in value.items()}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_redacted(inner, depth - 1) for inner in value]
    return credentials.without_any_secret(value if isinstance(value, str) else _shown(value))


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception as fault:  # noqa: BLE001 - a log line is no reason to fail
        return f"<{type(value).__name__}, whose repr raises {type(fault).__name__}>"


def _on_one_line(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep what was sent from forging a line of its own, or steering the terminal that shows it."""
    for name, value in event.items():
        text = value if isinstance(value, str) else repr(value)
        lines = text.split("\n") if name in _OF_MANY_LINES else [text]
        event[name] = "\n".join(map(_printable, lines))
    return event


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


class LibraryHandler(logging.Handler):
    """Hands on to our log what libraries, asyncio and Python itself log, so that all of it is redacted alike."""

    def emit(self, record: logging.LogRecord) -> None:
        facts = {"logger": record.name, "message": _message_of(record), "exc_info": record.exc_info or None}
        if record.levelno >= logging.ERROR:
            log.error("library", **facts)
        else:
            log.warning("library", **facts)


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a library that logs wrongly is still to be heard
        return str(record.msg)


def _crashed(kind: type[BaseException], fault: BaseException | None, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    log.error("crashed", exc_info=(kind, fault, trace))


def _catch_what_nobody_caught() -> None:
    """Python prints these by itself, past every redaction."""
    sys.excepthook = _crashed
    threading.excepthook = lambda facts: _crashed(facts.exc_type, facts.exc_value, facts.exc_traceback)
    sys.unraisablehook = lambda facts: _crashed(facts.exc_type, facts.exc_value, facts.exc_traceback)


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


def configure(level: str, file: TextIO | None = None) -> None:
    """Send events to ``file`` (standard error), and whatever else Python would print there by itself.

    JSON keeps a line break in a value from forging a line; on a terminal ``_on_one_line`` does.
    """
    file = file or sys.stderr
    writer = Writer(file)
    renderers: list[Any] = [structlog.processors.JSONRenderer()]
    if file.isatty():
        plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        renderers = [_on_one_line, plain]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(capture=True)
    logging.basicConfig(level=max(_LEVELS[level], logging.WARNING), handlers=[LibraryHandler()], force=True)
    logging.raiseExceptions = False
    _catch_what_nobody_caught()

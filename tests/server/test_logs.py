"""The log: one line an event, whoever logs it and whatever was sent; no credential in it."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from guestpass.core.callers import api_key
from guestpass.server.operate import logs
from guestpass.server.storage.sealing import MasterKey

NAUGHTY = json.loads((Path(__file__).parent.parent / "vectors/strings/blns.json").read_text())
SECRET = "sk_test_" + "4f9aK2" * 8
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"
CREDENTIALS = {
    "secret key": (SECRET, SECRET[8:]),
    "live secret key": (SECRET.replace("test", "live"), SECRET[8:]),
    "client key": ("ck_live_" + "Zq81" * 8, "Zq81" * 8),
    "JWT": (JWT, "c2lnbmF0dXJl"),
    "prefixed JWT": ("gp_session_test_" + JWT, "c2lnbmF0dXJl"),
    "opaque token": ("gp_session_live_01jd" + "x8Q" * 20, "x8Q" * 20),
    "refresh token": ("gp_refresh_test_01jd" + "x8Q" * 20, "x8Q" * 20),
    "token of another prefix word": ("acme_session_live_01jd" + "x8Q" * 20, "x8Q" * 20),
    "Basic credentials": ("Basic " + base64.b64encode(f"key_01:{SECRET}".encode()).decode(), "c2tfdGVzdF"),
    "Stripe-style Basic": (base64.b64encode(f"{SECRET}:".encode()).decode(), "c2tfdGVzdF"),
    "unknown bearer": ("Authorization: Bearer 0123456789abcdef", "0123456789abcdef"),
    "signature": ("d" * 63 + "7", "d" * 40),
    "master key": (MasterKey(1, bytes(range(32))).to_text(), "AAECAwQFBgcICQ"),
    "database URL": ("postgresql://guestpass:hunter2!@db.internal/guestpass", "hunter2"),
    "database words": ("host=db password=hunter2! user=guestpass", "hunter2"),
    "Redis URL": ("rediss://:hunter2!@cache:6379/0", "hunter2"),
    "HS256 secret": ("hs_live_" + "d3Kq9" * 9, "d3Kq9d3Kq9"),
    "webhook secret": ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKY"),
    "Stripe key": ("rk_live_51H8xK2eZvKYlo2C", "51H8xK2eZv"),
}


@pytest.mark.parametrize("name", CREDENTIALS)
def test_no_credential_comes_through_wherever_in_an_event_it_stands(name):
    text, secret = CREDENTIALS[name]
    event = {
        "event": text,
        "request_id": text,
        "internal": f"near '{text}': syntax error",
        "exception": f"Traceback\n  File x\nValueError: {text}",
        text: "as a name",
        "deep": {text: [text, (text, {text: {text}})]},
        "bytes": text.encode(),
        "object": ValueError(text),
        "type": type("Odd", (), {"__repr__": lambda _: text})(),
    }
    assert secret not in str(logs.redact(None, "info", event))


def test_what_is_no_credential_stays_as_it_is():
    event = {
        "event": "refused", "code": "TOKEN_EXPIRED", "status": 401, "path": "/v1/sessions/{id}", "again": None, "ok": True,
        "api_key_id": "key_01m7yqntdce9fa3csez7x925yg", "session": "sess_01m7yqntdce9fa3csez7x925yg",
        "request_id": "req_01m7yqntdce9fa3csez7x925yg", "internal": "the writer hangs", "took": 0.25,
        "url": "http://127.0.0.1:8787/test", "dump": "pg_dump --dbname=postgresql://guestpass@db:5432/guestpass", "message": "Send the token as Bearer.", "fingerprint": "0a1b2c3d",
    }  # fmt: skip
    assert logs.redact(None, "info", dict(event)) == event


def test_a_generated_key_is_known_by_its_form():
    secret = api_key.make("live", bytes(range(32)))
    assert secret[10:30] not in str(logs.redact(None, "info", {"event": secret}))


def test_what_cannot_be_shown_is_no_reason_to_fail():
    circle: list[object] = []
    circle.append(circle)
    broken = type("Broken", (), {"__repr__": lambda _: 1 / 0})()
    assert "ZeroDivisionError" in str(logs.redact(None, "info", {"event": "x", "circle": circle, "broken": broken}))


def test_redaction_takes_no_longer_for_hostile_text():
    """A pattern that tries again from each character would take minutes for these."""
    for piece in ("sk_", "eyJ", "_session_", "://", "://a:", "basic ", "1:", "a2V5X", "password=", "f", "a:"):
        logs.redact(None, "info", {"event": "://" + piece * 200_000})


# A process of its own: whoever logs in it, and a standard error that is a file or a terminal.

_EVERYBODY = """
import asyncio, gc, json, logging, sys, threading, warnings
import structlog
from guestpass.server.operate import logs

logs.configure("debug")
text = json.loads(sys.stdin.read())
structlog.get_logger("guestpass").info("ours", value=text)
for name in ("uvicorn.error", "uvicorn.access", "asyncio", "alembic.runtime.migration", "asyncpg", "opentelemetry.sdk", ""):
    logging.getLogger(name).warning("theirs: %s", text)
logging.getLogger("odd").error("no place for it", text)
try:
    raise ValueError(text)
except ValueError:
    logging.getLogger("uvicorn.error").exception("with a traceback")
    structlog.get_logger("guestpass").exception("ours_failed")
warnings.warn(text)

class Dies:
    def __del__(self):
        raise RuntimeError(text)

Dies()
gc.collect()

def fails():
    raise RuntimeError(text)

thread = threading.Thread(target=fails)
thread.start()
thread.join()

async def main():
    asyncio.get_running_loop().call_soon(fails)
    task = asyncio.create_task(asyncio.sleep(0, fails))
    await asyncio.sleep(0)

asyncio.run(main())
fails()
"""


def everybody_logs(text):
    ran = subprocess.run(
        [sys.executable, "-c", _EVERYBODY], input=json.dumps(text), capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert ran.stdout == ""
    return [json.loads(line) for line in ran.stderr.splitlines()]


def test_whoever_logs_it_goes_through_the_redaction():
    """Ours, uvicorn's, asyncio's, alembic's; warnings; faults in threads, destructors, the loop, and at last the program."""
    lines = everybody_logs(" and ".join(text for text, _ in CREDENTIALS.values()))
    said = json.dumps(lines)
    assert [name for name, (_, secret) in CREDENTIALS.items() if secret in said] == []
    assert {line.get("logger") for line in lines} >= {
        "uvicorn.error", "uvicorn.access", "asyncio", "alembic.runtime.migration", "asyncpg", "opentelemetry.sdk",
        "root", "odd", "py.warnings",
    }  # fmt: skip
    assert sum(line["event"] == "crashed" for line in lines) == 3


def test_one_event_is_one_line_whatever_was_sent():
    lines = everybody_logs("\n".join(NAUGHTY[:400]) + '\n{"event": "forged"}\r\n\x1b[2J\u2028')
    assert "forged" not in {line["event"] for line in lines}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_too_one_event_is_one_line_and_steers_nothing():
    for text in [*NAUGHTY, "\x1b]0;title\x07", "a\nforged", "\ud800", "\u202egnol"]:
        event = logs._on_one_line(None, "info", {"event": text, "value": text, "other": [text]})
        assert all(value.isprintable() for value in event.values()), event


def test_a_traceback_keeps_its_lines_on_a_terminal():
    event = logs._on_one_line(None, "error", {"event": "x", "exception": "Traceback\n  File\nValueError: a\x1bb"})
    assert event["exception"] == "Traceback\n  File\nValueError: a\\x1bb"

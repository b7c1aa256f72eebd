"""The demo: a server on a store of its own, one token's life over real HTTP, and a theft."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from guestpass.errors import Unavailable
from guestpass.server.app import open_configured
from guestpass.server.operate import logs
from guestpass.server.operate.commands import first_key
from guestpass.server.operate.serve import Listeners, listen, run_loop, serve
from guestpass.server.operate.settings import Settings

PORTS_TRIED = 20
SHOWN_TOKEN_CHARACTERS = 40
GUEST_LEAVES_SECONDS = 3


def run(port: int | None, command: Sequence[str] = ()) -> None:
    """Start the demo server, tell the story, start ``command`` beside it, and go on serving until a signal."""
    with tempfile.TemporaryDirectory(prefix="guestpass-demo-") as directory:
        settings, listeners = _settle(directory, port)
        logs.configure(settings.log_level)
        guest = Guest(command)

        async def main() -> None:
            # A closed terminal ends the demo as Ctrl-C does, or the guest and the directory would stay behind.
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, os.kill, os.getpid(), signal.SIGTERM)
            service = await open_configured(settings)
            secret = await first_key(service)

            def tell() -> None:
                _tell(service.base_url, secret, directory)
                guest.start(service.base_url, secret)

            await serve(service, listeners, threading.Thread(target=tell, daemon=True).start)

        try:
            run_loop(main)
        finally:
            guest.end()


class Guest:
    """Somebody's app beside the demo server: told where the server is and with which key, ended with it."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()  # the end may come while the story is being told
        self._ended = False

    def start(self, base_url: str, secret: str) -> None:
        environment = {**os.environ, "GUESTPASS_URL": base_url, "GUESTPASS_SECRET_KEY": secret}
        with self._lock:
            if not self._command or self._ended:
                return
            try:
                # In a group of its own, so that its children end too.
                self._process = subprocess.Popen(  # noqa: S603 - the command that the user wrote
                    self._command, env=environment, stdin=subprocess.DEVNULL, process_group=0
                )
            except OSError as fault:
                sys.stderr.write(f"Cannot run {self._command[0]}: {fault.strerror}.\n")

    def end(self) -> None:
        with self._lock:
            self._ended = True
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
                self._process.wait(GUEST_LEAVES_SECONDS)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


def _settle(directory: str, port: int | None) -> tuple[Settings, Listeners]:
    """Take the port that was asked for, or the first free one. Raises: Unavailable."""
    first = port or Settings().port
    last = first if port else first + PORTS_TRIED - 1
    for candidate in range(first, last):
        settings = Settings(data_dir=directory, port=candidate, log_level="error")
        with contextlib.suppress(Unavailable):
            return settings, listen(settings)
    settings = Settings(data_dir=directory, port=last, log_level="error")
    return settings, listen(settings)


def _tell(base_url: str, secret: str, directory: str) -> None:
    minted = _call(
        "POST",
        f"{base_url}/v1/session-tokens",
        secret,
        {"externalUserId": "user_1", "allowedOperations": ["read_invoices"]},
    )
    token = minted["sessionToken"]
    _say("1. Your backend mints a token for user_1:", f"{minted['id']}  {token[:SHOWN_TOKEN_CHARACTERS]}…")
    _say("   It may do and lasts:", f"{minted['allowedOperations']}, {minted['expiresIn']} s")
    session = _call("GET", f"{base_url}/v1/session", token)
    _say("2. The browser shows it, and is told who it is:", f"{session['externalUserId']}, {session['status']}")
    checks = _call("POST", f"{base_url}/v1/tokens/verify", secret, {"token": token, "operation": "delete_invoices"})
    _say("3. May it delete invoices?", f"{checks['code']}, after {len(checks['checks'])} checks")
    revoked = _call("DELETE", f"{base_url}/v1/session-tokens/{minted['id']}", secret)
    _say("4. Your backend revokes it:", f"at {revoked['revokedAt']}")
    refused = _call("GET", f"{base_url}/v1/session", token)
    _say("5. The browser shows it again, and is refused:", f"{refused['code']}: {refused['message']}")
    _tell_of_a_theft(base_url, secret)
    sys.stdout.write(_ENDING.format(base=base_url, secret=secret, directory=directory))
    sys.stdout.flush()


def _tell_of_a_theft(base_url: str, secret: str) -> None:
    def refresh(token: str) -> dict[str, Any]:
        return _call("POST", f"{base_url}/v1/auth/refresh", None, {"refreshToken": token})

    pair = _call("POST", f"{base_url}/v1/auth/login", secret, {"externalUserId": "user_1"})
    copied = pair["refreshToken"]
    _say("6. Your backend opens a session that renews:", f"{pair['sessionId']}  {copied[:SHOWN_TOKEN_CHARACTERS]}…")
    newest = refresh(refresh(copied)["refreshToken"])
    _say("7. Its refresh token is copied; it goes on, twice:", f"until {newest['refreshTokenExpiresAt']}")
    refused = refresh(copied)
    _say("8. A thief shows the copy, and the session ends:", f"{refused['code']}: {refused['message']}")
    for odd in _call("GET", f"{base_url}/v1/auth/anomalies", secret)["data"]:
        evidence = ", ".join(f"{name} {value}" for name, value in odd["evidence"].items())
        _say("   What you see of it:", f"{odd['at']}  {odd['kind']}, {odd['outcome']}: {evidence}")


_ENDING = """
The server goes on running. Ctrl-C stops it, and removes what it stored.

  issuer  {base}/test
  docs    {base}/docs
  key     {secret}

Try it yourself:

  curl -s -X POST {base}/v1/session-tokens -H 'Authorization: Bearer {secret}' -H 'Content-Type: application/json' -d '{{"externalUserId":"user_1"}}'
  curl -s {base}/v1/session -H 'Authorization: Bearer <sessionToken>'
  curl -s {base}/v1/sessions -H 'Authorization: Bearer {secret}'
  curl -s -X DELETE {base}/v1/session-tokens/<id> -H 'Authorization: Bearer {secret}'
  guestpass sessions list --data-dir {directory}
"""


def _say(what: str, result: str) -> None:
    sys.stdout.write(f"{what:<50} {result}\n")
    sys.stdout.flush()


def _call(method: str, url: str, credential: str | None, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Call the server as an outsider would; an error's body is an answer too."""
    headers = {"Content-Type": "application/json"}
    if credential is not None:
        headers["Authorization"] = f"Bearer {credential}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 - our own http URL
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310
            answer: dict[str, Any] = json.load(reply)
    except urllib.error.HTTPError as refusal:
        answer = json.load(refusal)
    return answer

"""Guestpass as it is installed: the embedded default, one worker, nothing switched off."""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.processes import Server, environment, free_port, serving
from harness.requests import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "guestpass"
COMMAND_SECONDS_MAX = 60


@dataclass(frozen=True)
class GuestpassService:
    server: Server
    directory: Path
    key_id: str
    secret: str
    refresh_field: str = "refreshToken"
    sessions: int = 4_000

    def mint(self, user: str) -> Request:
        body = json.dumps({"externalUserId": user}, separators=(",", ":"))
        headers = {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"}
        return Request("POST", "/v1/session-tokens", headers, body)

    def token_of(self, answer: dict[str, Any]) -> str:
        token: str = answer["sessionToken"]
        return token

    def log_in(self, user: str) -> Request:
        headers = {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"}
        return Request("POST", "/v1/auth/login", headers, json.dumps({"externalUserId": user}))

    def refresh(self, token: str) -> Request:
        body = json.dumps({"refreshToken": token}, separators=(",", ":"))
        return Request("POST", "/v1/auth/refresh", {"Content-Type": "application/json"}, body)

    def session(self, token: str) -> Request:
        return Request("GET", "/v1/session", {"Authorization": f"Bearer {token}"})

    def introspect(self, token: str) -> Request:
        credential = base64.b64encode(f"{self.key_id}:{self.secret}".encode()).decode()
        headers = {"Authorization": f"Basic {credential}", "Content-Type": "application/x-www-form-urlencoded"}
        return Request("POST", "/oauth/introspect", headers, f"token={token}")

    def kept(self) -> int | None:
        return sum(_count_sessions(path) for path in self.directory.glob("*.sqlite3"))


class Guestpass:
    def __init__(self) -> None:
        self.name = NAME
        self.does = {
            "mint": "POST /v1/session-tokens: ES256 token; session, customer and audit durable before the answer",
            "session": "GET /v1/session: signature, claims, time, revocation",
            "introspect": "POST /oauth/introspect: client, signature, claims, time, revocation",
            "refresh": "POST /v1/auth/refresh: rotated, ES256 access token, durable before the answer",
        }

    def versions(self) -> dict[str, str]:
        return {"guestpass": metadata.version("guestpass")}

    def environment(self) -> dict[str, str]:
        return environment(GUESTPASS_REFRESHES_PER_MINUTE="0")  # all of the load comes from one address

    def command(self, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).parent / "guestpass"), *arguments]

    def prepare(self, directory: Path) -> tuple[str, str]:
        """Initialize ``directory`` and return the id and the secret of a new key."""
        data_dir = ("--data-dir", str(directory))
        self._run("init", *data_dir)
        made = self._run("keys", "create", "--env", "test", "--name", "bench", *data_dir, "--json")
        key = json.loads(made)
        return key["id"], key["secret"]

    def start(self, directory: Path, core: str | None, *more: str) -> contextlib.AbstractContextManager[Server]:
        port = free_port()
        command = self.command("serve", "--port", str(port), "--data-dir", str(directory), *more)
        return serving(command, port=port, log=directory.parent / "guestpass.log", core=core, env=self.environment())

    @contextlib.contextmanager
    def running(self, directory: Path, core: str | None) -> Iterator[GuestpassService]:
        key_id, secret = self.prepare(directory)
        with self.start(directory, core) as server:
            server.wait_for_answer()
            yield GuestpassService(server, directory, key_id, secret)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"guestpass {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout


class GuestpassWithKey(Guestpass):
    """The same, each mint with an Idempotency-Key of its own: what the header costs."""

    def __init__(self) -> None:
        super().__init__()
        self.name = f"{NAME}, Idempotency-Key"
        self.does = {"mint": "the same with an Idempotency-Key, new for each request"}

    @contextlib.contextmanager
    def running(self, directory: Path, core: str | None) -> Iterator[GuestpassService]:
        with super().running(directory, core) as service:
            yield _WithKey(service.server, service.directory, service.key_id, service.secret)


class _WithKey(GuestpassService):
    def mint(self, user: str) -> Request:
        plain = super().mint("always_the_same")
        return Request(plain.method, plain.path, {**plain.headers, "Idempotency-Key": user}, plain.body)


def _count_sessions(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        count: int = connection.execute("SELECT count(*) FROM sessions").fetchone()[0]
        return count

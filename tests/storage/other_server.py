"""A second server process on the same store, whose clock goes wrong by as much as a test likes."""

from __future__ import annotations

import asyncio
import multiprocessing
import time

import engines
from guestpass.errors import GuestpassError
from guestpass.server.api_keys.service import OPERATOR
from guestpass.server.app import open_service
from guestpass.server.operate.settings import Settings
from guestpass.server.revocation.service import ALL, Subject
from guestpass.server.sessions.api import MintRequest
from guestpass.server.sessions.service import EndMany
from guestpass.server.storage.sealing import KEY_BYTES, MasterKey, Sealer


class Server:
    """What a test asks of a server, here or in the other process."""

    def __init__(self, service, key):
        self.service = service
        self.key = key

    @classmethod
    async def opened(cls, place, *, offset_seconds=0.0, secret=None):
        store = await engines.migrated(place)
        sealer = Sealer(MasterKey(1, bytes(KEY_BYTES)))
        service = await open_service(Settings(), store, sealer, clock=lambda: time.time() + offset_seconds)
        if secret is None:
            issuer = await service.issuers.at("test")
            secret = (await service.api_keys.create(issuer, "a test's", actor=OPERATOR)).secret
        server = cls(service, await service.api_keys.authenticate(secret))
        server.secret = secret
        return server

    async def mint(self, user, form="jwt"):
        answer = await self.service.minting.mint(self.key, MintRequest(external_user_id=user, format=form))
        return answer.id, answer.session_token

    async def mint_many(self, users):
        return [session_id for session_id, _ in await asyncio.gather(*map(self.mint, users))]

    async def end(self, session_id):
        await self.service.sessions.end_one(self.key.issuer, session_id, self.service.sessions.ending("a test"))

    async def end_all(self):
        return await self._end(EndMany(self.key.issuer, ALL, self.service.sessions.ending("a test")))

    async def end_user(self, user):
        return await self._end(self._all_of(user))

    async def block_user(self, user):
        return await self._end(self._all_of(user)._replace(block=True))

    def _all_of(self, user):
        subject = Subject("user", self.service.derivation.customer_id(self.key.issuer, user))
        return EndMany(self.key.issuer, subject, self.service.sessions.ending("a test"))

    async def _end(self, end):
        return (await self.service.sessions.end_many(end)).cut.before_ms

    async def revoke_key(self):
        await self.service.api_keys.revoke(self.key.public_id, actor=OPERATOR)

    async def is_revoked(self, session_id):
        view = await self.service.sessions.get(self.key.issuer, session_id)
        return view.status == "revoked"

    async def accepts(self, token):
        """Say whether a request with this token is let in, or with what code it is refused."""
        try:
            await self.service.verifying.bearer(token)
        except GuestpassError as refusal:
            return refusal.code
        return True

    async def close(self):
        await self.service.close()


class OtherServer:
    """The same, in a process of its own."""

    def __init__(self, place, *, offset_seconds, secret):
        spawning = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawning.Pipe()
        self._process = spawning.Process(target=run, args=(place, offset_seconds, secret, theirs))
        self._process.start()

    def __getattr__(self, name):
        async def ask(*arguments):
            self._pipe.send((name, arguments))
            outcome = await asyncio.to_thread(self._pipe.recv)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return ask

    def stop(self):
        self._pipe.send(("close", ()))
        self._process.join()


def run(place, offset_seconds, secret, pipe):
    asyncio.run(_answer(place, offset_seconds, secret, pipe))


async def _answer(place, offset_seconds, secret, pipe):
    server = await Server.opened(place, offset_seconds=offset_seconds, secret=secret)
    name = ""
    while name != "close":
        name, arguments = await asyncio.to_thread(pipe.recv)
        try:
            pipe.send(await getattr(server, name)(*arguments))
        except GuestpassError as refusal:
            pipe.send(type(refusal)(refusal.message))

"""Signed requests over HTTP: who is let in, who is not and learns nothing from it, and that the secret stays at home."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from urllib.parse import unquote

import pytest

from guestpass.core import ids
from guestpass.core.callers import api_key
from guestpass.core.callers.grant import EVERYTHING
from guestpass.server.api_keys import sql
from guestpass.server.api_keys.model import SECRETS_HELD, ApiKey, Secret
from signature_vectors import KEYS, VECTORS, each
from signing import SigningHost
from world import MASTER_KEY

UNKNOWN_ID = ids.encode("key", ids.time_ordered(1, bytes(ids.ENTROPY_BYTES)))


@pytest.fixture
async def signer(world):
    return SigningHost(world, await world.key(signing=True))


async def test_a_signed_mint_is_a_mint_like_any_other(world, signer):
    reply = await signer.call("POST", "/v1/session-tokens", {"externalUserId": "zoë 🦉"})
    assert reply.status == 201
    listed = await world.host.sessions(externalUserId="zoë 🦉")
    assert [(one["id"], one["apiKeyId"]) for one in listed] == [(reply.json["id"], signer.host.id)]


async def test_every_method_and_a_query_can_be_signed(signer):
    minted = (await signer.call("POST", "/v1/session-tokens", {"externalUserId": "a b&c"})).json
    target = "/v1/sessions?externalUserId=a%20b%26c&limit=20"
    assert (await signer.call("GET", target)).json["data"][0]["id"] == minted["id"]
    assert (await signer.call("HEAD", target)).status == 200
    assert (await signer.call("DELETE", f"/v1/session-tokens/{minted['id']}")).status == 200


async def test_a_key_that_signs_may_also_be_sent(world, signer):
    assert (await signer.host.get("/v1/sessions")).status == 200
    assert (await world.http.get("/v1/sessions", bearer=signer.host.secret)).status == 200


@pytest.fixture(scope="module")
async def world_of_vectors(shared_world):
    """A world with the keys of the vectors."""
    issuers = [shared_world.host.issuer, shared_world.neighbour.issuer]

    async def add(tx):
        for (public_id, secret), issuer in zip(KEYS.items(), issuers, strict=True):
            key_id = ids.decode("key", public_id)
            key = ApiKey(id=key_id, issuer=issuer.number, name="a vector's", grant=EVERYTHING, created_at=0)
            sealed = MASTER_KEY.seal(f"api_key:{key_id.hex()}", secret.encode())
            await sql.add(tx, key, Secret(api_key.hash_of(secret), 0, None, sealed))

    await shared_world.store.at_once(add)
    return shared_world


@each(VECTORS)
async def test_a_server_says_of_each_vector_what_the_vector_says(world_of_vectors, vector):
    """A good one is let in, and refused at most for what it asks; any other never is."""
    world = world_of_vectors
    await world.store.at_once(lambda tx: tx.execute("DELETE FROM signed_requests"))
    world.clock.now = float(vector.now)
    path, _, query = vector.path.partition("?")
    reply = await world.http.request(
        vector.method, unquote(path), raw_path=path, query=query, body=vector.body or None, headers=vector.headers
    )
    if vector.code == "ok":
        assert reply.status < 300 or reply.code in {"VALIDATION_ERROR", "NOT_FOUND", "UNSUPPORTED_MEDIA_TYPE"}
        assert reply.status < 300 or "X-API" not in reply.json["message"]
    else:
        # A path that was changed may lead to another route, to none, or have a query that no route takes.
        elsewhere = {"NOT_FOUND", "TOKEN_MISSING", "VALIDATION_ERROR"}
        assert reply.code == vector.code or (vector.name.startswith(("path:", "re-cut:")) and reply.code in elsewhere)


WRONG = {
    "a key that is not known": lambda s: s.mint(key_id=UNKNOWN_ID),
    "a key that is known, and the secret of another": lambda s: s.mint(secret=s.world.neighbour.secret),
    "a signature of another request": lambda s: s.mint(sent_instead=b'{"externalUserId": "eve"}'),
    "a key that was not made for signing": lambda s: s.mint(key_id=s.world.host.id, secret=s.world.host.secret),
}


async def test_unknown_key_wrong_secret_and_wrong_signature_look_alike(world, signer):
    """Whoever tries keys learns of none whether it is there."""
    replies = [await wrong(signer)() for wrong in WRONG.values()]
    await world.revoke_key(signer.host)
    replies.append(await signer.mint()())
    seen = {(reply.status, reply.code, reply.json["message"], str(reply.json.get("details"))) for reply in replies}
    assert len(seen) == 1
    assert {reply.header("www-authenticate") for reply in replies} == {"Bearer"}


async def test_the_same_work_is_done_for_an_unknown_key_a_wrong_secret_and_a_wrong_signature(signer):
    """What an answer's time could tell, it cannot tell where the same functions are called equally often."""
    work = []
    for name in list(WRONG)[:3]:
        send = WRONG[name](signer)
        await send()  # what is done once in a process is done
        signer.world.clock.advance(seconds=1)  # and nothing is remembered
        send = WRONG[name](signer)
        with counted_calls() as calls:
            reply = await send()
        assert reply.code == "UNAUTHORIZED"
        work.append(calls)
    assert work[0]["_hashlib.hmac_digest"] == SECRETS_HELD
    assert work[0]["AESGCM.decrypt"] == SECRETS_HELD
    assert work[0] == work[1] == work[2]


class counted_calls:  # noqa: N801  it reads as a verb
    """Count every function, of Python and of C; not what other tests have left behind to be finalized."""

    def __enter__(self):
        self.calls = Counter()
        gc.collect()
        gc.disable()
        sys.setprofile(self._saw)
        return self.calls

    def __exit__(self, *_):
        sys.setprofile(None)
        gc.enable()

    def _saw(self, frame, event, argument):
        if event == "call":
            self.calls[f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}"] += 1
        elif event == "c_call":
            self.calls[name_of(argument)] += 1


def name_of(function):
    owner = getattr(function, "__module__", None) or type(getattr(function, "__self__", None)).__name__
    return f"{owner}.{function.__name__}"

"""The secrets that signatures are held against: opened for keys that sign, and for nobody else."""

from __future__ import annotations

import pytest

from guestpass.core import ids
from guestpass.server.api_keys.model import OPERATOR, SECRETS_HELD
from guestpass.server.storage.sealing import MasterKeyError


@pytest.fixture
async def signer(world):
    return await world.key(signing=True)


def texts(found):
    """The secrets of the key that was found, and nobody's."""
    return [text for secret, text in found.secrets if secret is not None]


async def test_a_key_that_signs_is_found_with_its_secret(world, signer):
    found = await world.service.api_keys.signing_secrets(signer.id)
    assert (found.key.public_id, texts(found)) == (signer.id, [signer.secret])
    assert signer.secret not in repr(found)


async def test_for_everyone_else_there_are_stand_ins_that_nobody_calls_with(world):
    """An id that is not known, one of a key that does not sign, a word: nothing tells them apart."""
    unknown = ids.encode("key", ids.time_ordered(1, bytes(ids.ENTROPY_BYTES)))
    wrong = [unknown, world.host.id, "key_nonsense", "", ids.encode("key", bytes(16))]
    found = [await world.service.api_keys.signing_secrets(key_id) for key_id in wrong]
    assert {one.key for one in found} == {None}
    [stand_ins] = {one.secrets for one in found}
    assert {secret for secret, _ in stand_ins} == {None}
    assert all(text.startswith("sk_test_") for _, text in stand_ins)


async def test_a_signature_is_held_against_as_many_secrets_whoever_is_asked_about(world, signer):
    """Also while a key has an old secret and a new one."""
    rotating = await world.key(signing=True)
    await world.service.api_keys.rotate(rotating.id, actor=OPERATOR)
    world.clock.advance(seconds=1)
    found = [await world.service.api_keys.signing_secrets(one.id) for one in (signer, rotating, world.host)]
    assert [len(one.secrets) for one in found] == [SECRETS_HELD] * 3
    assert [len(texts(one)) for one in found] == [1, 2, 0]


async def test_an_id_beside_a_key_is_not_that_key(world, signer):
    """The nearest key is read in place of one that is not there, and never taken for it."""
    for place in range(4, len(signer.id)):
        for sign in "0z":
            beside = signer.id[:place] + sign + signer.id[place + 1 :]
            if beside != signer.id:
                found = await world.service.api_keys.signing_secrets(beside)
                assert (found.key, signer.secret in texts(found)) == (None, False), beside


async def test_the_same_work_is_done_whether_or_not_there_is_such_a_key(world, signer):
    """One look-up each, and none within a moment: not even how often one asks tells whether an id is good."""
    unknown = ids.encode("key", ids.time_ordered(1, bytes(ids.ENTROPY_BYTES)))
    for key_id in (signer.id, unknown):
        with world.store.watched() as look_ups:
            for _ in range(3):
                await world.service.api_keys.signing_secrets(key_id)
            assert len(look_ups) == 1
            world.clock.advance(seconds=1)
            await world.service.api_keys.signing_secrets(key_id)
            assert len(look_ups) == 2


async def test_a_revoked_key_signs_no_more(world, signer):
    await world.service.api_keys.signing_secrets(signer.id)
    await world.revoke_key(signer)
    assert (await world.service.api_keys.signing_secrets(signer.id)).key is None


async def test_a_sealed_secret_opens_for_its_own_key_alone(world, signer):
    """Moved to another row, it would let one tenant sign as another."""
    other = await world.key(signing=True)

    async def move(tx):
        await tx.execute(
            "UPDATE api_key_secrets SET sealed_secret ="
            " (SELECT sealed_secret FROM api_key_secrets WHERE key_id = ?) WHERE key_id = ?",
            (ids.decode("key", signer.id), ids.decode("key", other.id)),
        )

    await world.store.at_once(move)
    with pytest.raises(MasterKeyError, match="changed or moved"):
        await world.service.api_keys.signing_secrets(other.id)

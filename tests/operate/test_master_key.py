"""Moving a store to another master key: nothing sealed is left behind, and no server has to stop."""

from __future__ import annotations

import json
import stat

import pytest

from engines import migrated
from guestpass.server.api_keys.service import OPERATOR
from guestpass.server.app import SEALED, create_app, open_configured
from guestpass.server.opening import MASTER_KEY_FILE, NEXT_KEY_FILE
from guestpass.server.operate import master_key
from guestpass.server.operate.settings import Settings
from guestpass.server.storage import rewrap
from guestpass.server.storage.sealing import MasterKey, MasterKeyError, Sealer
from guestpass.server.webhooks import secrets as secrets_of_webhooks
from http_caller import Http

OLD, NEW = MasterKey(1, bytes(range(32))), MasterKey(2, bytes(32))
VALUES = 7  # the store's own secret, three signing keys, one of an API key, which stands twice, one of a webhook


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """Where a store is, as settings say it."""
    if request.param == "postgresql":
        return {"database_url": request.getfixturevalue("database_url")}
    return {"data_dir": str(tmp_path)}


def settings_with(place, key, before=None):
    return Settings(**place, master_key=key.to_text(), master_key_old=before.to_text() if before else "")


async def make_store(settings):
    """A store with every kind of sealed value."""
    service = await open_configured(settings)
    issuer = await service.issuers.at("test")
    key = await service.api_keys.create(issuer, "a test's", actor=OPERATOR, signing=True)
    await service.rotation.rotate(issuer)
    await service.webhooks.endpoints.create(
        issuer.number, actor=OPERATOR, url="https://example.com/", description="", events=("session.revoked",)
    )
    await service.close()
    return key


async def works(service, key):
    """Say that a store's secrets open: a token is signed, a signature's secret is found, and a webhook's."""
    secrets = await service.api_keys.signing_secrets(key.key.public_id)
    assert key.secret in [text for _, text in secrets.secrets]
    ((_, (webhook_secret,)),) = await service.webhooks.endpoints.all_of([key.key.issuer])
    assert secrets_of_webhooks.opened(service.webhooks.endpoints._sealer, webhook_secret).startswith("whsec_")
    for environment in ("test", "live"):
        assert (await service.keyring.look_again(await service.issuers.at(environment))).signer
    return True


async def test_after_a_rewrap_the_new_key_alone_opens_everything(place):
    key = await make_store(settings_with(place, OLD))
    moved = await master_key.move(settings_with(place, NEW, OLD))
    assert moved.values == VALUES
    assert (await master_key.move(settings_with(place, NEW, OLD))).values == 0
    service = await open_configured(settings_with(place, NEW))
    assert await works(service, key)
    told = "SELECT detail FROM audit_events WHERE action = 'master_key.rewrapped'"
    ((detail,),) = await service.store.read(lambda tx: tx.fetch(told))
    assert json.loads(detail) == {"fingerprint": NEW.fingerprint, "version": NEW.version}, "and it is told once"
    await service.close()
    with pytest.raises(MasterKeyError, match=f"{OLD.fingerprint} does not open.+{NEW.fingerprint}"):
        await open_configured(settings_with(place, OLD))


async def test_a_rewrap_is_done_once(place):
    await make_store(settings_with(place, OLD))
    assert (await master_key.move(settings_with(place, NEW, OLD))).values == VALUES
    assert (await master_key.move(settings_with(place, NEW, OLD))).values == 0
    assert (await master_key.move(settings_with(place, NEW))).values == 0


async def test_without_the_key_before_nothing_is_moved(place):
    await make_store(settings_with(place, OLD))
    with pytest.raises(MasterKeyError, match=f"{NEW.fingerprint} does not open.+{OLD.fingerprint}"):
        await master_key.move(settings_with(place, NEW))
    assert (await master_key.check(settings_with(place, OLD))).is_whole


async def test_servers_that_have_both_keys_go_on_while_the_store_moves(place):
    """Before, during and after; what they seal is opened by those that have not got the new key yet."""
    key = await make_store(settings_with(place, OLD))
    only_old = await open_configured(settings_with(place, OLD))
    both = await open_configured(settings_with(place, NEW, OLD))
    issuer = await both.issuers.at("live")
    await both.rotation.revoke(issuer, (await both.keyring.of(issuer)).signer.key.kid)
    assert await works(only_old, key), "the store has not moved, so it is sealed under the old key"
    await only_old.close()
    await master_key.move(settings_with(place, NEW, OLD))
    await both.rotation.revoke(issuer, (await both.keyring.look_again(issuer)).signer.key.kid)
    assert await works(both, key)
    await both.close()
    assert (await master_key.check(settings_with(place, NEW))).is_whole, "nothing was sealed under the old key since"


async def test_an_answer_is_given_again_while_the_key_before_is_held_and_never_made_twice_after(place):
    """Kept answers are not moved: to open one takes the request's own key, which the store has not."""
    key = await make_store(settings_with(place, OLD))

    async def mint_at(settings):
        service = await open_configured(settings)
        reply = await Http(create_app(service)).post(
            "/v1/session-tokens", {"externalUserId": "ada"}, bearer=key.secret, headers={"Idempotency-Key": "order-1"}
        )
        page = await Http(create_app(service)).get("/v1/sessions", bearer=key.secret)
        await service.close()
        assert len(page.json["data"]) == 1
        return reply

    first = await mint_at(settings_with(place, OLD))
    await master_key.move(settings_with(place, NEW, OLD))
    again = await mint_at(settings_with(place, NEW, OLD))
    assert (again.status, again.header("idempotency-replayed")) == (201, "true")
    assert again.json["sessionToken"] == first.json["sessionToken"]
    assert (await mint_at(settings_with(place, NEW))).code == "CONFLICT"


class BreaksOff:
    """A store that does not answer any more after some writes."""

    def __init__(self, store, writes):
        self._store, self._left = store, writes

    async def write(self, act, item):
        if self._left == 0:
            raise ConnectionError
        self._left -= 1
        return await self._store.write(act, item)


async def nothing_more(tx):
    pass


@pytest.mark.parametrize("writes", range(1, 6))
async def test_a_rewrap_that_was_broken_off_is_finished_by_the_next(place, writes):
    key = await make_store(settings_with(place, OLD))
    both = settings_with(place, NEW, OLD)
    service = await open_configured(both)
    with pytest.raises(ConnectionError):
        await rewrap.rewrap(BreaksOff(service.store, writes), Sealer(NEW, OLD), NEW, SEALED, nothing_more)
    assert await works(service, key), "with both keys it serves in between"
    await service.close()
    assert not (await master_key.check(both)).is_whole
    await master_key.move(both)
    assert (await master_key.check(settings_with(place, NEW))).is_whole


async def test_a_move_of_many_values_goes_batch_by_batch(place):
    """Also where a batch is full to the last value."""
    await make_store(settings_with(place, OLD))
    service = await open_configured(settings_with(place, OLD))
    issuer = await service.issuers.at("test")
    for _ in range(rewrap.BATCH):
        await service.api_keys.create(issuer, "one of many", actor=OPERATOR, signing=True)
    await service.close()
    assert (await master_key.move(settings_with(place, NEW, OLD))).values == VALUES + 2 * rewrap.BATCH
    assert (await master_key.check(settings_with(place, NEW))).sealed == {NEW.fingerprint: VALUES + 2 * rewrap.BATCH}


async def test_every_sealed_column_is_rewrapped(engine_place):
    """Whoever adds one cannot forget it: its name begins with sealed_."""
    store = await migrated(engine_place)
    if engine_place.startswith("postgresql"):
        query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    else:
        query = "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
    columns = await store.read(lambda tx: tx.fetch(query))
    await store.close()
    sealed = {(table, column) for table, column in columns if column.startswith("sealed_") and column != "sealed_at_ms"}
    assert len(sealed) >= 2
    assert sealed | {("store_facts", "value")} == {(each.table, each.column) for each in SEALED}


@pytest.fixture(params=["sqlite", "postgresql"])
def engine_place(request):
    return request.getfixturevalue("database_url") if request.param == "postgresql" else ":memory:"


class TestInADirectory:
    async def test_a_new_key_file_takes_the_place_of_the_old_one_which_is_kept(self, tmp_path):
        settings = Settings(data_dir=str(tmp_path))
        key = await make_store(settings)
        old = MasterKey.from_text((tmp_path / MASTER_KEY_FILE).read_text())
        moved = await master_key.move(settings)
        assert (moved.key.version, moved.values) == (2, VALUES)
        assert MasterKey.from_text((tmp_path / MASTER_KEY_FILE).read_text()) == moved.key
        assert MasterKey.from_text(moved.kept.read_text()) == old
        assert old.fingerprint in moved.kept.name
        assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("master.key*")} == {0o600}
        service = await open_configured(settings)
        assert await works(service, key)
        await service.close()

    async def test_a_running_server_finds_the_new_key_beside_the_old(self, tmp_path):
        settings = Settings(data_dir=str(tmp_path))
        key = await make_store(settings)
        running = await open_configured(settings)
        await master_key.move(settings)
        issuer = await running.issuers.at("test")
        await running.rotation.revoke(issuer, (await running.keyring.of(issuer)).signer.key.kid)
        assert await works(running, key)
        await running.close()
        assert (await master_key.check(settings)).is_whole

    async def test_a_move_that_died_before_the_files_changed_places_is_served_and_finished(self, tmp_path):
        settings = Settings(data_dir=str(tmp_path))
        key = await make_store(settings)
        before = (tmp_path / MASTER_KEY_FILE).read_text()
        await master_key.move(settings)
        (tmp_path / MASTER_KEY_FILE).rename(tmp_path / NEXT_KEY_FILE)
        (tmp_path / MASTER_KEY_FILE).write_text(before)
        service = await open_configured(settings)
        assert await works(service, key)
        await service.close()
        assert not (await master_key.check(settings)).is_whole
        assert (await master_key.move(settings)).values == 0
        assert not (tmp_path / NEXT_KEY_FILE).exists()
        assert (await master_key.check(settings)).is_whole

    async def test_the_key_can_move_from_the_file_to_the_settings(self, tmp_path):
        key = await make_store(Settings(data_dir=str(tmp_path)))
        before = MasterKey.from_text((tmp_path / MASTER_KEY_FILE).read_text())
        await master_key.move(settings_with({"data_dir": str(tmp_path)}, NEW, before))
        (tmp_path / MASTER_KEY_FILE).unlink()
        service = await open_configured(settings_with({"data_dir": str(tmp_path)}, NEW))
        assert await works(service, key)
        await service.close()

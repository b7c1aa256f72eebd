"""``guestpass doctor`` names what is wrong and what to do, on either engine, and changes nothing."""

from __future__ import annotations

import time

import pytest

from engines import POSTGRESQL
from guestpass.server.app import open_configured
from guestpass.server.opening import NEXT_KEY_FILE, store_as_it_is
from guestpass.server.operate.doctor import examine
from guestpass.server.operate.settings import Settings, Sourced
from guestpass.server.storage.sealing import MasterKey

KEY, OTHER = MasterKey(1, bytes(range(32))), MasterKey(2, bytes(32))
DAY = 24 * 3600


class Installation:
    def __init__(self, place):
        self.place = place

    def settings(self, **more):
        return Settings(**{**self.place, "master_key": KEY.to_text(), **more})

    async def examined(self, *, ahead_seconds=0.0, **more):
        found = await examine(Sourced(self.settings(**more), {}), clock=lambda: time.time() + ahead_seconds)
        assert all(bool(finding.advice) is not finding.ok for finding in found), "what is wrong comes with what to do"
        return found

    async def wrong(self, **more):
        """Return the one finding that is not good."""
        [finding] = [finding for finding in await self.examined(**more) if not finding.ok]
        return finding

    async def execute(self, *statements):
        async def act(tx, items):
            for statement in statements:
                await tx.execute(statement)
            return items

        async with store_as_it_is(self.settings()) as store:
            await store.write(act, None)

    async def rows(self):
        async def everything(tx):
            return [await tx.fetch(f"SELECT * FROM {table}") for table in ("store_facts", "signing_keys", "projects")]

        async with store_as_it_is(self.settings()) as store:
            return await store.read(everything)


@pytest.fixture(params=["sqlite", "postgresql"])
async def installation(request, tmp_path):
    is_postgres = request.param == POSTGRESQL
    installation = Installation(
        {"database_url": request.getfixturevalue("database_url")} if is_postgres else {"data_dir": str(tmp_path)}
    )
    await (await open_configured(installation.settings())).close()
    return installation


async def test_a_healthy_installation_is_healthy_and_not_changed(installation):
    before = await installation.rows()
    found = await installation.examined()
    assert [finding for finding in found if not finding.ok] == []
    told = {"clock", "store's clock", "schema", "master key", "public URL", "proxies", "signing keys", "audit log"}
    assert told <= {finding.what for finding in found}
    assert await installation.rows() == before


async def test_another_master_key_is_named_beside_the_one_that_is_needed(installation):
    finding = await installation.wrong(master_key=OTHER.to_text())
    assert finding.what == "master key"
    assert KEY.fingerprint in finding.detail
    assert OTHER.fingerprint in finding.detail


async def test_a_move_to_another_master_key_that_waits_for_the_rewrap_is_named(installation):
    finding = await installation.wrong(master_key=OTHER.to_text(), master_key_old=KEY.to_text())
    assert (finding.what, "rewrap" in finding.advice) == ("master key", True)


@pytest.mark.parametrize(("seconds", "says"), [(7.5, "7.5 s ahead of"), (-60, "60.0 s behind")])
async def test_a_clock_that_is_off_is_named_with_how_much(database_url, seconds, says):
    """On PostgreSQL, whose clock is the store's."""
    installation = Installation({"database_url": database_url})
    await (await open_configured(installation.settings())).close()
    finding = await installation.wrong(ahead_seconds=seconds)
    assert f"this server's clock is {says} the store's" in finding.detail


async def test_a_schema_that_is_old_or_newer_is_named(installation):
    await installation.execute("UPDATE alembic_version SET version_num = '0001'")
    assert "guestpass db upgrade" in (await installation.wrong()).advice
    await installation.execute(
        "UPDATE alembic_version SET version_num = '9999'",
        "UPDATE store_facts SET value = CAST('9999' AS BLOB) WHERE name = 'servers_from'"
        if "data_dir" in installation.place
        else "UPDATE store_facts SET value = '9999'::bytea WHERE name = 'servers_from'",
    )
    assert "newer version" in (await installation.wrong()).detail


async def test_an_https_url_without_a_proxy_that_is_trusted_is_named(installation):
    await installation.execute(
        "UPDATE store_facts SET value = CAST('https://id.example' AS BLOB) WHERE name = 'public_url'"
        if "data_dir" in installation.place
        else "UPDATE store_facts SET value = 'https://id.example'::bytea WHERE name = 'public_url'"
    )
    assert "trusted_proxies" in (await installation.wrong()).advice
    assert [one for one in await installation.examined(trusted_proxies="10.0.0.0/8") if not one.ok] == []


async def test_settings_that_no_server_starts_with_are_named(installation):
    assert "fixed" in (await installation.wrong(public_url="https://other.example")).detail
    equal = await installation.wrong(issuer_test="https://id.example", issuer_live="https://id.example")
    assert "Two issuers would be equal" in equal.detail


async def test_an_issuer_without_a_key_that_signs_is_named(installation):
    await installation.execute("DELETE FROM signing_keys")
    finding = await installation.wrong()
    assert (finding.what, "no signing key" in finding.detail) == ("signing keys", True)


async def test_a_rotation_that_nobody_does_is_named(installation):
    long_ago = int((time.time() - 93 * DAY) * 1000)
    await installation.execute(f"UPDATE signing_keys SET signs_from_ms = {long_ago}")
    assert "older than 90 days" in (await installation.wrong()).detail
    assert [one for one in await installation.examined(signing_key_days=0) if not one.ok] == []


async def test_a_database_that_does_not_answer_is_named_without_its_password():
    url = "postgresql://guestpass:hunter2@127.0.0.1:9/guestpass"
    finding = (await examine(Sourced(Settings(database_url=url, master_key=KEY.to_text()), {})))[-1]
    assert (finding.what, finding.ok) == ("store", False)
    assert "127.0.0.1:9/guestpass" in finding.detail
    assert "hunter2" not in str(finding)


async def test_an_empty_database_is_named(databases):
    with databases.fresh() as url:
        finding = await Installation({"database_url": url}).wrong()
    assert finding.detail == "the database is empty"


class TestADirectory:
    async def test_that_is_not_there_or_holds_no_store_is_named(self, tmp_path):
        assert "does not exist" in (await Installation({"data_dir": str(tmp_path / "nowhere")}).wrong()).detail
        assert "holds no store" in (await Installation({"data_dir": str(tmp_path)}).wrong()).detail

    async def test_whose_key_file_others_can_read_or_is_lost_is_named(self, tmp_path):
        installation = Installation({"data_dir": str(tmp_path), "master_key": ""})
        await (await open_configured(Settings(data_dir=str(tmp_path)))).close()
        file = tmp_path / "master.key"
        file.chmod(0o644)
        assert "chmod 600" in (await installation.wrong(master_key="")).advice
        file.chmod(0o600)
        (tmp_path / NEXT_KEY_FILE).write_text(OTHER.to_text())
        assert "rewrap" in (await installation.wrong(master_key="")).advice
        (tmp_path / NEXT_KEY_FILE).unlink()
        file.unlink()
        assert "is missing" in (await installation.wrong(master_key="")).detail


async def test_a_head_of_the_audit_log_that_does_not_hold_is_named(installation):
    service = await open_configured(installation.settings())
    await service.audit.sealing.seal()
    await service.close()
    [finding] = [finding for finding in await installation.examined() if finding.what == "audit log"]
    assert finding.ok
    assert "batch 1" in finding.detail
    await installation.execute("UPDATE audit_batches SET leaves = leaves + 1")
    assert "guestpass audit verify" in (await installation.wrong()).advice
    await installation.execute("UPDATE audit_keys SET kid = 'another'")
    assert "not kept" in (await installation.wrong()).detail

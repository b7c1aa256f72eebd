"""Ready is who may be sent requests: its store answers, has the right schema, and agrees with it what time it is."""

from __future__ import annotations

import time

import pytest

import engines
from engines import EVERY_ENGINE
from guestpass.server.app import create_app, open_service
from guestpass.server.operate.settings import Settings
from guestpass.server.storage.sealing import Sealer
from http_caller import Http
from world import MASTER_KEY

ENGINES = EVERY_ENGINE


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, ""), (4, ""), (-4, ""), (6, "s ahead of"), (-6, "s behind"), (86_400, "ahead of")]
)
async def test_a_server_whose_clock_is_over_five_seconds_off_is_not_ready(store, seconds, said):
    service = await open_service(Settings(), store, Sealer(MASTER_KEY), clock=lambda: time.time() + seconds)
    reply = await Http(create_app(service)).get("/readyz")
    await service.jobs.stop()
    if said:
        assert (reply.status, reply.code) == (503, "UNAVAILABLE")
        assert said in reply.json["message"]
        assert "NTP" in reply.json["message"]
    else:
        assert reply.status == 200


async def test_a_store_without_its_schema_is_not_ready_and_the_missing_migrations_are_named(store):
    service = await open_service(Settings(), store, Sealer(MASTER_KEY))

    async def forget(tx):
        await tx.execute("UPDATE alembic_version SET version_num = '0000'")

    await engines.at_once(store, forget)
    reply = await Http(create_app(service)).get("/readyz")
    await service.jobs.stop()
    assert (reply.status, reply.code) == (503, "UNAVAILABLE")
    assert "schema 0000; migrations up to" in reply.json["message"]

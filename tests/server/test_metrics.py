"""``/metrics``: right numbers under names known beforehand, and nothing that a client sent."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from guestpass.errors import ERRORS, Unavailable
from guestpass.server.app import create_app, create_internal_app
from guestpass.server.storage.sqlite import SqliteStore
from guestpass.server.tally import SLOT_BYTES, SLOTS, Tally
from http_caller import Http
from world import World

HERE = "127.0.0.1"


def samples_of(page):
    """Return {(name, labels as they stand in the page): value}."""
    families = text_string_to_metric_families(page.decode())
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


async def scraped(world):
    reply = await world.http.get("/metrics", peer=HERE)
    assert reply.status == 200
    return samples_of(reply.body)


async def counted(world, *labels):
    """Return how many requests were counted that have these labels."""
    samples = await scraped(world)
    return sum(
        value for key, value in samples.items() if key[0] == "guestpass_requests_total" and set(labels) <= {*key[1:]}
    )


async def test_a_request_counts_under_its_route_and_what_became_of_it(world):
    ada = await world.mint("ada")
    await world.host.session(ada)
    await world.host.get("/v1/sessions/sess_unknown")
    await world.http.get("/v1/session")
    assert await counted(world, "route=/v1/session-tokens", "method=POST", "status=201", "code=") == 1
    assert await counted(world, "route=/v1/sessions/{id}", "status=200", "code=") == 1
    assert await counted(world, "route=/v1/sessions/{id}", "status=404", "code=NOT_FOUND") == 1
    samples = await scraped(world)
    assert samples["guestpass_refusals_total", "code=TOKEN_MISSING"] == 1
    assert samples["guestpass_refusals_total", "code=TOKEN_EXPIRED"] == 0
    assert {key[1] for key in samples if key[0] == "guestpass_refusals_total"} == {f"code={code}" for code in ERRORS}


async def test_the_time_that_a_request_took_is_in_one_bucket_and_all_above(world):
    for _ in range(3):
        await world.http.get("/healthz")
    samples = await scraped(world)
    route = ("method=GET", "route=/healthz")
    buckets = {
        key[1]: value
        for key, value in samples.items()
        if key[0] == "guestpass_request_duration_seconds_bucket" and set(route) <= {*key}
    }
    assert list(buckets.values()) == sorted(buckets.values())
    assert buckets["le=+Inf"] == samples["guestpass_request_duration_seconds_count", *route] == 3
    assert 0 < samples["guestpass_request_duration_seconds_sum", *route] < 60


async def test_mints_and_revokes_count_once_they_are_committed(world):
    ada, bob = await world.mint("ada"), await world.mint("bob", format="opaque")
    await world.live.mint("ada")
    for _ in range(2):
        await world.host.end(ada)
    await world.host.revoke(externalUserId="bob")
    with world.store.away(), world.refused("UNAVAILABLE"):
        await world.mint("ada")
    samples = await scraped(world)
    assert samples["guestpass_mints_total", "environment=test", "format=jwt"] == 1
    assert samples["guestpass_mints_total", "environment=test", "format=opaque"] == 1
    assert samples["guestpass_mints_total", "environment=live", "format=jwt"] == 1
    assert samples["guestpass_revokes_total", "what=session"] == 1, "the second call ended nothing"
    assert samples["guestpass_revokes_total", "what=cut"] == 1
    assert not await bob.lives()


async def test_a_refresh_counts_as_rotated_and_the_same_one_again_as_replayed(world):
    first = (await world.login("ada")).refresh_token
    for _ in range(3):
        assert (await world.http.post("/v1/auth/refresh", {"refreshToken": first})).status == 200
    assert (await world.http.post("/v1/auth/refresh", {"refreshToken": "nonsense"})).status == 401
    samples = await scraped(world)
    assert samples["guestpass_refreshes_total", "environment=test", "outcome=rotated"] == 1
    assert samples["guestpass_refreshes_total", "environment=test", "outcome=replayed"] == 2
    assert samples["guestpass_refusals_total", "code=REFRESH_TOKEN_INVALID"] == 1


async def test_acts_that_are_committed_together_are_one_group(world):
    await world.mint("ada")  # the first one waits for keys to be read, and makes the others come one by one
    before = await scraped(world)
    await asyncio.gather(*(world.mint(f"user{number}") for number in range(20)))
    after = await scraped(world)

    def more(name):
        return after[name,] - before[name,]

    assert more("guestpass_commit_group_size_sum") == more("guestpass_commit_wait_seconds_count") >= 20
    assert more("guestpass_commit_group_size_count") < 20
    assert more("guestpass_commit_wait_seconds_sum") > 0
    assert after["guestpass_store_queue_length",] == 0


async def test_an_act_that_the_store_cannot_do_counts_as_an_error_of_the_store(tmp_path):
    store = SqliteStore(tmp_path / "store.sqlite3")

    async def act(tx, items):
        await tx.execute("PRAGMA query_only=ON")
        await tx.execute("CREATE TABLE t (x)")

    with pytest.raises(Unavailable):
        await store.write(act, None)
    assert total(store.tally, "guestpass_store_errors") == 1
    await store.close()


async def test_nothing_that_a_client_sends_becomes_a_label(world):
    """Else a flood of made-up paths would fill the memory of whoever keeps the metrics, and a token could stand there."""
    ada = await world.mint("ada@example.com", externalOrganizationId="org-of-ada")
    sent = [world.host.secret, ada.token, ada.id, world.host.id, "ada@example.com", "org-of-ada", "made-up"]

    async def everywhere(text):
        for path in (
            f"/{text}",
            f"/v1/sessions/{text}",
            f"/v1/session-tokens/{text}",
            f"/{text}/.well-known/jwks.json",
        ):
            for method in ("GET", "POST", "DELETE", "OPTIONS", text[:8]):
                await world.http.request(method, path, headers={"x-request-id": text, "user-agent": text})
        await world.host.post("/v1/tokens/verify", {"token": text})

    await everywhere("first")
    names = set(await scraped(world))
    for text in sent:
        await everywhere(text)
    page = (await world.http.get("/metrics", peer=HERE)).body.decode()
    assert [text for text in sent if text in page] == []
    new = {key for key in set(samples_of(page.encode())) - names if "route=/metrics" not in key}
    assert {label for key in new for label in key[1:] if label.startswith(("route=", "method="))} <= {
        label for key in names for label in key[1:]
    }


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
async def test_a_client_on_this_machine_sees_the_metrics(world, peer):
    assert (await world.http.get("/metrics", peer=peer)).status == 200


@pytest.mark.parametrize(
    "peer", ["203.0.113.7", "10.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "2001:db8::1", "", None]
)
async def test_nobody_else_sees_them(world, peer):
    reply = await world.http.get("/metrics", peer=peer)
    assert reply.code == "NOT_FOUND"
    assert "internal_listen" in reply.json["message"]


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Via"])
async def test_what_came_through_a_proxy_on_this_machine_is_not_from_here(world, header):
    assert (await world.http.get("/metrics", peer=HERE, headers={header: HERE})).code == "NOT_FOUND"


async def test_a_server_that_the_world_reaches_shows_them_to_nobody_at_its_public_port():
    """A proxy on this machine may add no header at all: what it hands on then looks like a neighbour's."""
    async with World.opened(public_url="https://guestpass.example.com") as world:
        public = create_app(world.service)
        answered = []

        async def send(message):
            answered.append(message)

        async def receive():
            return {"type": "http.request", "body": b""}

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/metrics",
            "query_string": b"",
            "headers": [],
            "client": (HERE, 1),
        }
        await public(scope, receive, send)
        assert answered[0]["status"] == 404


async def test_the_internal_port_takes_them_from_the_public_one(world):
    public = Http(create_app(world.service, metrics_apart=True))
    internal = Http(create_internal_app(world.service))
    assert (await public.get("/metrics", peer=HERE)).code == "NOT_FOUND"
    assert (await public.get("/healthz")).status == 200
    for path in ("/metrics", "/healthz", "/readyz"):
        assert (await internal.get(path)).status == 200
    for path in ("/v1/session", "/v1/session-tokens", "/docs", "/test/.well-known/jwks.json"):
        assert (await internal.get(path)).code == "NOT_FOUND"


def two_processes():
    memory = memoryview(bytearray(2 * SLOTS * SLOT_BYTES)).cast("Q")
    tallies = [Tally(memory, place) for place in (0, 1)]
    for tally in tallies:
        tally.over_routes([("GET", "/healthz")])
    return memory, tallies


def total(tally, name):
    return sum(reading.total for metric in tally.metrics if metric.name == name for reading in tally.read(metric))


def test_whichever_process_is_asked_tells_the_numbers_of_all():
    _, (one, other) = two_processes()
    for _ in range(3):
        one.answered(("GET", "/healthz"), 200, "", 1_000)
    other.answered(("GET", "/healthz"), 200, "", 5_000)
    assert total(one, "guestpass_requests") == total(other, "guestpass_requests") == 4
    assert total(one, "guestpass_request_duration_seconds") == 8_000


def test_a_process_that_takes_the_place_of_a_dead_one_counts_on_from_there():
    """A sum that falls looks like a restart of all, and what is left like new requests."""
    memory, (one, dead) = two_processes()
    dead.answered(("GET", "/healthz"), 200, "", 1_000)
    dead.waiting(7)
    successor = Tally(memory, 1)
    successor.over_routes([("GET", "/healthz")])
    successor.answered(("GET", "/healthz"), 200, "", 1_000)
    assert total(one, "guestpass_requests") == 2
    assert total(one, "guestpass_store_queue_length") == 0, "what waited in the dead one waits no more"


def test_more_routes_than_there_is_room_for_are_a_fault_at_the_start():
    with pytest.raises(RuntimeError, match="slots"):
        Tally().over_routes(("GET", f"/{number}") for number in range(SLOTS))

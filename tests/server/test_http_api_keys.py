"""API keys over HTTP: made, listed, edited and revoked, and never given more than the one who gives has himself."""

from __future__ import annotations

import pytest

from engines import EVERY_ENGINE
from guestpass.core import ids, times
from guestpass.core.callers.api_key import ALL_CAN
from guestpass.errors import Unavailable
from guestpass.server.api_keys.service import Actor
from world import START, Host

ENGINES = EVERY_ENGINE

A_KEY = {"name": "backend"}
FACTS = {
    "id", "name", "environment", "projectId", "can", "operations", "ipRanges", "signing", "createdAt", "expiresAt",
    "lastUsedAt", "revokedAt", "secrets",
}  # fmt: skip


def at(seconds):
    return times.of_seconds(int(START) + seconds)


async def made(host, **fields):
    """Let ``host`` make a key; return the backend that holds it, and what the answer said."""
    reply = await host.post("/v1/api-keys", A_KEY | fields)
    assert reply.status == 201, reply.body
    return Host(host.http, host.issuer, reply.json["id"], reply.json["secret"]), reply.json


async def shown(host, key_id):
    reply = await host.get(f"/v1/api-keys/{key_id}")
    assert reply.status == 200, reply.body
    return reply.json


async def listed(host):
    return (await host.get("/v1/api-keys", query="limit=100")).json["data"]


# Making


async def test_a_new_key_works_and_its_secret_is_shown_once(world):
    """The answer holds it, and no cache may keep that; no other answer does, nor does any log line."""
    new, answer = await made(world.host)
    assert answer.keys() == FACTS | {"secret"}
    assert answer == {
        "id": new.id, "name": "backend", "environment": "test", "projectId": world.host.issuer.project.id,
        "can": list(ALL_CAN), "operations": ["*"], "ipRanges": None, "signing": False, "createdAt": at(0),
        "expiresAt": None, "lastUsedAt": None, "revokedAt": None, "secrets": [{"createdAt": at(0), "endsAt": None}],
        "secret": new.secret,
    }  # fmt: skip
    assert (await new.mint("ada")).id
    for reply in (await world.host.get(f"/v1/api-keys/{new.id}"), await world.host.get("/v1/api-keys")):
        assert reply.status == 200
        assert new.secret.encode() not in reply.body
    assert (await shown(world.host, new.id)).keys() == FACTS
    assert new.secret not in str(world.log_lines)


async def test_a_key_may_be_made_with_less_of_everything(world):
    wished = {
        "can": ["read", "mint"], "operations": ["b", "a"], "ipRanges": ["192.0.2.7", "2001:db8::/32"],
        "expiresAt": "2030-01-02T01:00:00.9+01:00", "signing": True,
    }  # fmt: skip
    _, answer = await made(world.host, **wished)
    assert [answer[name] for name in ("can", "operations", "ipRanges", "expiresAt", "signing")] == [
        ["mint", "read"], ["a", "b"], ["192.0.2.7/32", "2001:db8::/32"], at(86_400), True,
    ]  # fmt: skip


async def test_what_is_not_asked_for_is_as_the_givers_own(world):
    """So that a key with bounds may make others without repeating them, and never widens by leaving out."""
    bounded = await world.key(can=["manage", "mint"], ceiling="a b", ip_ranges=["203.0.113.0/24"], expires_in=3600)
    _, answer = await made(bounded)
    assert [answer[name] for name in ("can", "operations", "ipRanges", "expiresAt")] == [
        ["mint", "manage"], ["a", "b"], ["203.0.113.0/24"], at(3600),
    ]  # fmt: skip


BEYOND = {
    "can": ({"can": ["mint", "revoke"]}, "can"),
    "one operation": ({"operations": ["a", "c"]}, "operations"),
    "every operation": ({"operations": ["*"]}, "operations"),
    "a wider network": ({"ipRanges": ["203.0.0.0/16"]}, "ipRanges"),
    "anywhere": ({"ipRanges": None}, "ipRanges"),
    "a later end": ({"expiresAt": at(3601)}, "expiresAt"),
    "no end": ({"expiresAt": None}, "expiresAt"),
}


@pytest.mark.parametrize(("more", "field"), BEYOND.values(), ids=BEYOND)
async def test_nobody_gives_more_than_he_has(world, more, field):
    """Neither to a new key nor to one that is there; the field is named, its value is not."""
    bounded = await world.key(can=["manage", "mint"], ceiling="a b", ip_ranges=["203.0.113.0/24"], expires_in=3600)
    given, before = await made(bounded)
    for path, body in (("/v1/api-keys", A_KEY | more), (f"/v1/api-keys/{given.id}", more)):
        reply = await bounded.post(path, body)
        assert (reply.status, reply.code) == (403, "FORBIDDEN")
        assert [detail["path"] for detail in reply.json["details"]] == [field]
        assert "203.0.113" not in reply.json["message"]
    after = await shown(bounded, given.id)
    assert after | {"lastUsedAt": None} == {name: before[name] for name in FACTS}
    assert len(await listed(world.host)) == 3, "the first, the bounded, and the one it made"


@pytest.mark.parametrize("more", ["can", "ceiling", "ip_ranges", "expires_in"])
async def test_nobody_rotates_or_edits_a_key_that_can_do_more_than_he(world, more):
    """He would have its secret, and with it all that it can. To revoke one hands nothing on."""
    bounds = {"can": ["manage", "mint"], "ceiling": "a b", "ip_ranges": ["203.0.113.0/24"], "expires_in": 3600}
    mighty = await world.key(**{name: value for name, value in bounds.items() if name != more})
    bounded = await world.key(**bounds)
    for body in ({"can": []}, {"name": "less"}):
        assert (await bounded.post(f"/v1/api-keys/{mighty.id}", body)).code == "FORBIDDEN"
    assert (await bounded.post(f"/v1/api-keys/{mighty.id}/rotate")).code == "FORBIDDEN"
    before = await shown(world.host, mighty.id)
    assert (before["name"], len(before["secrets"])) == ("a test's", 1)
    assert (await bounded.post(f"/v1/api-keys/{mighty.id}/revoke")).status == 200


async def test_a_key_may_change_itself_and_not_take_that_back(world):
    own = await world.key()
    assert (await own.post(f"/v1/api-keys/{own.id}", {"operations": ["a"]})).status == 200
    assert (await own.post(f"/v1/api-keys/{own.id}", {"operations": ["*"]})).code == "FORBIDDEN"
    assert (await own.post(f"/v1/api-keys/{own.id}/rotate")).status == 201


async def test_what_the_giver_may_is_asked_again_when_it_is_written(world):
    """A request that was let in a moment ago, of a key that was bounded, rotated or revoked since."""
    api_keys = world.service.api_keys
    for since in (
        {"operations": ["a"]},
        {"can": ["mint"]},
        "rotate",
        "revoke",
    ):
        giver = await world.key()
        let_in = Actor.of(await api_keys.authenticate(giver.secret))
        if isinstance(since, dict):
            assert (await world.host.post(f"/v1/api-keys/{giver.id}", since)).status == 200
        else:
            body = {"overlapSeconds": 0} if since == "rotate" else None
            assert (await world.host.post(f"/v1/api-keys/{giver.id}/{since}", body)).status < 300
        before = len(await listed(world.host))
        with pytest.raises(Exception, match=r"hand on more|lacks|unknown here"):
            await api_keys.create(giver.issuer, "too late", actor=let_in)
        assert len(await listed(world.host)) == before


# Reading


async def test_keys_are_listed_newest_first_page_by_page(world):
    host = world.host
    new = []
    for n in range(5):
        world.clock.advance(milliseconds=1)
        new.append((await made(host, name=f"key {n}"))[0].id)
    pages, cursor = [], {}
    while True:
        page = (await host.get("/v1/api-keys", query={"limit": 2} | cursor)).json
        pages.append([one["id"] for one in page["data"]])
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert [len(page) for page in pages] == [2, 2, 2]
    assert [one for page in pages for one in page] == [*reversed(new), host.id]


async def test_what_has_ended_is_listed_too_with_no_secret_that_works(world):
    ended, _ = await made(world.host, expiresAt=at(60))
    revoked, _ = await made(world.host)
    await world.host.post(f"/v1/api-keys/{revoked.id}/revoke")
    world.clock.advance(seconds=60)
    by_id = {one["id"]: one for one in await listed(world.host)}
    assert (by_id[ended.id]["revokedAt"], by_id[ended.id]["secrets"]) == (None, [])
    assert (by_id[revoked.id]["revokedAt"], by_id[revoked.id]["secrets"]) == (at(0), [])


@pytest.mark.parametrize("key_id", ["nonsense", "key_01q3dcbd00fkhb236cvbnzk61r", "sess_01q3dcbd00fkhb236cvbnzk61r"])
async def test_a_key_that_is_not_there_is_not_found(world, key_id):
    for method, path in (("GET", ""), ("POST", ""), ("POST", "/rotate"), ("POST", "/revoke")):
        body = {"name": "x"} if (method, path) == ("POST", "") else None
        reply = await world.http.request(method, f"/v1/api-keys/{key_id}{path}", json=body, bearer=world.host.secret)
        assert (reply.status, reply.code) == (404, "NOT_FOUND")


# Editing


async def test_an_edit_changes_what_is_named_and_nothing_else(world):
    host = world.host
    new, before = await made(host, can=["mint"], operations=["a"])
    for change, after in (
        ({"name": "renamed"}, {"name": "renamed"}),
        ({"can": ["read", "mint"]}, {"can": ["mint", "read"]}),
        ({"operations": ["*"]}, {"operations": ["*"]}),
        ({"operations": []}, {"operations": []}),
        ({"ipRanges": ["203.0.113.7"]}, {"ipRanges": ["203.0.113.7/32"]}),
        ({"ipRanges": None}, {"ipRanges": None}),
        ({"expiresAt": at(60)}, {"expiresAt": at(60)}),
        ({"expiresAt": None}, {"expiresAt": None}),
        ({}, {}),
    ):
        reply = await host.post(f"/v1/api-keys/{new.id}", change)
        before = {name: before[name] for name in FACTS} | after
        assert (reply.status, reply.json) == (200, before)
        assert await shown(host, new.id) == before


async def test_an_edit_holds_at_once(world):
    """Also for a key that is remembered here, because it was just used."""
    new, _ = await made(world.host)
    assert (await new.mint("ada")).answer["allowedOperations"] == ["*"]
    await world.host.post(f"/v1/api-keys/{new.id}", {"operations": ["a"]})
    assert (await new.mint("ada")).answer["allowedOperations"] == ["a"]
    await world.host.post(f"/v1/api-keys/{new.id}", {"can": ["read"]})
    with world.refused("FORBIDDEN"):
        await new.mint("ada")


@pytest.mark.parametrize("how", ["revoked", "ended"])
async def test_what_has_ended_stays_so(world, how):
    """No edit and no rotation makes it work again: an old secret that was thought dead is dead."""
    new, _ = await made(world.host, expiresAt=at(60))
    if how == "revoked":
        await world.host.post(f"/v1/api-keys/{new.id}/revoke")
    else:
        world.clock.advance(seconds=60)
    for path, body in (("", {"expiresAt": None}), ("/rotate", None)):
        reply = await world.host.post(f"/v1/api-keys/{new.id}{path}", body)
        assert (reply.status, reply.code) == (409, "CONFLICT")
    assert (await new.get("/v1/sessions")).code == "UNAUTHORIZED"


WRONG = {
    "no name": ({}, "name"),
    "an empty name": ({"name": ""}, "name"),
    "a name with a line break": ({"name": "a\nb"}, "name"),
    "a name that is too long": ({"name": "a" * 256}, "name"),
    "a right that there is not": ({"can": ["mint", "fly"]}, "can[1]"),
    "rights that are null": ({"can": None}, "can"),
    "an operation that breaks the rule": ({"operations": ["a", "B"]}, "operations[1]"),
    "a star beside a name": ({"operations": ["*", "a"]}, "operations"),
    "operations that are null": ({"operations": None}, "operations"),
    "no range at all": ({"ipRanges": []}, "ipRanges"),
    "a host inside a network": ({"ipRanges": ["10.0.0.0/8", "10.0.0.1/8"]}, "ipRanges[1]"),
    "a range that is a number": ({"ipRanges": [1]}, "ipRanges[0]"),
    "an end that is over": ({"expiresAt": at(0)}, "expiresAt"),
    "an end that is a number": ({"expiresAt": 1893456000}, "expiresAt"),
    "an end without an offset": ({"expiresAt": "2031-01-01T00:00:00"}, "expiresAt"),
    "a secret of one's own": ({"secret": "sk_test_mine"}, "secret"),
    "another environment": ({"environment": "live"}, "environment"),
    "another project": ({"projectId": "proj_01q3dcbd00fkhb236cvbnzk61r"}, "projectId"),
}


@pytest.mark.parametrize(("fields", "path"), WRONG.values(), ids=WRONG)
async def test_a_wrong_field_is_named_and_nothing_is_made(world, fields, path):
    body = ({} if path == "name" else A_KEY) | fields
    reply = await world.host.post("/v1/api-keys", body)
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert [detail["path"] for detail in reply.json["details"]] == [path]
    assert len(await listed(world.host)) == 1
    if fields and path != "secret":
        reply = await world.host.post(f"/v1/api-keys/{world.host.id}", fields)
        assert (reply.status, reply.json["details"][0]["path"]) == (400, path)


async def test_signing_cannot_be_edited(world):
    """The secret of a key that does not sign was never kept."""
    assert (await world.host.post(f"/v1/api-keys/{world.host.id}", {"signing": True})).code == "VALIDATION_ERROR"


# Revoking


async def test_revoking_a_key_ends_its_sessions_with_it(world):
    """In one transaction; sessions of other keys live on, and again it changes nothing."""
    new, _ = await made(world.host)
    theirs, ours = await new.mint("ada"), await world.mint("ada")
    reply = await world.host.post(f"/v1/api-keys/{new.id}/revoke")
    assert (reply.status, reply.json["revokedAt"]) == (200, at(0))
    assert (await theirs.lives(), await ours.lives()) == (False, True)
    assert (await world.host.session(theirs))["revokedBy"] == world.host.id
    assert (await new.get("/v1/sessions")).code == "UNAUTHORIZED"
    world.clock.advance(seconds=1)
    assert (await world.host.post(f"/v1/api-keys/{new.id}/revoke", {})).json == reply.json


async def test_sessions_of_a_revoked_key_may_be_kept(world):
    new, _ = await made(world.host)
    ada = await new.mint("ada")
    assert (await world.host.post(f"/v1/api-keys/{new.id}/revoke", {"keepSessions": True})).status == 200
    assert await ada.lives()
    assert (await world.host.revoke(apiKeyId=new.id))["revoked"] == 1


async def test_keys_are_there_for_keys_that_can_manage_alone(world):
    """Though every other GET needs ``read`` only."""
    reader = await world.key(can=["read", "mint", "revoke", "verify"])
    for path in ("/v1/api-keys", f"/v1/api-keys/{world.host.id}"):
        assert (await reader.get(path)).code == "FORBIDDEN"


# When it was used last


async def test_the_last_use_is_written_once_a_minute_and_not_by_every_call(world):
    new, _ = await made(world.host)
    for _ in range(3):
        await new.mint("ada")
        world.clock.advance(seconds=1)
    assert (await shown(world.host, new.id))["lastUsedAt"] is None, "it is not written yet"
    await world.service.api_keys.write_uses()
    assert (await shown(world.host, new.id))["lastUsedAt"] == at(2)


async def test_a_use_is_told_by_the_server_that_saw_the_last_one(world):
    """Of two servers that write, the later use stays, whoever writes last."""
    new, _ = await made(world.host)
    await new.mint("ada")
    key_id = ids.decode("key", new.id)
    later = int(START) + 30
    await world.store.at_once(
        lambda tx: tx.execute("UPDATE api_keys SET last_used_at = ? WHERE id = ?", (later, key_id))
    )
    await world.service.api_keys.write_uses()
    assert (await shown(world.host, new.id))["lastUsedAt"] == at(30)


async def test_uses_that_could_not_be_written_are_written_later(world):
    new, _ = await made(world.host)
    await new.mint("ada")
    with world.store.away(), pytest.raises(Unavailable):
        await world.service.api_keys.write_uses()
    await world.service.api_keys.write_uses()
    assert (await shown(world.host, new.id))["lastUsedAt"] == at(0)


async def test_a_call_that_is_refused_for_where_it_comes_from_is_no_use(world):
    """Else a thief who may not use it would look like its owner."""
    new, _ = await made(world.host, ipRanges=["198.51.100.0/24"])
    assert (await new.get("/v1/sessions")).code == "FORBIDDEN"
    await world.service.api_keys.write_uses()
    assert (await shown(world.host, new.id))["lastUsedAt"] is None

"""``POST /v1/session-tokens``: every row of the contract's table, each bound at the bound itself."""

from __future__ import annotations

import base64
import json

import pytest

from guestpass.core import times
from guestpass.core.bounds import METADATA_BYTES_MAX, TOKEN_BYTES_MAX
from world import START

A_USER = {"externalUserId": "ada"}


def at(seconds):
    """RFC 3339 text of a moment that many seconds from the world's start."""
    return times.of_seconds(int(START) + seconds)


def claims_of(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


async def test_the_answer_has_these_fields_and_no_others(world):
    reply = await world.host.post("/v1/session-tokens", A_USER)
    answer = reply.json
    assert reply.status == 201
    assert reply.header("cache-control") == "no-store"
    assert answer == {
        "id": answer["id"],
        "sessionToken": answer["sessionToken"],
        "expiresAt": "2030-01-01T01:00:00Z",
        "expiresIn": 3600,
        "issuedAt": "2030-01-01T00:00:00Z",
        "environment": "test",
        "externalUserId": "ada",
        "allowedOperations": ["*"],
    }
    assert answer["id"].startswith("sess_")
    assert len(answer["id"]) == len("sess_") + 26
    assert answer["sessionToken"].startswith("gp_session_test_eyJ")


async def test_the_answer_repeats_what_was_asked_where_it_applies(world):
    answer = (
        await world.mint(
            "ada", externalOrganizationId="acme", notBefore=at(30), allowedOperations=["write", "read"], expiresIn=60
        )
    ).answer
    assert answer["externalOrganizationId"] == "acme"
    assert answer["notBefore"] == at(30)
    assert answer["allowedOperations"] == ["read", "write"]
    assert answer["expiresAt"] == at(60)
    assert "deniedOperations" not in answer
    assert "unresolvedCustomers" not in answer


async def test_the_token_carries_the_claims_of_the_contract_and_no_metadata(world):
    ada = await world.mint(
        "ada", externalOrganizationId="acme", notBefore=at(3), metadata={"ip": "192.0.2.1"}, maxUses=3
    )
    claims = claims_of(ada.token)
    url = "http://127.0.0.1:8787/test"
    assert claims == {
        "iss": url,
        "aud": url,
        "sub": "ada",
        "iat": int(START),
        "exp": int(START) + 3600,
        "nbf": int(START) + 3,
        "sid": ada.id,
        "jti": ada.id,
        "client_id": world.host.id,
        "project_id": world.host.issuer.project.id,
        "environment": "test",
        "scope": "*",
        "organization_id": "acme",
        "max_uses": 3,
        "status": {"status_list": claims["status"]["status_list"], "cuts": claims["status"]["cuts"]},
    }
    assert claims["status"]["status_list"]["uri"].startswith(f"{url}/status-lists/")
    assert len(claims["status"]["cuts"]) == 3, "for the user, the organization, the API key"


async def test_another_projects_token_names_its_own_issuer(world):
    grace = await world.neighbour.mint("grace")
    issuer = f"http://127.0.0.1:8787/test/{world.neighbour.issuer.project.id}"
    assert claims_of(grace.token)["iss"] == issuer
    assert claims_of(grace.token)["aud"] == issuer


async def test_a_live_key_mints_live_tokens(world):
    ada = await world.live.mint("ada")
    assert ada.answer["environment"] == "live"
    assert ada.token.startswith("gp_session_live_")


async def test_an_opaque_token_says_nothing(world):
    """26 characters of the session's id, 43 of secret, 6 of checksum."""
    ada = await world.mint("ada", format="opaque")
    body = ada.token.removeprefix("gp_session_test_")
    assert len(body) == 26 + 43 + 6
    assert body.startswith(ada.id.removeprefix("sess_"))
    assert (await ada.who_am_i())["format"] == "opaque"


ACCEPTED = {
    "the shortest user id": {"externalUserId": "a"},
    "a user id of 255 characters": {"externalUserId": "a" * 255},
    "255 characters of four bytes each": {"externalUserId": "\U0001f600" * 255},
    "an inner space": {"externalUserId": "ada lovelace"},
    "a combining accent is not composed": {"externalUserId": "e\u0301"},
    "an organization of 255 characters": A_USER | {"externalOrganizationId": "o" * 255},
    "an email": A_USER | {"email": "ada@example.com", "emailVerified": True},
    "an email of 254 characters": A_USER | {"email": "a" * 242 + "@example.com"},
    "the shortest life": A_USER | {"expiresIn": 60},
    "the longest life": A_USER | {"expiresIn": 86_400},
    "whole seconds written as a fraction": A_USER | {"expiresIn": 60.0},
    "a start exactly 60 s past": A_USER | {"notBefore": at(-60)},
    "a start one second before the end": A_USER | {"notBefore": at(3599)},
    "a start with an offset": A_USER | {"notBefore": "2030-01-01T02:00:10+02:00"},
    "no operation at all": A_USER | {"allowedOperations": []},
    "everything, said": A_USER | {"allowedOperations": ["*"]},
    "an operation of 64 characters": A_USER | {"allowedOperations": ["a" * 64]},
    "64 operations": A_USER | {"allowedOperations": [f"op{n}" for n in range(64)]},
    "1 024 bytes of operations": A_USER | {"allowedOperations": [f"{n:a>16}" for n in range(1, 65)]},
    "our own operations": A_USER | {"allowedOperations": ["guestpass.query", "guestpass.script_token"]},
    "empty metadata": A_USER | {"metadata": {}},
    "metadata of 16 KiB": A_USER | {"metadata": {"a": "x" * (METADATA_BYTES_MAX - len('{"a": ""}'))}},
    "one use": A_USER | {"maxUses": 1},
    "an opaque token": A_USER | {"format": "opaque"},
}
REFUSED = {
    "no user": ({}, "VALIDATION_ERROR", "externalUserId"),
    "an empty user id": ({"externalUserId": ""}, "VALIDATION_ERROR", "externalUserId"),
    "a user id of 256 characters": ({"externalUserId": "a" * 256}, "VALIDATION_ERROR", "externalUserId"),
    "a user id that is a number": ({"externalUserId": 7}, "VALIDATION_ERROR", "externalUserId"),
    "a user id that is null": ({"externalUserId": None}, "VALIDATION_ERROR", "externalUserId"),
    "outer white space": ({"externalUserId": " ada"}, "VALIDATION_ERROR", "externalUserId"),
    "an outer no-break space": ({"externalUserId": "ada\u00a0"}, "VALIDATION_ERROR", "externalUserId"),
    "a control character": ({"externalUserId": "a\u0000a"}, "VALIDATION_ERROR", "externalUserId"),
    "a line break": ({"externalUserId": "a\nb"}, "VALIDATION_ERROR", "externalUserId"),
    "a noncharacter": ({"externalUserId": "a\ufdd0b"}, "VALIDATION_ERROR", "externalUserId"),
    "a noncharacter of a far plane": ({"externalUserId": "a\U0010ffffb"}, "VALIDATION_ERROR", "externalUserId"),
    "an empty organization": (A_USER | {"externalOrganizationId": ""}, "VALIDATION_ERROR", "externalOrganizationId"),
    "a long organization": (A_USER | {"externalOrganizationId": "o" * 256}, "VALIDATION_ERROR", "externalOrganizationId"),
    "an organization that is null": (A_USER | {"externalOrganizationId": None}, "VALIDATION_ERROR", "externalOrganizationId"),
    "an email without @": (A_USER | {"email": "ada.example.com"}, "VALIDATION_ERROR", "email"),
    "an email of 255 characters": (A_USER | {"email": "a" * 243 + "@example.com"}, "VALIDATION_ERROR", "email"),
    "an email with a space": (A_USER | {"email": "a da@example.com"}, "VALIDATION_ERROR", "email"),
    "emailVerified as text": (A_USER | {"emailVerified": "true"}, "VALIDATION_ERROR", "emailVerified"),
    "a life of 59 s": (A_USER | {"expiresIn": 59}, "INVALID_EXPIRATION", "expiresIn"),
    "a life of a day and a second": (A_USER | {"expiresIn": 86_401}, "INVALID_EXPIRATION", "expiresIn"),
    "a life of no seconds": (A_USER | {"expiresIn": 0}, "INVALID_EXPIRATION", "expiresIn"),
    "a negative life": (A_USER | {"expiresIn": -60}, "INVALID_EXPIRATION", "expiresIn"),
    "half a second too much": (A_USER | {"expiresIn": 60.5}, "INVALID_EXPIRATION", "expiresIn"),
    "an astronomical life": (A_USER | {"expiresIn": 10**30}, "INVALID_EXPIRATION", "expiresIn"),
    "a life with an exponent": (A_USER | {"expiresIn": 1e300}, "INVALID_EXPIRATION", "expiresIn"),
    "a life as text": (A_USER | {"expiresIn": "3600"}, "VALIDATION_ERROR", "expiresIn"),
    "a life that is true": (A_USER | {"expiresIn": True}, "VALIDATION_ERROR", "expiresIn"),
    "a life that is null": (A_USER | {"expiresIn": None}, "VALIDATION_ERROR", "expiresIn"),
    "a start 61 s past": (A_USER | {"notBefore": at(-61)}, "INVALID_NOT_BEFORE", "notBefore"),
    "a start at the end": (A_USER | {"notBefore": at(3600)}, "INVALID_NOT_BEFORE", "notBefore"),
    "a start just before the end, rounded up to it": (A_USER | {"notBefore": "2030-01-01T00:59:59.5Z"}, "INVALID_NOT_BEFORE", "notBefore"),
    "a start without offset": (A_USER | {"notBefore": "2030-01-01T00:00:00"}, "INVALID_NOT_BEFORE", "notBefore"),
    "a start that is no date": (A_USER | {"notBefore": "tomorrow"}, "INVALID_NOT_BEFORE", "notBefore"),
    "a start on a 30 February": (A_USER | {"notBefore": "2030-02-30T00:00:00Z"}, "INVALID_NOT_BEFORE", "notBefore"),
    "a start in Unix seconds": (A_USER | {"notBefore": int(START)}, "VALIDATION_ERROR", "notBefore"),
    "an operation in capitals": (A_USER | {"allowedOperations": ["Read"]}, "VALIDATION_ERROR", "allowedOperations[0]"),
    "an operation of 65 characters": (A_USER | {"allowedOperations": ["a" * 65]}, "VALIDATION_ERROR", "allowedOperations[0]"),
    "an operation with a space": (A_USER | {"allowedOperations": ["read write"]}, "VALIDATION_ERROR", "allowedOperations[0]"),
    "an empty operation": (A_USER | {"allowedOperations": ["read", ""]}, "VALIDATION_ERROR", "allowedOperations[1]"),
    "an operation that is a number": (A_USER | {"allowedOperations": [1]}, "VALIDATION_ERROR", "allowedOperations[0]"),
    "a reserved operation": (A_USER | {"allowedOperations": ["guestpass.admin"]}, "VALIDATION_ERROR", "allowedOperations[0]"),
    "everything and more": (A_USER | {"allowedOperations": ["*", "read"]}, "VALIDATION_ERROR", "allowedOperations"),
    "everything twice": (A_USER | {"allowedOperations": ["*", "*"]}, "VALIDATION_ERROR", "allowedOperations"),
    "65 operations": (A_USER | {"allowedOperations": [f"op{n}" for n in range(65)]}, "VALIDATION_ERROR", "allowedOperations"),
    "1 025 bytes of operations": (A_USER | {"allowedOperations": ["b" * 17, *(f"{n:a>16}" for n in range(1, 64))]}, "VALIDATION_ERROR", "allowedOperations"),
    "operations as text": (A_USER | {"allowedOperations": "read"}, "VALIDATION_ERROR", "allowedOperations"),
    "metadata of 16 KiB and a byte": (A_USER | {"metadata": {"a": "x" * (METADATA_BYTES_MAX - len('{"a": ""}') + 1)}}, "VALIDATION_ERROR", "metadata"),
    "metadata that is an array": (A_USER | {"metadata": []}, "VALIDATION_ERROR", "metadata"),
    "metadata that is text": (A_USER | {"metadata": "{}"}, "VALIDATION_ERROR", "metadata"),
    "metadata that is null": (A_USER | {"metadata": None}, "VALIDATION_ERROR", "metadata"),
    "a format that is not": (A_USER | {"format": "paseto"}, "VALIDATION_ERROR", "format"),
    "no uses": (A_USER | {"maxUses": 0}, "VALIDATION_ERROR", "maxUses"),
    "uses as text": (A_USER | {"maxUses": "1"}, "VALIDATION_ERROR", "maxUses"),
    "half a use": (A_USER | {"maxUses": 1.5}, "VALIDATION_ERROR", "maxUses"),
    "a field of another spelling": ({"external_user_id": "ada"}, "VALIDATION_ERROR", "external_user_id"),
    "an unknown field": (A_USER | {"colour": "blue"}, "VALIDATION_ERROR", "colour"),
}  # fmt: skip


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED)
async def test_accepted(world, body):
    reply = await world.host.post("/v1/session-tokens", body)
    assert reply.status == 201, reply.body
    assert len(reply.json["sessionToken"]) <= TOKEN_BYTES_MAX
    assert reply.json["externalUserId"] == body["externalUserId"]


@pytest.mark.parametrize(("body", "code", "path"), REFUSED.values(), ids=REFUSED)
async def test_refused(world, body, code, path):
    """The code of the table, the path of the field, and a sentence; nothing is minted."""
    reply = await world.host.post("/v1/session-tokens", body)
    assert (reply.status, reply.code) == (400, code), reply.body
    assert [detail["path"] for detail in reply.json["details"]] == [path]
    assert await world.host.sessions() == []


async def test_life_is_counted_from_issue(world):
    ada = await world.mint("ada", notBefore=at(600), expiresIn=900)
    assert ada.answer["expiresIn"] == 900
    assert ada.answer["expiresAt"] == at(900)


async def test_a_start_shortly_past_becomes_now(world):
    ada = await world.mint("ada", notBefore=at(-59))
    assert ada.answer["notBefore"] == at(0)
    assert await ada.lives()


async def test_a_token_is_refused_until_its_start(world):
    """Five seconds of leeway for a start, none for an end."""
    ada = await world.mint("ada", notBefore=at(30))
    world.clock.advance(seconds=24)
    with world.refused("TOKEN_NOT_YET_VALID"):
        await ada.who_am_i()
    world.clock.advance(seconds=1)
    assert await ada.lives()


async def test_a_token_that_would_be_too_long_is_not_minted(world):
    """3 840 bytes with its prefix: what a cookie and every header takes."""
    wide = "\U0001f600" * 255
    reply = await world.host.post(
        "/v1/session-tokens",
        {
            "externalUserId": wide,
            "externalOrganizationId": wide,
            "allowedOperations": [f"{n:a>16}" for n in range(1, 65)],
        },
    )
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert str(TOKEN_BYTES_MAX) in reply.json["details"][0]["message"]
    assert await world.host.sessions() == []


async def test_metadata_is_kept_as_sent_and_shown_to_the_host_alone(world):
    """Byte for byte: no number is rounded, no member moved, no space lost."""
    sent = b'{"z": 1.10, "a":[9007199254740993 ,1e2],"\xc3\xa9":"\\u0041"}'
    body = b'{"externalUserId":"ada","metadata":  ' + sent + b"  }"
    reply = await world.host.post("/v1/session-tokens", body=body, headers={"content-type": "application/json"})
    assert sent in (await world.host.get(f"/v1/sessions/{reply.json['id']}")).body
    assert b"metadata" not in reply.body
    assert b"metadata" not in (await world.http.get("/v1/session", bearer=reply.json["sessionToken"])).body


CEILINGS = {
    "absent is all that the key may": ("read write", None, ["read", "write"], None),
    "everything is all that the key may": ("read write", ["*"], ["read", "write"], None),
    "a part is granted as it is": ("read write", ["read"], ["read"], None),
    "what lies beyond is denied and said": ("read write", ["read", "delete", "audit"], ["read"], ["audit", "delete"]),
    "nothing is nothing": ("read write", [], [], None),
    "without a ceiling all is granted": ("*", ["read"], ["read"], None),
    "a name twice is once": ("*", ["read", "read"], ["read"], None),
    "a key for nothing grants nothing when nothing is named": ("", None, [], None),
    "everything of nothing is nothing, as absent is": ("", ["*"], [], None),
}


@pytest.mark.parametrize(("ceiling", "asked", "allowed", "denied"), CEILINGS.values(), ids=CEILINGS)
async def test_operations_meet_the_keys_ceiling(world, ceiling, asked, allowed, denied):
    host = await world.key(ceiling=ceiling)
    ada = await host.mint("ada", **({} if asked is None else {"allowedOperations": asked}))
    assert ada.answer["allowedOperations"] == allowed
    assert ada.answer.get("deniedOperations") == denied
    assert claims_of(ada.token)["scope"] == " ".join(allowed)


async def test_a_request_that_the_ceiling_leaves_nothing_of_is_forbidden(world):
    host = await world.key(ceiling="read")
    with world.refused("FORBIDDEN") as refusal:
        await host.mint("ada", allowedOperations=["delete"])
    assert "delete" in refusal[0].json["message"]


async def test_a_key_revoked_between_two_requests_mints_no_more(world):
    host = await world.key()
    await host.mint("ada")
    await world.revoke_key(host)
    with world.refused("UNAUTHORIZED"):
        await host.mint("ada")


async def test_ids_of_one_session_are_never_given_twice(world):
    """In one frozen millisecond too."""
    sessions = [await world.mint("ada") for _ in range(50)]
    assert len({session.id for session in sessions}) == 50
    places = {tuple(sorted(claims_of(session.token)["status"]["status_list"].items())) for session in sessions}
    assert len(places) == 50

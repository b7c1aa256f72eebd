"""Bodies: what is read, what is refused, and that nothing sent as one ever breaks the server."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest

from guestpass.core.bounds import BODY_BYTES_MAX, METADATA_BYTES_MAX

VECTORS = Path(__file__).parents[1] / "vectors"
JSON_CASES = json.loads((VECTORS / "json-parsing/jsontestsuite.json").read_text("utf-8"))["parsing"]
NAUGHTY = json.loads((VECTORS / "strings/blns.json").read_text("utf-8"))
JSON = ("content-type", "application/json")
GOOD = b'{"externalUserId":"ada"}'
MINT = "/v1/session-tokens"

REFUSED = {
    "nothing": (b"", "", "The body is empty; send a JSON object."),
    "white space": (b"  ", "", "not JSON"),
    "an array": (b"[]", "", "must be an object"),
    "a text": (b'"ada"', "", "must be an object"),
    "null": (b"null", "", "must be an object"),
    "a member twice": (b'{"externalUserId":"ada","externalUserId":"bob"}', "externalUserId", "twice"),
    "a member twice, once escaped": (b'{"externalUserId":"ada","external\\u0055serId":"bob"}', "externalUserId", "twice"),
    "a member twice, deep in the metadata": (b'{"externalUserId":"a","metadata":{"b":[{"c":1,"c":1}]}}', "metadata.b[0].c", "twice"),
    "text after the end": (GOOD + b"x", "", "not JSON"),
    "a second object": (GOOD + GOOD, "", "not JSON"),
    "a comma too many": (b'{"externalUserId":"ada",}', "", "not JSON"),
    "a comment": (b'{"externalUserId":"ada"/**/}', "", "not JSON"),
    "single quotes": (b"{'externalUserId':'ada'}", "", "not JSON"),
    "NaN": (b'{"externalUserId":"ada","expiresIn":NaN}', "", "NaN"),
    "Infinity": (b'{"externalUserId":"ada","expiresIn":-Infinity}', "", "Infinity"),
    "a number too big": (b'{"externalUserId":"ada","expiresIn":1e999}', "", "too big"),
    "an integer of 5 000 digits": (b'{"externalUserId":"ada","expiresIn":' + b"9" * 5000 + b"}", "", "digits"),
    "half a surrogate pair": (b'{"externalUserId":"a\\ud800b"}', "externalUserId", "surrogate"),
    "half a surrogate pair in the metadata": (b'{"externalUserId":"a","metadata":{"x":["\\udfff"]}}', "metadata.x[0]", "surrogate"),
    "bytes that are not UTF-8": (b'{"externalUserId":"\xff"}', "", "UTF-8"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "", "UTF-8"),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD, "", "byte order mark"),
    "a raw line break in a text": (b'{"externalUserId":"a\nb"}', "", "not JSON"),
    "33 levels": (b'{"externalUserId":"a","metadata":' + b'{"a":' * 32 + b"1" + b"}" * 33, "", "32"),
    "a million brackets": (b"[" * 60_000, "", "32"),
    "a prototype": (b'{"externalUserId":"ada","__proto__":{"allowedOperations":["*"]}}', "__proto__", "not a field"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "path", "words"), REFUSED.values(), ids=REFUSED)
async def test_a_body_that_two_readers_could_read_differently_is_refused(world, body, path, words):
    """With the path of the field, where there is one, and a sentence that says what is wrong."""
    reply = await world.host.post(MINT, body=body, headers=[JSON])
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR"), reply.body
    assert words in reply.json["message"]
    assert [detail["path"] for detail in reply.json["details"]] == [path]
    assert await world.host.sessions() == []


WORDS = {
    "a field that is missing": ({}, "externalUserId is required."),
    "another type": ({"externalUserId": 7}, "externalUserId must be a string, not an integer."),
    "null": ({"externalUserId": None}, "externalUserId must be a string, not null."),
    "empty": ({"externalUserId": ""}, "externalUserId must not be empty."),
    "too short": ({"externalUserId": "a", "email": "@"}, "email must have at least 3 characters."),
    "too long": ({"externalUserId": "a" * 256}, "externalUserId must have at most 255 characters."),
    "a number as text": ({"externalUserId": "a", "expiresIn": "60"}, "expiresIn must be a number, not a string."),
    "too small": ({"externalUserId": "a", "maxUses": 0}, "maxUses must be an integer of at least 1."),
    "one element of many": ({"externalUserId": "a", "allowedOperations": ["a", True]}, "allowedOperations[1] must be a string, not a boolean."),
    "an unknown field": ({"user_id": "a"}, "user_id is not a field of this request."),
    "an array for a body": ([], "The body must be an object, not an array."),
}  # fmt: skip


@pytest.mark.parametrize(("body", "sentence"), WORDS.values(), ids=WORDS)
async def test_the_sentence_names_field_and_rule_in_the_words_of_json(world, body, sentence):
    assert (await world.host.post(MINT, body)).json["message"] == sentence


async def test_32_levels_are_read(world):
    body = b'{"externalUserId":"a","metadata":' + b'{"a":' * 30 + b"{}" + b"}" * 31
    assert (await world.host.post(MINT, body=body, headers=[JSON])).status == 201


async def test_a_body_of_64_kib_is_read_and_one_byte_more_is_not(world):
    fits = GOOD + b" " * (BODY_BYTES_MAX - len(GOOD))
    assert (await world.host.post(MINT, body=fits, headers=[JSON])).status == 201
    for body in (fits + b" ", [fits, b" "], [b" "] * (BODY_BYTES_MAX + 1)):
        reply = await world.host.post(MINT, body=body, headers=[JSON])
        assert (reply.status, reply.code) == (413, "PAYLOAD_TOO_LARGE")
        assert "64 KiB" in reply.json["message"]


async def test_a_length_that_is_too_large_is_refused_before_anything_is_read(world):
    for length in (str(BODY_BYTES_MAX + 1), "9" * 18):
        reply = await world.host.post(MINT, body=GOOD, headers=[JSON, ("content-length", length)])
        assert reply.code == "PAYLOAD_TOO_LARGE"


@pytest.mark.parametrize("length", ["-1", "1e3", "", "+24", "\u00b2", "9" * 5000, "23", "25"])
async def test_a_length_that_is_not_the_bodys_is_refused(world, length):
    reply = await world.host.post(MINT, body=GOOD, headers=[JSON, ("content-length", length.encode("latin-1"))])
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert await world.host.sessions() == []


async def test_a_body_in_pieces_is_one_body(world):
    pieces = [GOOD[:5], b"", GOOD[5:]]
    assert (await world.host.post(MINT, body=pieces, headers=[JSON])).status == 201


async def test_a_body_that_is_cut_off_does_nothing(world):
    """Neither where a body was awaited, nor where none was: the client has gone, and knows of nothing that was done."""
    customer = (await world.host.revoke_user("ada"))["customerId"]
    ada = await world.mint("ada")
    for method, path in (
        ("POST", MINT),
        ("POST", f"/v1/customers/{customer}/block"),
        ("DELETE", f"/v1/session-tokens/{ada.id}"),
    ):
        reply = await world.http.request(method, path, body=[], bearer=world.host.secret, headers=[JSON])
        assert reply.code == "VALIDATION_ERROR"
    assert await ada.lives()


MEDIA_TYPES = {
    "application/json": 201,
    "application/json; charset=utf-8": 201,
    'Application/JSON;charset="UTF-8"': 201,
    "application/json; charset=utf-16": 415,
    "application/json; charset=latin-1": 415,
    "application/x-www-form-urlencoded": 415,
    "text/plain": 415,
    "application/json, text/plain": 415,
    "application/jsonp": 415,
    "application/merge-patch+json": 415,
    "": 415,
}


@pytest.mark.parametrize(("media_type", "status"), MEDIA_TYPES.items(), ids=[name or "empty" for name in MEDIA_TYPES])
async def test_only_json_is_read(world, media_type, status):
    reply = await world.host.post(MINT, body=GOOD, headers=[("content-type", media_type)])
    assert reply.status == status, reply.body
    if status == 415:
        assert reply.code == "UNSUPPORTED_MEDIA_TYPE"
        assert "Content-Type: application/json" in reply.json["message"], "the header to send"


async def test_a_body_without_a_media_type_is_refused_with_the_header_to_send(world):
    reply = await world.host.post(MINT, body=GOOD)
    assert (reply.status, reply.code) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert "Content-Type: application/json" in reply.json["message"]


async def test_a_packed_body_is_refused(world):
    """No bomb is ever unpacked."""
    reply = await world.host.post(MINT, body=gzip.compress(GOOD), headers=[JSON, ("content-encoding", "gzip")])
    assert reply.code == "UNSUPPORTED_MEDIA_TYPE"
    assert "Content-Encoding" in reply.json["message"]


async def test_a_media_type_twice_is_refused(world):
    reply = await world.host.post(MINT, body=GOOD, headers=[JSON, JSON])
    assert reply.code == "VALIDATION_ERROR"
    assert "content-type" in reply.json["message"]


@pytest.mark.parametrize("body", [b"", b"{}"], ids=["nothing", "an empty object"])
@pytest.mark.parametrize("headers", [[], [JSON]], ids=["no media type", "JSON's media type"])
async def test_a_delete_may_say_json_and_send_nothing(world, body, headers):
    ada = await world.mint("ada")
    path = f"/v1/session-tokens/{ada.id}"
    assert (await world.host.delete(path, body=body, headers=headers)).status == 200


async def test_a_body_where_none_is_read_is_refused(world):
    ada = await world.mint("ada")
    reply = await world.host.delete(f"/v1/session-tokens/{ada.id}", body=b'{"reissue":true}', headers=[JSON])
    assert reply.code == "VALIDATION_ERROR"
    assert "no body" in reply.json["message"]
    assert await ada.lives()


async def test_what_was_sent_as_a_value_is_not_repeated_and_a_name_is_cut(world):
    """An error is a sentence about a field, not an echo of 60 KB."""
    for body in ({"externalUserId": "a", "format": "x" * 60_000}, {"y" * 60_000: 1}, {"externalUserId": "z" * 60_000}):
        assert len((await world.host.post(MINT, body)).body) < 1000
    assert len((await world.host.get("/v1/sessions", query="y" * 60_000 + "=1")).body) < 1000


@pytest.mark.parametrize("case", JSON_CASES, ids=lambda case: case["name"])
async def test_json_test_suite(shared_world, case):
    """As a body: refused in words. As metadata: minted only where it is strict JSON, an object, and not too large."""
    world, sent = shared_world, base64.b64decode(case["b64"])
    as_body = await world.host.post(MINT, body=sent, headers=[JSON])
    assert as_body.code in ("VALIDATION_ERROR", "PAYLOAD_TOO_LARGE")
    as_metadata = b'{"externalUserId":"ada","metadata":' + sent + b"}"
    reply = await world.host.post(MINT, body=as_metadata, headers=[JSON])
    assert reply.status in (201, 400, 413)
    assert reply.status != 201 or case["expect"] != "reject"
    if reply.status == 201:
        assert sent.strip().startswith(b"{")
        assert sent.strip() in (await world.host.get(f"/v1/sessions/{reply.json['id']}")).body
    elif case["expect"] == "accept" and sent.strip().startswith(b"{") and len(sent) <= METADATA_BYTES_MAX:
        assert "twice" in reply.json["message"], "the suite takes duplicates; we do not"


STRING_FIELDS = ["externalUserId", "externalOrganizationId", "email", "format", "notBefore", "allowedOperations", "metadata"]  # fmt: skip


@pytest.mark.parametrize("position", range(0, len(NAUGHTY), 20), ids=lambda start: f"strings {start} to {start + 19}")
async def test_naughty_strings(shared_world, position):
    """In every field, path, query and header: a mint or a sentence, never a fault; and ids come back exactly."""
    world = shared_world
    for text in NAUGHTY[position : position + 20]:
        for field in STRING_FIELDS:
            value = {"allowedOperations": [text], "metadata": {text: text}}.get(field, text)
            reply = await world.host.post(MINT, {"externalUserId": "ada"} | {field: value})
            assert reply.status in (201, 400), (field, text)
            if reply.status == 201 and field.startswith("external"):
                assert reply.json[field] == text
                shown = await world.host.get("/v1/sessions", query={field: text, "limit": 1})
                assert shown.json["data"][0]["id"] == reply.json["id"], (field, text)
            if reply.status == 201 and field == "metadata":
                assert (await world.host.get(f"/v1/sessions/{reply.json['id']}")).json["metadata"] == {text: text}
        for path in ("/v1/sessions/", "/v1/customers/", "/test/", "/"):
            assert (await world.host.get(path + text)).status in (200, 404, 405), (path, text)
        for name in ("externalUserId", "status", "limit", "cursor", text):
            assert (await world.host.get("/v1/sessions", query={name: text})).status in (200, 400), (name, text)
        for header in ("authorization", "x-request-id", "content-type", "x-api-key"):
            reply = await world.http.post(MINT, body=GOOD, headers=[(header, text)])
            assert reply.status in (400, 401, 415), (header, text)
            assert reply.header("x-request-id") == text or reply.header("x-request-id").startswith("req_")
        body = {"token": text, "operation": "read"}
        assert (await world.host.post("/v1/tokens/verify", body)).json["valid"] is False
        for selector in ("id", "externalUserId", "externalOrganizationId", "apiKeyId", "issuedBefore"):
            assert (await world.host.post("/v1/sessions/revoke", {selector: text})).status in (200, 400, 404)
        assert (await world.host.post("/v1/users/revoke", {"externalUserId": text})).status in (200, 400)
        assert (await world.http.get("/v1/session", bearer=text)).status == 401

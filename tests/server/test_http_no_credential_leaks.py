"""Mint, fail in every way, then read all that the service wrote: no credential stands anywhere but in its own answer."""

from __future__ import annotations

import traceback

import pytest

from world import World

MINT = "/v1/session-tokens"


def secret_parts(world, sessions):
    """What must not stand anywhere: whole secrets of keys, whole tokens, and the part of each that cannot be guessed."""
    parts = {}
    for name in ("host", "live", "neighbour"):
        secret = getattr(world, name).secret
        parts |= {f"the key of {name}": secret, f"the body of the key of {name}": secret.split("_")[2]}
    for session in sessions:
        token = session.token
        parts[f"the token {session.id}"] = token
        if "." in token:
            _, payload, signature = token.split(".")
            parts |= {f"the payload of {session.id}": payload, f"the signature of {session.id}": signature}
        else:
            parts[f"the secret of {session.id}"] = token[len("gp_session_test_") + 26 :]
    return parts


async def tries(world, ada):
    """Every credential in every wrong place: yields answers that must not repeat it."""
    host, http = world.host, world.http
    opaque = await world.mint("ada", format="opaque")
    for secret in (host.secret, ada.token, opaque.token, ada.token.removeprefix("gp_session_test_")):
        for field in (
            "externalUserId",
            "externalOrganizationId",
            "email",
            "format",
            "notBefore",
            "expiresIn",
            "maxUses",
            secret,
        ):
            yield await host.post(MINT, {"externalUserId": " ", field: secret + " "})
        yield await host.post(MINT, {"externalUserId": "a", "allowedOperations": [secret]})
        yield await host.post(MINT, {"externalUserId": "a", "metadata": [secret]})
        yield await host.post(MINT, body=f'{{"{secret}":1,"{secret}":2}}'.encode(), headers=[("content-type", "application/json")])  # fmt: skip
        yield await host.post(MINT, body=secret.encode(), headers=[("content-type", "application/json")])
        yield await host.post(MINT, body=secret.encode(), headers=[("content-type", secret)])
        for body in (
            {"id": secret},
            {"apiKeyId": secret},
            {"externalUserId": secret + " "},
            {"all": secret},
            {"all": True, "issuedBefore": secret},
        ):
            yield await host.post("/v1/sessions/revoke", body)
        yield await host.post("/v1/tokens/verify", {"token": "x", "operation": secret})
        yield await host.post("/v1/tokens/verify", {"token": secret[:-1], "operation": "read"})
        yield await host.post("/v1/tokens/verify", {"token": secret, "operation": "read"})
        yield await host.post("/v1/users/revoke", {"externalUserId": "ada", "block": secret})
        for path in (f"/v1/sessions/{secret}", f"/{secret}/.well-known/jwks.json", f"/{secret}"):
            yield await host.get(path)
        yield await host.get("/v1/sessions", query={"externalUserId": secret})
        yield await host.get("/v1/sessions", query={"cursor": secret})
        yield await host.get("/v1/sessions", query={secret: "1"})
        yield await host.get("/v1/sessions", headers={"x-request-id": secret})
        yield await http.request(secret[:8], "/v1/sessions", headers={"x-request-id": secret})
        for value in (f"Bearer {secret}", f"Basic {secret}", secret, f"Bearer {secret}x", f"Bearer {secret} x"):
            yield await http.get("/v1/session", headers=[("authorization", value)])
            yield await http.post("/v1/tokens/verify", {"token": secret}, headers=[("authorization", value)])
    await host.end(ada)
    yield await http.get("/v1/session", bearer=ada.token)
    yield await host.post("/v1/tokens/verify", {"token": ada.token})
    with world.store.away():
        yield await host.post(MINT, {"externalUserId": "ada"})
        yield await http.get("/v1/session", bearer=ada.token)
    for path in ("/openapi.json", "/docs", "/docs/errors", "/healthz", "/readyz", "/test/.well-known/jwks.json"):
        yield await http.get(path)
    yield await host.get("/v1/sessions")
    yield await host.get(f"/v1/sessions/{ada.id}")


async def broken_store(world):
    """A fault whose text holds a credential: the worst that a library could raise."""
    real = world.store.look_up

    async def look_up(sql, parameters=()):
        raise RuntimeError(f"near {world.host.secret!r}")

    world.store.look_up = look_up
    try:
        return await world.host.post("/v1/tokens/verify", {"token": "x"})
    finally:
        world.store.look_up = real


def written(line):
    """A log line as text, with the traceback that an exception in it would print."""
    fault = line.get("exc_info")
    return str(line) + ("".join(traceback.format_exception(fault)) if isinstance(fault, BaseException) else "")


async def test_no_credential_stands_in_an_answer_a_log_or_the_store(tmp_path):
    """The file is read as bytes, its write-ahead log too; the log before anything is redacted."""
    async with World.opened(tmp_path / "guestpass.sqlite3") as world:
        sessions = [
            ada := await world.mint("ada", metadata={"a": 1}, email="ada@example.com"),
            await world.mint("bob", format="opaque"),
            await world.live.mint("ada"),
            await world.neighbour.mint("ada", format="opaque"),
        ]
        parts = secret_parts(world, sessions)
        answers = [reply async for reply in tries(world, ada)]
        assert sum(reply.status >= 400 for reply in answers) > 100
        for reply in answers:
            text = reply.body.decode() + str(reply.headers)
            assert [name for name, part in parts.items() if part in text] == [], text
        log = "\n".join(map(written, world.log_lines))
        assert log.count("refused") > 100
        assert [name for name, part in parts.items() if part in log] == []
        files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        assert b"ada@example.com" in b"".join(files.values()), "the scan reads what was written"
        for name, content in files.items():
            assert [what for what, part in parts.items() if part.encode() in content] == [], name


async def test_what_a_fault_says_is_not_answered(world):
    """It goes to the log, and there through the redaction of the log."""
    reply = await broken_store(world)
    assert reply.code == "INTERNAL_ERROR"
    assert world.host.secret.encode() not in reply.body


@pytest.mark.parametrize("thing", ["service", "store", "app"])
async def test_nothing_prints_a_credential_when_it_is_printed(world, thing):
    ada = await world.mint("ada")
    text = repr(getattr(world, thing)) + repr(world.service.derivation) + repr(world.service.keyring)
    for secret in (world.host.secret, ada.token):
        assert secret not in text
    assert str(world.service.derivation.secret) not in text

"""``POST /v1/tokens/verify``: the checklist, explained; and nothing said before the signature holds."""

from __future__ import annotations

import pytest
from test_http_sessions import SESSION_FIELDS

from guestpass.core.tokens.check import CHECKS

NAMES = [check.name for check in CHECKS]


def failed(answer):
    return [check["check"] for check in answer["checks"] if not check["passed"]]


async def test_a_good_token_passes_every_check_in_order(world):
    ada = await world.mint("ada", metadata={"seat": 4})
    answer = await world.host.verify(ada.token)
    assert answer.keys() == {"valid", "session", "checks"}
    assert answer["valid"] is True
    assert [check["check"] for check in answer["checks"]] == NAMES
    assert all(check.keys() == {"check", "passed", "detail"} and check["detail"] for check in answer["checks"])
    assert answer["session"].keys() == SESSION_FIELDS - {"metadata"}
    assert (answer["session"]["id"], answer["session"]["status"]) == (ada.id, "active")


async def test_an_opaque_token_is_explained_alike(world):
    ada = await world.mint("ada", format="opaque")
    answer = await world.host.verify(ada.token)
    assert (answer["valid"], answer["session"]["id"]) == (True, ada.id)
    assert [check["check"] for check in answer["checks"]] == NAMES


@pytest.mark.parametrize("form", ["jwt", "opaque"])
async def test_what_ended_is_told_with_its_session(world, form):
    """Past the signature the host may know: it is his own session."""
    ada = await world.mint("ada", format=form, expiresIn=60)
    await world.host.end(ada)
    answer = await world.host.verify(ada.token)
    assert (answer["valid"], answer["code"], failed(answer)) == (False, "TOKEN_REVOKED", ["revocation"])
    assert answer["session"]["status"] == "revoked"
    world.clock.advance(seconds=60)
    answer = await world.host.verify(ada.token)
    assert answer["code"] == "TOKEN_EXPIRED", "the code is that of the first check that failed"
    assert failed(answer) == ["expiry", "revocation"]


OPERATIONS = {
    "one that it has": ("read", True),
    "one that it has not": ("write", False),
    "the beginning of one that it has": ("rea", False),
}


@pytest.mark.parametrize(("operation", "valid"), OPERATIONS.values(), ids=OPERATIONS)
async def test_an_operation_is_held_against_the_token(world, operation, valid):
    ada = await world.mint("ada", allowedOperations=["read", "audit"])
    answer = await world.host.verify(ada.token, operation=operation)
    assert answer["valid"] is valid
    assert answer.get("code") == (None if valid else "OPERATION_NOT_ALLOWED")
    assert failed(answer) == ([] if valid else ["operation"])


async def test_an_unrestricted_token_has_every_operation_and_an_empty_one_none(world):
    unrestricted, empty = await world.mint("ada"), await world.mint("ada", allowedOperations=[])
    assert (await world.host.verify(unrestricted.token, operation="anything"))["valid"] is True
    assert (await world.host.verify(empty.token, operation="anything"))["code"] == "OPERATION_NOT_ALLOWED"


@pytest.mark.parametrize("operation", ["", " ", "*", "Read", "read audit", "a" * 65, "guestpass.admin", None, 1])
async def test_an_operation_that_cannot_be_is_refused(world, operation):
    """The empty text is no operation: a token without operations must not have it."""
    ada = await world.mint("ada", allowedOperations=[])
    reply = await world.host.post("/v1/tokens/verify", {"token": ada.token, "operation": operation})
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert [detail["path"] for detail in reply.json["details"]] == ["operation"]


def changed(token, position):
    other = "A" if token[position] != "A" else "B"
    return token[:position] + other + token[position + 1 :]


NOT_OURS = {
    "nothing": (lambda _: "", "TOKEN_MISSING", "prefix"),
    "a word": (lambda _: "hello", "TOKEN_MALFORMED", "prefix"),
    "a thousand dots": (lambda _: "." * 1000, "TOKEN_MALFORMED", "prefix"),
    "4 000 bytes": (lambda t: t + "A" * 3840, "TOKEN_MALFORMED", "prefix"),
    "two parts": (lambda t: t.rpartition(".")[0], "TOKEN_MALFORMED", "shape"),
    "another signature": (lambda t: changed(t, -20), "TOKEN_SIGNATURE_INVALID", "signature"),
    "another payload": (lambda t: changed(t, -150), "TOKEN_SIGNATURE_INVALID", "signature"),
    "no signature": (lambda t: t.rpartition(".")[0] + ".", "TOKEN_SIGNATURE_INVALID", "signature"),
    "white space behind": (lambda t: t + " ", "TOKEN_MALFORMED", "shape"),
    "the live prefix": (lambda t: t.replace("_test_", "_live_"), "TOKEN_ENVIRONMENT_MISMATCH", "prefix"),
    "a refresh token": (lambda _: "gp_refresh_test_" + "a" * 60, "TOKEN_TYPE_MISMATCH", "prefix"),
    "an API key": (lambda _: "sk_test_" + "a" * 49, "TOKEN_MALFORMED", "prefix"),
}


@pytest.mark.parametrize(("make", "code", "check"), NOT_OURS.values(), ids=NOT_OURS)
async def test_a_token_that_is_not_ours_ends_the_list_at_the_first_gate(world, make, code, check):
    """Nothing about state or session is said or looked up."""
    ada = await world.mint("ada")
    await world.host.verify(ada.token)
    with world.store.watched() as look_ups:
        answer = await world.host.verify(make(ada.token))
    assert (answer["valid"], answer["code"]) == (False, code)
    assert answer.keys() == {"valid", "code", "remedy", "checks"}
    assert failed(answer) == [check]
    assert answer["checks"][-1]["check"] == check
    assert [sql for sql in look_ups if "api_keys" not in sql] == []


async def test_the_unprefixed_token_of_the_default_format_is_the_same_token(world):
    ada = await world.mint("ada")
    assert (await world.host.verify(ada.token.removeprefix("gp_session_test_")))["valid"] is True


@pytest.mark.parametrize("form", ["jwt", "opaque"])
async def test_a_foreign_token_tells_nothing_but_that_it_is_foreign(world, form):
    """Another environment and another project: a code, and not a word about session or state, alive or dead."""
    for host, code in (
        (world.live, "TOKEN_ENVIRONMENT_MISMATCH"),
        (world.neighbour, "TOKEN_PROJECT_MISMATCH" if form == "jwt" else "TOKEN_SIGNATURE_INVALID"),
    ):
        grace = await host.mint("grace", format=form)
        alive = await world.host.verify(grace.token)
        await host.end(grace)
        dead = await world.host.verify(grace.token)
        assert alive == dead
        assert (alive["valid"], alive["code"]) == (False, code)
        assert "session" not in alive
        assert "revocation" not in [check["check"] for check in alive["checks"]]
        assert grace.id not in str(alive)


async def test_an_unknown_opaque_token_and_a_wrong_secret_look_alike(world):
    ada, bob = await world.mint("ada", format="opaque"), await world.mint("bob", format="opaque")
    await world.store.at_once(lambda tx: tx.execute("DELETE FROM opaque_tokens WHERE session_id = (SELECT max(session_id) FROM opaque_tokens)"))  # fmt: skip
    answers = [await world.host.verify(session.token) for session in (ada, bob)]
    unknown = next(answer for answer in answers if not answer["valid"])
    known = next(session for session, answer in zip((ada, bob), answers, strict=True) if answer["valid"])
    await world.store.at_once(lambda tx: tx.execute("UPDATE opaque_tokens SET token_hash = zeroblob(32)"))
    assert await world.host.verify(known.token) == unknown
    assert unknown["code"] == "TOKEN_SIGNATURE_INVALID"


async def test_state_is_looked_up_only_for_a_signature_that_holds(world):
    """On the browser's route too: a forged JWT costs no look-up of sessions, cuts or revocations."""
    ada = await world.mint("ada")
    assert await ada.lives()
    for forged in (changed(ada.token, -20), changed(ada.token, -150), changed(ada.token, 30), ada.token[:-1]):
        with world.store.watched() as look_ups:
            assert (await world.http.get("/v1/session", bearer=forged)).status == 401
        assert [sql for sql in look_ups if "projects" not in sql] == [], "the issuer may be looked up, nothing else"
    with world.store.watched() as look_ups:
        assert await ada.lives()
    assert any("sessions" in sql for sql in look_ups), "what holds is looked up: the watch works"


async def test_verify_does_not_need_a_use(world):
    """``maxUses`` counts elsewhere: explaining a token does not use it up."""
    ada = await world.mint("ada", maxUses=1)
    for _ in range(3):
        assert (await world.host.verify(ada.token))["valid"] is True
        assert await ada.lives()


async def test_a_token_whose_session_was_purged_is_refused(world):
    """A good signature without a session: fails closed."""
    ada = await world.mint("ada")
    await world.store.at_once(lambda tx: tx.execute("DELETE FROM sessions"))
    answer = await world.host.verify(ada.token)
    assert (answer["valid"], answer["code"]) == (False, "TOKEN_REVOKED")
    assert "session" not in answer
    with world.refused("TOKEN_REVOKED"):
        await ada.who_am_i()

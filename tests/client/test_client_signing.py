"""Signed mode: what is sent can be checked by whoever holds the secret, and the secret itself stays at home."""

import hashlib
import hmac
import logging
import re

import httpx2
import pytest
from scripted_service import LISTED, MINTED, SECRET_KEY, SESSION_ID, refusal, reply

from guestpass.client import AsyncGuestpass, Guestpass
from guestpass.errors import RequestReplayed, ValidationFailed

KEY_ID = "key_01jd9x3m5n7p8q9r0s1t2v3w4x"
MINT = reply(201, MINTED)
LIST = reply(200, {"data": [LISTED], "nextCursor": None})


@pytest.fixture
def signer(host):
    return host.client(signing_key_id=KEY_ID)


def signed_text(request):
    """The canonical text as the contract writes it, from what came off the wire."""
    heard = request.headers
    third = ".".join(heard[name] for name in ("x-api-timestamp", "x-api-nonce", "idempotency-key") if name in heard)
    head = [request.method, request.url.raw_path.decode(), third, heard.get("content-type", "")]
    return "\n".join([*head, ""]).encode() + request.content


def holds(request):
    expected = hmac.new(SECRET_KEY.encode(), signed_text(request), hashlib.sha256).hexdigest()
    return request.headers["x-api-signature"] == expected


CALLS = {
    "mint": (lambda gp: gp.create_session_token(external_user_id="zoë 🦉", metadata={"note": "a\nb"}), MINT),
    "get": (lambda gp: gp.sessions.get(SESSION_ID), reply(200, LISTED)),
    "end": (lambda gp: gp.revoke_session_token(SESSION_ID), reply(200, {"id": SESSION_ID, "revokedAt": "2026-01-01T00:00:00Z"})),
    "verify": (lambda gp: gp.tokens.verify("eyJ.x.y"), reply(200, {"valid": False, "checks": []})),
}  # fmt: skip


@pytest.mark.parametrize(("call", "answer"), CALLS.values(), ids=CALLS)
def test_every_call_is_signed_as_it_is_sent(host, service, signer, call, answer):
    service.will(answer)
    host.do(call, gp=signer)
    assert holds(service.last)
    assert service.last.headers["x-api-key"] == KEY_ID
    assert service.last.headers["x-api-timestamp"] == str(int(host.now))


EVERY_SIGN = "".join(chr(code) for code in range(0x20, 0x7F)) + "ë🦉\u2028"


BASES = {
    "plain": "http://guestpass.test",
    "dot segments": "http://guestpass.test/a/../b/./c",
    "signs that are encoded on the wire": 'http://guestpass.test/{x}|"y"',
    "encoded already, in both cases": "http://guestpass.test/%7e%7E%c3%AB",
    "capitals and a default port": "http://GUESTPASS.test:80/",
}


@pytest.mark.parametrize("base_url", BASES.values(), ids=BASES)
def test_path_and_query_are_signed_in_the_spelling_of_the_wire(host, service, base_url):
    """Whatever the transport makes of an address: the signature covers what it sends."""
    service.will(LIST)
    host.gp = host.client(signing_key_id=KEY_ID, base_url=base_url)
    assert host.all(lambda gp: gp.sessions.list(external_user_id=EVERY_SIGN, limit=20))
    assert holds(service.last)
    assert service.last.url.params["externalUserId"] == EVERY_SIGN


def test_the_secret_never_travels(host, service, signer):
    host.do(lambda gp: gp.create_session_token(external_user_id="user_42"), gp=signer)
    sent = b"".join((str(service.last.url).encode(), repr(service.last.headers.raw).encode(), service.last.content))
    assert "authorization" not in service.last.headers
    assert SECRET_KEY.encode() not in sent
    assert SECRET_KEY not in repr(signer)


def test_each_try_has_a_nonce_and_a_time_of_its_own_and_one_idempotency_key(host, service, signer):
    """So a try whose answer was lost is neither a replay nor a second session."""

    def answer_later(request):
        host.now += 7
        return original(request)

    original, service.answer = service.answer, answer_later
    signer = host.client(signing_key_id=KEY_ID)
    service.will(httpx2.ReadTimeout(""), refusal(503, "UNAVAILABLE"), MINT)
    host.do(lambda gp: gp.create_session_token(external_user_id="user_42"), gp=signer)
    assert all(holds(request) for request in service.requests)
    assert len(set(service.heard("x-api-nonce"))) == 3
    assert len(set(service.heard("x-api-signature"))) == 3
    assert len(set(service.heard("idempotency-key"))) == 1
    assert service.heard("x-api-timestamp") == ["1800000000", "1800000007", "1800000014"]


def test_nonces_are_of_the_form_that_servers_take_and_never_the_same(host, service, signer):
    for _ in range(50):
        host.do(lambda gp: gp.create_session_token(external_user_id="user_42"), gp=signer)
    nonces = service.heard("x-api-nonce")
    assert len(set(nonces)) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{16,64}", nonce) for nonce in nonces)


def test_a_replay_is_a_typed_error_and_is_not_tried_again(host, service, signer):
    service.will(refusal(401, "REQUEST_REPLAYED"))
    with pytest.raises(RequestReplayed):
        host.do(lambda gp: gp.create_session_token(external_user_id="user_42"), gp=signer)
    assert len(service.requests) == 1


WRONG_IDS = {"the secret": SECRET_KEY, "empty": "", "another kind of id": SESSION_ID, "a header in it": "key_1\r\nX: y"}


@pytest.mark.parametrize("kind", [Guestpass, AsyncGuestpass])
@pytest.mark.parametrize("key_id", WRONG_IDS.values(), ids=WRONG_IDS)
def test_what_is_no_key_id_is_named_and_not_repeated(kind, key_id):
    with pytest.raises(ValidationFailed, match="signing_key_id must be the id of an API key") as refused:
        kind(SECRET_KEY, signing_key_id=key_id)
    assert SECRET_KEY not in str(refused.value)


def test_no_secret_is_logged(host, signer, caplog):
    caplog.set_level(logging.DEBUG)
    host.do(lambda gp: gp.create_session_token(external_user_id="user_42"), gp=signer)
    assert SECRET_KEY not in caplog.text

"""``new WebSocket(url, ["guestpass", token])``: a browser can send no header there, and an address is no place for it."""

import adapter_apps
import pytest

WEBSOCKETS = ["asgi", "fastapi", "litestar", "starlette"]


@pytest.fixture(params=WEBSOCKETS)
def made(request, issuer):
    return adapter_apps.MAKERS[request.param](issuer.verifier())


def test_a_good_token_is_let_in_and_the_subprotocol_is_answered(api, issuer):
    token = issuer.mint("user_42", operations=["read_invoices"])
    accept, close = api.websocket("/live", subprotocols=["guestpass", token])
    assert (accept["type"], accept["subprotocol"]) == ("websocket.accept", "guestpass")
    assert close["reason"] == "user_42"
    assert token not in str([accept, close])


def test_a_client_that_can_send_a_header_may_do_so(api, issuer):
    accept, close = api.websocket("/live", headers=[("authorization", f"Bearer {issuer.mint('user_42')}")])
    assert (accept["type"], accept.get("subprotocol"), close["reason"]) == ("websocket.accept", None, "user_42")


@pytest.mark.parametrize(
    ("subprotocols", "code"),
    [
        ([], "TOKEN_MISSING"), (["guestpass"], "TOKEN_MISSING"), (["chat", "guestpass"], "TOKEN_MISSING"),
        (["guestpass", "nonsense"], "TOKEN_MALFORMED"), (["guestpass", "guestpass"], "TOKEN_MALFORMED"),
        (["guestpass", "chat", "{token}"], "TOKEN_MALFORMED"), (["{token}", "guestpass"], "TOKEN_MISSING"),
        (["Guestpass", "{token}"], "TOKEN_MISSING"), (["{token}"], "TOKEN_MISSING"),
    ],
)  # fmt: skip
def test_all_else_is_refused_before_it_is_accepted(api, issuer, subprotocols, code):
    token = issuer.mint()
    [close] = api.websocket("/live", subprotocols=[text.format(token=token) for text in subprotocols])
    assert (close["type"], close["code"], close["reason"]) == ("websocket.close", 1008, code)


def test_a_token_without_the_operation_is_refused(api, issuer):
    [close] = api.websocket("/live", subprotocols=["guestpass", issuer.mint(operations=["pay_invoices"])])
    assert (close["code"], close["reason"]) == (1008, "OPERATION_NOT_ALLOWED")


def test_a_token_in_the_url_is_not_read(api, issuer):
    [close] = api.websocket("/live", query=f"token={issuer.mint()}")
    assert close["reason"] == "TOKEN_MISSING"


def test_two_tokens_are_refused_though_both_are_good(api, issuer):
    headers = [("authorization", f"Bearer {issuer.mint()}")]
    [close] = api.websocket("/live", subprotocols=["guestpass", issuer.mint()], headers=headers)
    assert close["reason"] == "TOKEN_MALFORMED"


def test_where_the_issuer_is_away_a_client_is_told_to_come_back(api, issuer):
    with issuer.service.away():
        [close] = api.websocket("/live", subprotocols=["guestpass", issuer.mint()])
    assert (close["code"], close["reason"]) == (1013, "UNAVAILABLE")


def test_a_refusal_is_one_line(api, issuer, log):
    token = issuer.mint(operations=[])
    api.websocket("/live", subprotocols=["guestpass", token], headers=[("x-request-id", "req_9")])
    [line] = log.records
    assert (line.code, line.session, line.request_id) == ("OPERATION_NOT_ALLOWED", issuer.session_id(token), "req_9")
    assert token not in log.text


@pytest.mark.parametrize(
    ("chosen", "answered"),
    [(None, "guestpass"), ("chat", "chat"), ("guestpass", "guestpass"), ("{token}", "guestpass"), ("x", "guestpass")],
)
def test_an_application_may_choose_another_subprotocol_and_never_the_token(issuer, chosen, answered):
    auth = adapter_apps.guestpass.asgi.SessionAuth(issuer.verifier())
    token = issuer.mint()

    @auth.require()
    async def app(_scope, _receive, send):
        await send({"type": "websocket.accept", "subprotocol": chosen and chosen.format(token=token)})

    offered = ["guestpass", token, "chat"]
    [accept] = adapter_apps.AsgiCaller(app).websocket("/live", subprotocols=offered)
    assert accept["subprotocol"] == answered

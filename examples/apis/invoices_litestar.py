"""An API in Litestar that shows a user his own invoices, and lets him pay them.

pip install guestpass litestar uvicorn websockets
GUESTPASS_ISSUER=http://127.0.0.1:8787/test python invoices_litestar.py
curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8001/invoices
"""

import os
from typing import Any

import uvicorn
from litestar import Litestar, Request, WebSocket, get, post, websocket
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from guestpass.litestar import Session, SessionAuth

auth = SessionAuth()  # reads GUESTPASS_ISSUER

INVOICES = {"user_42": {7: {"number": 7, "amount": "129.00", "paid": False}}}


@get("/invoices", guards=[auth.require("read_invoices")])
async def invoices(request: Request[Any, Session, Any]) -> list[dict[str, object]]:
    return list(INVOICES.get(request.auth.user_id, {}).values())


@post("/invoices/{number:int}/pay", guards=[auth.require("pay_invoices")], status_code=200)
async def pay(request: Request[Any, Session, Any], number: FromPath[int]) -> dict[str, object]:
    invoice = INVOICES.get(request.auth.user_id, {}).get(number)
    if invoice is None:
        raise NotFoundException
    invoice["paid"] = True
    return invoice


@get("/hello")
async def hello(request: Request[Any, Any, Any]) -> dict[str, str]:
    session = await auth.optional(request)
    return {"hello": session.user_id if session else "stranger"}


@websocket("/live", guards=[auth.require("read_invoices")])
async def live(socket: WebSocket[Any, Session, Any]) -> None:
    """In the page: ``new WebSocket(url, ["guestpass", token])``."""
    await socket.accept()
    await socket.send_json({"invoices": len(INVOICES.get(socket.auth.user_id, {}))})
    await socket.close()


app = Litestar([invoices, pay, hello, live], on_app_init=[auth.on_app_init])

if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8001")))

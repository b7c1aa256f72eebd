"""An API in Starlette, protected as any ASGI application is, that shows a user his own invoices, and lets him pay them.

pip install guestpass starlette uvicorn websockets
GUESTPASS_ISSUER=http://127.0.0.1:8787/test python invoices_asgi.py
curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8001/invoices
"""

import os

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from guestpass.asgi import SessionAuth

auth = SessionAuth()  # reads GUESTPASS_ISSUER

INVOICES = {"user_42": {7: {"number": 7, "amount": "129.00", "paid": False}}}


async def invoices(request: Request) -> Response:
    return JSONResponse(list(INVOICES.get(auth.session(request.scope).user_id, {}).values()))


async def pay(request: Request) -> Response:
    invoice = INVOICES.get(auth.session(request.scope).user_id, {}).get(request.path_params["number"])
    if invoice is None:
        raise HTTPException(404)
    invoice["paid"] = True
    return JSONResponse(invoice)


async def hello(request: Request) -> Response:
    session = await auth.optional(request.scope)
    return JSONResponse({"hello": session.user_id if session else "stranger"})


async def live(websocket: WebSocket) -> None:
    """In the page: ``new WebSocket(url, ["guestpass", token])``."""
    await websocket.accept()
    await websocket.send_json({"invoices": len(INVOICES.get(auth.session(websocket.scope).user_id, {}))})
    await websocket.close()


readers, payers = [Middleware(auth.require("read_invoices"))], [Middleware(auth.require("pay_invoices"))]

app = Starlette(
    routes=[
        Route("/invoices", invoices, middleware=readers),
        Route("/invoices/{number:int}/pay", pay, methods=["POST"], middleware=payers),
        Route("/hello", hello),
        WebSocketRoute("/live", live, middleware=readers),
    ]
)

if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8001")))

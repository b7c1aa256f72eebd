"""An API in FastAPI that shows a user his own invoices, and lets him pay them.

pip install guestpass fastapi uvicorn websockets
GUESTPASS_ISSUER=http://127.0.0.1:8787/test python invoices_fastapi.py
curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8001/invoices
"""

import os
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, WebSocket

from guestpass.fastapi import Session, SessionAuth

auth = SessionAuth()  # reads GUESTPASS_ISSUER
app = FastAPI()
auth.install(app)

Reader = Annotated[Session, Depends(auth.require("read_invoices"))]
Payer = Annotated[Session, Depends(auth.require("pay_invoices"))]

INVOICES = {"user_42": {7: {"number": 7, "amount": "129.00", "paid": False}}}


@app.get("/invoices")
async def invoices(session: Reader) -> list[dict[str, object]]:
    return list(INVOICES.get(session.user_id, {}).values())


@app.post("/invoices/{number}/pay")
async def pay(number: int, session: Payer) -> dict[str, object]:
    invoice = INVOICES.get(session.user_id, {}).get(number)
    if invoice is None:
        raise HTTPException(404)
    invoice["paid"] = True
    return invoice


@app.get("/hello")
async def hello(session: Annotated[Session | None, Depends(auth.optional)]) -> dict[str, str]:
    return {"hello": session.user_id if session else "stranger"}


@app.websocket("/live")
async def live(websocket: WebSocket, session: Reader) -> None:
    """In the page: ``new WebSocket(url, ["guestpass", token])``."""
    await websocket.accept()
    await websocket.send_json({"invoices": len(INVOICES.get(session.user_id, {}))})
    await websocket.close()


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8001")))

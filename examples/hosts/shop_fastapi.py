"""A shop in FastAPI that keeps its customers' sessions in a cookie of its own; it asks nobody for a password.

pip install guestpass fastapi uvicorn
GUESTPASS_SECRET_KEY=sk_test_… python shop_fastapi.py
curl -c jar -b jar -X POST http://127.0.0.1:8001/sign-in/user_42
curl -c jar -b jar http://127.0.0.1:8001/api/session
"""

import os
import secrets

import uvicorn
from fastapi import FastAPI, Request, Response

from guestpass import AsyncGuestpass
from guestpass.fastapi import session_routes

gp = AsyncGuestpass(timeout_seconds=3, max_retries=1)  # a page waits for the answer
app = FastAPI()
SIGNED_IN: dict[str, str] = {}


async def get_user(request: Request) -> str | None:
    return SIGNED_IN.get(request.cookies.get("shop", ""))


app.include_router(session_routes(gp, get_user), prefix="/api")


@app.post("/sign-in/{user}")
async def sign_in(user: str, response: Response) -> dict[str, str]:
    login = secrets.token_urlsafe()
    SIGNED_IN[login] = user
    response.set_cookie("shop", login, httponly=True, samesite="lax")
    return {"signedIn": user}


@app.post("/sign-out")
async def sign_out(request: Request) -> dict[str, str]:
    """The page calls ``POST /api/session/end`` first: it has the CSRF token."""
    SIGNED_IN.pop(request.cookies.get("shop", ""), None)
    return {}


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8001")))

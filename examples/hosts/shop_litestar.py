"""A shop in Litestar that keeps its customers' sessions in a cookie of its own; it asks nobody for a password.

pip install guestpass litestar uvicorn
GUESTPASS_SECRET_KEY=sk_test_… python shop_litestar.py
curl -c jar -b jar -X POST http://127.0.0.1:8001/sign-in/user_42
curl -c jar -b jar http://127.0.0.1:8001/api/session
"""

import os
import secrets
from typing import Any

import uvicorn
from litestar import Litestar, Request, Response, Router, post
from litestar.datastructures import Cookie
from litestar.params import FromPath

from guestpass import AsyncGuestpass
from guestpass.litestar import session_routes

gp = AsyncGuestpass(timeout_seconds=3, max_retries=1)  # a page waits for the answer
SIGNED_IN: dict[str, str] = {}


async def get_user(request: Request[Any, Any, Any]) -> str | None:
    return SIGNED_IN.get(request.cookies.get("shop", ""))


@post("/sign-in/{user:str}", status_code=200)
async def sign_in(user: FromPath[str]) -> Response[dict[str, str]]:
    login = secrets.token_urlsafe()
    SIGNED_IN[login] = user
    return Response({"signedIn": user}, cookies=[Cookie("shop", value=login, httponly=True, samesite="lax")])


@post("/sign-out", status_code=200)
async def sign_out(request: Request[Any, Any, Any]) -> dict[str, str]:
    """The page calls ``POST /api/session/end`` first: it has the CSRF token."""
    SIGNED_IN.pop(request.cookies.get("shop", ""), None)
    return {}


app = Litestar([Router("/api", route_handlers=[session_routes(gp, get_user)]), sign_in, sign_out])

if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8001")))

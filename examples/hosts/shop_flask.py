"""A shop in Flask that keeps its customers' sessions in a cookie of its own; it asks nobody for a password.

pip install guestpass flask
GUESTPASS_SECRET_KEY=sk_test_… python shop_flask.py
curl -c jar -b jar -X POST http://127.0.0.1:8001/sign-in/user_42
curl -c jar -b jar http://127.0.0.1:8001/api/session
"""

import os
import secrets

from flask import Flask, Request, session

from guestpass import Guestpass
from guestpass.flask import session_routes

gp = Guestpass(timeout_seconds=3, max_retries=1)  # a page waits for the answer
app = Flask(__name__)
app.secret_key = secrets.token_bytes()
app.config["SESSION_COOKIE_SAMESITE"] = "Lax"


def get_user(_: Request) -> str | None:
    return session.get("user")


app.register_blueprint(session_routes(gp, get_user), url_prefix="/api")


@app.post("/sign-in/<user>")
def sign_in(user: str) -> dict[str, str]:
    session["user"] = user
    return {"signedIn": user}


@app.post("/sign-out")
def sign_out() -> dict[str, str]:
    """The page calls ``POST /api/session/end`` first: it has the CSRF token."""
    session.clear()
    return {}


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "8001")))

"""An API without a framework that shows a user his own invoices, and lets him pay them: WSGI and the standard library.

pip install guestpass
GUESTPASS_ISSUER=http://127.0.0.1:8787/test python invoices_wsgi.py
curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8001/invoices
"""

import json
import os
import re
from collections.abc import Iterable
from wsgiref.simple_server import make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from guestpass.wsgi import SessionAuth

auth = SessionAuth()  # reads GUESTPASS_ISSUER

INVOICES = {"user_42": {7: {"number": 7, "amount": "129.00", "paid": False}}}


def answer(start_response: StartResponse, status: str, value: object) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(value).encode()]


@auth.require("read_invoices")
def invoices(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    own = INVOICES.get(auth.session(environ).user_id, {})
    return answer(start_response, "200 OK", list(own.values()))


@auth.require("pay_invoices")
def pay(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    number = int(environ["PATH_INFO"].split("/")[2])
    invoice = INVOICES.get(auth.session(environ).user_id, {}).get(number)
    if invoice is None:
        return answer(start_response, "404 Not Found", {})
    invoice["paid"] = True
    return answer(start_response, "200 OK", invoice)


def hello(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    session = auth.optional(environ)
    return answer(start_response, "200 OK", {"hello": session.user_id if session else "stranger"})


ROUTES = {r"GET /invoices": invoices, r"POST /invoices/[0-9]{1,9}/pay": pay, r"GET /hello": hello}


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    asked = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    for pattern, handler in ROUTES.items():
        if re.fullmatch(pattern, asked):
            return handler(environ, start_response)
    return answer(start_response, "404 Not Found", {})


if __name__ == "__main__":
    make_server("127.0.0.1", int(os.environ.get("PORT", "8001")), application).serve_forever()

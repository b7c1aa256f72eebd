"""An API in Flask that shows a user his own invoices, and lets him pay them.

pip install guestpass flask
GUESTPASS_ISSUER=http://127.0.0.1:8787/test python invoices_flask.py
curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8001/invoices
"""

import os

from flask import Flask, abort

from guestpass.flask import SessionAuth

auth = SessionAuth()  # reads GUESTPASS_ISSUER
app = Flask(__name__)

INVOICES = {"user_42": {7: {"number": 7, "amount": "129.00", "paid": False}}}


@app.get("/invoices")
@auth.require("read_invoices")
def invoices() -> list[dict[str, object]]:
    return list(INVOICES.get(auth.session().user_id, {}).values())


@app.post("/invoices/<int:number>/pay")
@auth.require("pay_invoices")
def pay(number: int) -> dict[str, object]:
    invoice = INVOICES.get(auth.session().user_id, {}).get(number)
    if invoice is None:
        abort(404)
    invoice["paid"] = True
    return invoice


@app.get("/hello")
def hello() -> dict[str, str]:
    session = auth.optional()
    return {"hello": session.user_id if session else "stranger"}


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "8001")))

"""What is Flask's own: decorators of any view, blueprints, its handlers of errors."""

import flask
import pytest
from adapter_calls import WsgiCaller
from flask.views import MethodView

from guestpass.errors import ValidationFailed
from guestpass.flask import SessionAuth


@pytest.fixture
def auth(issuer):
    return SessionAuth(issuer.verifier())


@pytest.fixture
def app():
    return flask.Flask("invoices")


def test_a_blueprint_is_protected_whole(app, auth, issuer):
    blueprint = flask.Blueprint("invoices", __name__)

    @blueprint.before_request
    @auth.require("read_invoices")
    def only_with_a_token():
        pass

    @blueprint.get("/invoices")
    def invoices():
        return {"user": auth.session().user_id}

    app.register_blueprint(blueprint)
    api = WsgiCaller(app)
    assert (api.get("/invoices").code, api.get("/invoices", issuer.mint("ada")).json) == (
        "TOKEN_MISSING", {"user": "ada"},
    )  # fmt: skip


def test_a_class_based_view_is_protected_by_its_decorators(app, auth, issuer):
    class Invoices(MethodView):
        decorators = (auth.require("read_invoices"),)

        def get(self):
            return auth.session().user_id

    app.add_url_rule("/invoices", view_func=Invoices.as_view("invoices"))
    api = WsgiCaller(app)
    assert (api.get("/invoices").status, api.get("/invoices", issuer.mint("ada")).body) == (401, b"ada")


def test_a_view_may_be_async(app, auth, issuer):
    """Flask runs it as it runs all of them."""

    @app.get("/invoices/<number>")
    @auth.require("read_invoices")
    async def invoice(number):
        return number

    api = WsgiCaller(app)
    assert (api.get("/invoices/7").status, api.get("/invoices/7", issuer.mint()).body) == (401, b"7")


def test_a_handler_of_errors_of_the_application_does_not_get_in_between(app, auth):
    app.register_error_handler(401, lambda _: ("<h1>Sign in</h1>", 401))
    app.add_url_rule("/invoices", view_func=auth.require()(lambda: "all of them"))
    assert WsgiCaller(app).get("/invoices").code == "TOKEN_MISSING"


def test_a_decorator_without_its_call_is_found_at_once(auth):
    """It would decorate nothing."""
    with pytest.raises(ValidationFailed, match=r"write @auth\.require"):

        @auth.require
        def invoices():
            return "all of them"

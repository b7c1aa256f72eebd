"""The description of the API: valid, whole, and true of every answer that a machine can think of asking for."""

from __future__ import annotations

import asyncio
import threading
from urllib.parse import unquote, urlsplit

import hypothesis
import pytest
import requests
import schemathesis
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

from guestpass.errors import ERRORS
from http_caller import BASE_URL
from world import World

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
REQUEST_FIELDS = {"method", "url", "headers", "params", "data", "json", "cookies", "files"}


@pytest.fixture
async def description(world):
    return (await world.http.get("/openapi.json")).json


def test_it_is_openapi_3_1(running):
    description = running.get("/openapi.json")
    assert description["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(description).validate()


async def test_every_route_stands_in_it_with_its_codes(world, description):
    served = {(route.path, "get" if route.is_proxied else route.method.lower()) for route in world.app.routes.routes}
    described = {(path, method) for path, methods in description["paths"].items() for method in methods}
    assert described == served
    assert description["servers"] == [{"url": BASE_URL}]
    operations = [operation for methods in description["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        text = str(operation["responses"])
        assert [code for code in ERRORS if f"`{code}`" in text], operation["operationId"]


async def test_bodies_take_no_field_that_is_not_named(description):
    schemas = description["components"]["schemas"]
    for methods in description["paths"].values():
        for operation in methods.values():
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:  # of a form what is not known is ignored (RFC 6749 section 3.2)
                schema = content["application/json"]["schema"]
                assert schemas[schema["$ref"].rpartition("/")[2]]["additionalProperties"] is False


async def test_bounds_are_written_where_clients_read_them(description):
    fields = description["components"]["schemas"]["MintRequest"]["properties"]
    assert (fields["externalUserId"]["minLength"], fields["externalUserId"]["maxLength"]) == (1, 255)
    assert (fields["expiresIn"]["type"], fields["expiresIn"]["default"]) == ("integer", 3600)
    limit = next(p for p in description["paths"]["/v1/sessions"]["get"]["parameters"] if p["name"] == "limit")
    assert (limit["schema"]["minimum"], limit["schema"]["maximum"], limit["schema"]["default"]) == (1, 100, 20)


async def test_an_error_fits_its_own_schema(world, description):
    schema = description["components"]["schemas"]["ErrorBody"]
    reply = await world.host.post("/v1/session-tokens", {})
    document = {"$ref": "#/components/schemas/ErrorBody", "components": description["components"]}
    Draft202012Validator(document).validate(reply.json)
    assert set(schema["required"]) == {"code", "message", "docUrl", "requestId"}


class Running:
    """A world on a loop of its own, for callers that know no ``await``."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._opened = World.opened()
        self.world = self.wait(self._opened.__aenter__())
        self.ada = self.wait(self.world.mint("ada"))

    def wait(self, call):
        return asyncio.run_coroutine_threadsafe(call, self._loop).result(30)

    def get(self, path):
        return self.wait(self.world.http.get(path)).json

    def answer(self, request):
        """Send what ``requests`` has prepared, as a server would hand it on."""
        url = urlsplit(request.url)
        body = request.body.encode() if isinstance(request.body, str) else request.body
        reply = self.wait(
            self.world.http.request(
                request.method, unquote(url.path), query=url.query, body=body, headers=list(request.headers.items())
            )
        )
        headers = {name: [value] for name, value in reply.headers}
        return schemathesis.Response(reply.status, headers, reply.body, request, elapsed=0.0, verify=False)

    def close(self):
        self.wait(self._opened.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="module")
def running():
    running = Running()
    yield running
    running.close()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=["as described", "against the description"])
def test_whatever_is_sent_the_answer_is_as_described(running, mode):
    """No server error; status, media type and body as the description says. Tried on every operation."""
    description = schemathesis.openapi.from_dict(running.get("/openapi.json"))
    tried = 0
    for result in description.get_all_operations():
        operation = result.ok()
        if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
            continue  # nothing to send that would break it
        _try(running, operation, mode)
        tried += 1
    assert tried >= (5 if mode is GenerationMode.NEGATIVE else 20)


def _try(running, operation, mode):
    @hypothesis.settings(
        max_examples=12,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(operation.as_strategy(generation_mode=mode))
    def any_request(case):
        secret = running.ada.token if case.path == "/v1/session" else running.world.host.secret
        kwargs = case.as_transport_kwargs(base_url=BASE_URL, headers={"authorization": f"Bearer {secret}"})
        request = requests.Request(**{k: v for k, v in kwargs.items() if k in REQUEST_FIELDS}).prepare()
        case.validate_response(running.answer(request), checks=CHECKS)

    any_request()

"""OpenTelemetry: a span a request, without anything that was sent; nothing at all where nobody asks for it."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading

import pytest
import structlog
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from guestpass.server.operate import tracing
from guestpass.server.operate.spans import Spans

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
async def spans(world):
    """The spans of a world's requests, as they are made."""
    exporter = InMemorySpanExporter()
    traced = Spans(SimpleSpanProcessor(exporter))
    world.app.observe = traced.answered
    yield exporter
    await traced.close()


async def test_a_request_is_a_span_with_its_route_and_what_became_of_it(world, spans):
    ada = await world.mint("ada")
    reply = await world.host.get(f"/v1/sessions/{ada.id}")
    refused = await world.http.get("/v1/session")
    minted, read, none = spans.get_finished_spans()
    assert minted.name == "POST /v1/session-tokens"
    assert dict(read.attributes) == {
        "http.request.method": "GET",
        "http.route": "/v1/sessions/{id}",
        "http.response.status_code": 200,
        "guestpass.request_id": reply.header("x-request-id"),
    }
    assert none.attributes["guestpass.code"] == "TOKEN_MISSING"
    assert none.attributes["guestpass.request_id"] == refused.header("x-request-id")
    assert none.status.is_unset, "a refusal is the client's fault, not the span's"
    assert read.resource.attributes["service.name"] == "guestpass"
    assert read.start_time <= read.end_time


async def test_a_failure_of_ours_marks_the_span(world, spans):
    with world.store.away():
        await world.host.get("/v1/sessions")
    (span,) = spans.get_finished_spans()
    assert not span.status.is_ok
    assert span.attributes["error.type"] == "UNAVAILABLE"


async def test_a_caller_s_trace_goes_on(world, spans):
    await world.http.get("/healthz", headers={"traceparent": TRACEPARENT})
    (span,) = spans.get_finished_spans()
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == PARENT


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("traceparent", "00-" + "0" * 32 + f"-{PARENT}-01")],
        [("traceparent", "00-not-hexadecimal-01")],
        [("traceparent", TRACEPARENT), ("traceparent", TRACEPARENT)],
        [("tracestate", "vendor=1"), ("baggage", "user=ada")],
    ],
)
async def test_without_one_trace_to_go_on_a_new_one_begins(world, spans, headers):
    await world.http.get("/healthz", headers=headers)
    (span,) = spans.get_finished_spans()
    assert span.parent is None


async def test_a_caller_who_does_not_sample_is_not_sampled(world, spans):
    await world.http.get("/healthz", headers={"traceparent": TRACEPARENT[:-1] + "0"})
    assert spans.get_finished_spans() == ()


async def test_nothing_that_was_sent_stands_in_a_span(world, spans):
    ada = await world.mint("ada@example.com", externalOrganizationId="org-of-ada", metadata={"card": "4242"})
    secrets = [world.host.secret, ada.token, ada.id, world.host.id, "ada@example.com", "org-of-ada", "4242", "vendor"]
    for text in secrets:
        for path in (f"/{text}", f"/v1/sessions/{text}", f"/{text}/.well-known/jwks.json"):
            for method in ("GET", "DELETE", "OPTIONS", text[:9]):
                await world.http.request(
                    method, path, query={"externalUserId": text}, bearer=text,
                    headers={"traceparent": TRACEPARENT, "tracestate": f"vendor={text[:9]}", "baggage": f"user={text}"},
                )  # fmt: skip
    told = "".join(span.to_json() + str(span.context.trace_state) for span in spans.get_finished_spans())
    assert len(spans.get_finished_spans()) > 90
    assert [text for text in secrets if text in told] == []


# Who asks for it


@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, False),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, False),
    ],
)
def test_opentelemetry_s_own_variables_switch_it(variables, asked):
    assert tracing.is_asked_for(variables) is asked


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, "another exporter than otlp"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "4318"),
    ],
)
def test_what_cannot_be_done_is_said(variables, why):
    with structlog.testing.capture_logs() as lines:
        assert tracing.start(variables) is None
    assert [line["event"] for line in lines] == ["tracing_is_off"]
    assert why in lines[0]["why"]


def run(program, **variables):
    return subprocess.run(
        [sys.executable, "-c", program], env=os.environ | variables, capture_output=True, text=True, check=True
    )


def test_without_the_extra_the_log_says_how_to_install_it():
    ran = run(
        "import os, sys; sys.modules['opentelemetry'] = None\n"
        "from guestpass.server.operate import logs, tracing\n"
        "logs.configure('info'); assert tracing.start(os.environ) is None",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4318",
    )
    assert "pip install 'guestpass[otel]'" in json.loads(ran.stderr)["why"]


def test_a_server_that_is_not_asked_for_traces_loads_nothing_of_them():
    run(
        "import os, sys\n"
        "from guestpass.server.operate import serve, tracing\n"
        "assert tracing.start(os.environ) is None\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )


# To a collector

_ONE_SPAN = """
import asyncio, os, types
from guestpass.server.operate import logs, tracing

logs.configure("info")
spans = tracing.start(os.environ)
call = types.SimpleNamespace(headers=[], request_id="req_of_the_test")
spans.answered(call, ("GET", "/v1/session"), 401, "TOKEN_MISSING", 1_000_000)
asyncio.run(spans.close())
"""


def test_spans_reach_the_collector_before_the_server_ends():
    received = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            received.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Collector) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        run(_ONE_SPAN, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.server_port}")
        collector.shutdown()
    ((path, body),) = received
    assert path == "/v1/traces"
    assert b"req_of_the_test" in body
    assert b"/v1/session" in body


def test_a_collector_that_is_gone_costs_no_more_than_its_spans():
    """The SDK by itself would wait for half a minute; this test would run into its own limit."""
    ran = run(_ONE_SPAN, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert all(json.loads(line)["event"] == "library" for line in ran.stderr.splitlines())

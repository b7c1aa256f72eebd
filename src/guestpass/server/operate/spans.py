"""A span a request, made when it was answered: what it was and what became of it, never what was sent."""

from __future__ import annotations

import asyncio
import threading
import time
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from guestpass.server.http.exchange import Exchange
from guestpass.server.tally import NO_ROUTE, PREFLIGHT

FLUSH_SECONDS = 2.0  # at the end, for a collector that may be gone
_SERVER_FAULT = 500


class Spans:
    """Hands a span of each request to ``processor``. Sampling is the SDK's: by its variables, and by the caller's."""

    def __init__(self, processor: SpanProcessor) -> None:
        facts = Resource({SERVICE_NAME: "guestpass", SERVICE_VERSION: version("guestpass")})
        # Not at exit: the SDK would wait 30 s for a collector that is gone.
        self._provider = TracerProvider(resource=facts.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("guestpass", version("guestpass"))
        self._context = TraceContextTextMapPropagator()

    @classmethod
    def exported(cls) -> Spans:
        """Export to the collector that OpenTelemetry's variables name."""
        return cls(BatchSpanProcessor(OTLPSpanExporter()))

    def answered(self, call: Exchange, route: tuple[str, str], status: int, code: str, nanoseconds: int) -> None:
        """Make the span of a request that took so long; ``route``: (method, pattern)."""
        end = time.time_ns()
        is_known = route not in (NO_ROUTE, PREFLIGHT)
        span = self._tracer.start_span(
            " ".join(route) if is_known else "HTTP",
            # Only traceparent: it is hexadecimal throughout. In tracestate and baggage anything may stand.
            context=self._context.extract({"traceparent": _traceparent_of(call)}),
            kind=SpanKind.SERVER,
            start_time=end - nanoseconds,
            attributes={
                "http.request.method": route[0] if route != NO_ROUTE else "_OTHER",
                **({"http.route": route[1]} if is_known else {}),
                "http.response.status_code": status,
                "guestpass.request_id": call.request_id,
                **({"guestpass.code": code} if code else {}),
            },
        )
        if status >= _SERVER_FAULT:
            span.set_status(Status(StatusCode.ERROR))
            span.set_attribute("error.type", code or str(status))
        span.end(end_time=end)

    async def close(self) -> None:
        """Export what is left, and wait for it at most ``FLUSH_SECONDS``."""
        ending = threading.Thread(target=self._provider.shutdown, name="guestpass-spans", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, FLUSH_SECONDS)


def _traceparent_of(call: Exchange) -> str:
    """Return the one that was sent; of two nobody knows which is meant."""
    found = [value for name, value in call.headers if name == b"traceparent"]
    return found[0].decode("latin-1") if len(found) == 1 else ""

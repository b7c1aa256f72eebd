"""Traces, where OpenTelemetry's own variables ask for them. Without them nothing of it is loaded, and nothing costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from guestpass.server.operate.spans import Spans

log = structlog.get_logger("guestpass")

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTER = "OTEL_TRACES_EXPORTER"
_PROTOCOL = "http/protobuf"


def start(variables: Mapping[str, str]) -> Spans | None:
    """Return what makes a span of each request, or None; where it is asked for and cannot be, the log says why."""
    if not is_asked_for(variables):
        return None
    why_not = _why_not(variables)
    if why_not is None:
        try:
            from guestpass.server.operate.spans import Spans  # noqa: PLC0415 - loads the whole of OpenTelemetry

            return Spans.exported()
        except ImportError:
            why_not = "the package is missing; install it with: pip install 'guestpass[otel]'"
    log.warning("tracing_is_off", why=f"OpenTelemetry's variables ask for traces, but {why_not}")
    return None


def is_asked_for(variables: Mapping[str, str]) -> bool:
    """Say whether the variables ask for traces, as the SDK reads them."""
    if variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = variables.get(_EXPORTER, "").strip()
    return exporter not in {"", "none"} or (not exporter and any(variables.get(name) for name in _ENDPOINTS))


def _why_not(variables: Mapping[str, str]) -> str | None:
    exporter = variables.get(_EXPORTER, "").strip()
    if exporter not in {"", "otlp"}:
        return f"{_EXPORTER} names another exporter than otlp, the one there is."
    protocol = next((variables[name] for name in _PROTOCOLS if variables.get(name)), _PROTOCOL)
    if protocol != _PROTOCOL:
        return f"{_PROTOCOLS[1]} names another protocol than {_PROTOCOL}, the one there is (a collector's port 4318)."
    return None

"""``/metrics``: what the processes of this server counted, in Prometheus' text format.

prometheus-client formats, and so this module is loaded by the first who asks. It counts nothing: a labelled counter of
its own costs more than all that we count of a request, and its mode for several processes writes files.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family

from guestpass.errors import ERRORS
from guestpass.server.http.exchange import Headers
from guestpass.server.tally import Metric, Tally

REFUSALS = "guestpass_refusals"
BUILD = "guestpass_build"
_CONTENT: Headers = ((b"content-type", b"text/plain; version=0.0.4; charset=utf-8"), (b"cache-control", b"no-store"))


class Collector:
    """Reads a tally when it is asked to; a collector of prometheus-client."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def collect(self) -> Iterator[Family]:
        yield from (_family_of(metric, self._tally) for metric in self._tally.metrics)
        yield _refusals(self._tally)
        yield _build()
        yield from _processes(self._tally.processes())


def page(tally: Tally) -> tuple[bytes, Headers]:
    """Return the page and the headers that say what it is."""
    registry = CollectorRegistry()
    registry.register(Collector(tally))
    return generate_latest(registry), _CONTENT


def _family_of(metric: Metric, tally: Tally) -> Family:
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        edges = [*(str(bound / metric.per_unit) for bound in metric.bounds), "+Inf"]
        for labels, total, buckets in tally.read(metric):
            pairs = list(zip(edges, map(float, accumulate(buckets)), strict=True))
            histogram.add_metric(labels, pairs, total / metric.per_unit)
        return histogram
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    for labels, total, _ in tally.read(metric):
        family.add_metric(labels, total)
    return family


def _refusals(tally: Tally) -> Family:
    """Add the requests up by code; every code is there from the start, so that an alert on one has something to watch."""
    counts = dict.fromkeys(ERRORS, 0)
    for metric in tally.metrics:
        if "code" in metric.labels:
            for labels, total, _ in tally.read(metric):
                code = labels[metric.labels.index("code")]
                if code:
                    counts[code] += total
    family = CounterMetricFamily(REFUSALS, "Requests that were answered with an error, by code.", labels=("code",))
    for code, count in counts.items():
        family.add_metric((code,), count)
    return family


def _build() -> Family:
    facts = {"version": version("guestpass"), "python": platform.python_version()}
    return InfoMetricFamily(BUILD, "What runs.", value=facts)


def _processes(processes: Iterable[tuple[int, int]]) -> Iterator[Family]:
    """Yield prometheus-client's own process metrics, with a label that tells the workers apart."""
    families: dict[str, Family] = {}
    for place, pid in processes:
        collector: Any = ProcessCollector(pid=lambda pid=pid: pid, registry=None)  # type: ignore[misc]
        for family in collector.collect():
            kept = families.setdefault(family.name, family)
            samples = [sample._replace(labels={"worker": str(place)}) for sample in family.samples]
            kept.samples = samples if kept is family else kept.samples + samples
    yield from families.values()

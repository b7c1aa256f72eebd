"""Reads spec/vectors/signatures.json: requests as they arrive, and what becomes of each."""

import json
from pathlib import Path

import pytest

_DOCUMENT = json.loads((Path(__file__).parents[1] / "spec/vectors/signatures.json").read_text("utf-8"))
KEYS = _DOCUMENT["keys"]


class Vector:
    """One request, and its verdict: ``code``, and for those that are refused ``why``."""

    def __init__(self, source):
        self.name = source["name"]
        self.method = source["method"]
        self.path = source["path"]
        self.headers = [(name, value.encode("latin-1")) for name, value in source["headers"]]
        self.body = _bytes(source, "body")
        self.now = source["now"]
        self.code = source["code"]
        self.why = source.get("why")
        self.canonical = _bytes(source, "canonical") if self.code == "ok" else None

    @property
    def asgi_headers(self):
        return [(name.lower().encode(), value) for name, value in self.headers]

    def header(self, name):
        return next(value.decode("latin-1") for key, value in self.headers if key == name)


def _bytes(source, name):
    return source[name].encode() if name in source else bytes.fromhex(source[f"{name}Hex"])


VECTORS = [Vector(source) for source in _DOCUMENT["vectors"]]
GOOD = [vector for vector in VECTORS if vector.code == "ok"]
REFUSED = [vector for vector in VECTORS if vector.code != "ok"]


def each(vectors):
    """One test for each vector, with its sentence as its name."""
    return pytest.mark.parametrize("vector", vectors, ids=[f"{vector.name}: {vector.code}" for vector in vectors])

"""Reads spec/vectors and turns each vector into what our verifier takes."""

import json
from pathlib import Path

import pytest

from guestpass.core.jose.jwks import import_key_set
from guestpass.core.tokens.check import Expectation, Inspection
from guestpass.core.tokens.keys import KeySet

FOLDER = Path(__file__).parents[3] / "spec/vectors"


class Vector:
    """One vector, with the key set and the expectation that it names."""

    def __init__(self, source, document):
        self.source = source
        self.name = source["name"]
        self.code = source["code"]
        self.now = source["now"]
        self.claims = source.get("claims")
        self.jwks = document["keys"][source["keys"]]
        self.keys = KeySet(import_key_set(self.jwks))
        self.expect = expectation_of(document["expect"][source["expect"]])

    @property
    def token(self):
        """Written out, or joined from its parts."""
        if "token" in self.source:
            return self.source["token"]
        return "".join(text * times for text, times in self.source["tokenParts"])

    def inspection(self, **more):
        return Inspection(self.token, self.expect, self.keys, self.now, **more)


def expectation_of(source):
    return Expectation(
        issuer=source["issuer"],
        audience=source["audience"],
        environment=source["environment"],
        project_id=source["projectId"],
        algorithms=frozenset(source["algorithms"]),
        base=source["base"],
        prefix_word=source["prefixWord"],
        leeway_seconds=source["leewaySeconds"],
        start_leeway_seconds=source["startLeewaySeconds"],
        max_age_seconds=source["maxAgeSeconds"],
    )


def load(name):
    document = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return [Vector(source, document) for source in document["vectors"]]


ATTACKS, TOKENS = load("attacks"), load("tokens")
GOOD = [vector for vector in TOKENS if vector.code == "ok"]


def each(vectors):
    """One test for each vector, with its sentence as its name."""
    ids = [f"{vector.name}: {vector.code}".encode("ascii", "backslashreplace").decode() for vector in vectors]
    return pytest.mark.parametrize("vector", vectors, ids=ids)

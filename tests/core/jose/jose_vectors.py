"""Reads tests/vectors, and names each case so that a failure reads like a sentence."""

import json
from pathlib import Path

import pytest

VECTORS = Path(__file__).parents[2] / "vectors"


def load(name):
    return json.loads((VECTORS / name).read_text("utf-8"))


def wycheproof(name):
    """Return one pytest parameter (group, test) per case of a Wycheproof file."""
    groups = load(f"wycheproof/{name}.json")["testGroups"]
    return [
        pytest.param(group, test, id=f"tc{test['tcId']} {test['comment'] or 'plain'}: labelled {test['result']}")
        for group in groups
        for test in group["tests"]
    ]


def public_key_of(group):
    """Return the JWK to verify with: the public one, where there is one."""
    return group.get("public", group.get("private"))

"""Attacks on record: every family, every spelling, each with the code that it must earn."""

from __future__ import annotations

from typing import Any

import attacks_on_claims
import attacks_on_headers
import attacks_on_signatures

ABOUT = "Attacks on tokens: every family on record, every spelling, each with the code that it must be refused with."


def vectors() -> list[dict[str, Any]]:
    return [*attacks_on_headers.vectors(), *attacks_on_signatures.vectors(), *attacks_on_claims.vectors()]

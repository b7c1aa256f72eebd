"""Operations: what a token may do, as a set of names and as the ``scope`` claim.

A scope is text: ``*`` for unrestricted, empty for nothing, else sorted names joined by one space
(RFC 6749 section 3.3). An absent scope means nothing is allowed, never everything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from guestpass.core.bounds import OPERATIONS_BYTES_MAX, OPERATIONS_MAX

UNRESTRICTED = "*"
NOTHING = ""
OURS = frozenset({"guestpass.query", "guestpass.script_token"})

_NAME = re.compile(r"[a-z][a-z0-9_.:-]{0,63}")
_OUR_PREFIX = "guestpass."


def fault_of_name(name: str) -> str | None:
    """Say which rule ``name`` breaks as an operation, or return None."""
    if not _NAME.fullmatch(name):
        return "must match [a-z][a-z0-9_.:-]{0,63}"
    if name.startswith(_OUR_PREFIX) and name not in OURS:
        return f"is reserved; of the names that begin with {_OUR_PREFIX} only {', '.join(sorted(OURS))} exist"
    return None


def fault_of_list(names: Sequence[str]) -> tuple[str, str] | None:
    """Return (path suffix, rule) of the first broken rule of a list of operations, or None.

    ``["*"]`` alone means unrestricted; at most 64 names and 1 024 bytes together.
    """
    if list(names) == [UNRESTRICTED]:
        return None
    if UNRESTRICTED in names:
        return "", '"*" stands alone; it cannot be mixed with names'
    if len(names) > OPERATIONS_MAX:
        return "", f"has {len(names)} names; at most {OPERATIONS_MAX} are allowed"
    for position, name in enumerate(names):
        fault = fault_of_name(name)
        if fault:
            return f"[{position}]", fault
    if sum(map(len, names)) > OPERATIONS_BYTES_MAX:
        return "", f"its names have over {OPERATIONS_BYTES_MAX} bytes together"
    return None


def scope_of(names: Sequence[str] | None) -> str:
    """Return the scope for a valid list; None (absent) and ``["*"]`` are unrestricted."""
    if names is None or UNRESTRICTED in names:
        return UNRESTRICTED
    return " ".join(sorted(set(names)))


def names_of(scope: str) -> list[str]:
    """Return the names as the API shows them: ``["*"]``, ``[]`` or sorted names."""
    return scope.split(" ") if scope else []


def within(requested: str, ceiling: str) -> str:
    """Return what both scopes allow."""
    if ceiling == UNRESTRICTED:
        return requested
    if requested == UNRESTRICTED:
        return ceiling
    allowed = set(names_of(ceiling))
    return " ".join(name for name in names_of(requested) if name in allowed)


def allows(scope: str, operation: str) -> bool:
    """Say whether ``scope`` includes the one operation named. An empty name is no operation."""
    return operation != "" and (scope == UNRESTRICTED or operation in scope.split(" "))

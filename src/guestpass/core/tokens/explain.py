"""The checklist in words. It walks the table of ``check`` and says what each line found."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from guestpass.core.tokens.check import Check, Inspection
from guestpass.core.tokens.claims import SessionClaims
from guestpass.errors import GuestpassError


class Finding(NamedTuple):
    """One line of an explanation; ``error`` is None where the check passed."""

    check: str
    detail: str
    error: GuestpassError | None


class Explanation(NamedTuple):
    """``may_go_on``: every gate held, so that state may be looked at."""

    findings: list[Finding]
    may_go_on: bool

    @property
    def first_error(self) -> GuestpassError | None:
        """The error that ``verify`` raises for the same token."""
        return next((finding.error for finding in self.findings if finding.error), None)


def explain(ins: Inspection, checks: tuple[Check, ...]) -> Explanation:
    """Walk ``checks`` to the end, or to the first gate that does not hold."""
    findings = []
    for name, find, gate in checks:
        error = find(ins)
        detail = error.message if error else _PASSED[name](ins)
        findings.append(Finding(name, detail, error))
        if error is not None and gate:
            return Explanation(findings, may_go_on=False)
    return Explanation(findings, may_go_on=True)


def _claim(read: Callable[[SessionClaims, int], str]) -> Callable[[Inspection], str]:
    return lambda ins: read(ins.claims, ins.now)


def _scope(ins: Inspection) -> str:
    granted = "" if ins.claims.scope is msgspec.UNSET else ins.claims.scope
    allowed = "everything" if granted == "*" else granted or "nothing"
    return f"allows {allowed}" if ins.operation is None else f"allows {ins.operation}"


_PASSED: dict[str, Callable[[Inspection], str]] = {
    "prefix": lambda ins: ins.prefix or "none: a bare JWT",
    "shape": lambda ins: "opaque" if ins.opaque_id else "three strict parts",
    "algorithm": lambda ins: (
        ins.sealed.key.algorithm if ins.sealed else ins.header.alg if ins.header else "none: opaque"
    ),
    "key": lambda ins: f"kid {ins.sealed.key.kid}" if ins.sealed else "none: opaque",
    "signature": lambda ins: "the stored hash is equal" if ins.opaque_id else "holds",
    "claims": lambda _: "all there, each of its type",
    "type": lambda ins: f"a {ins.sealed.kind.name} token" if ins.sealed else "a session token",
    "issuer": _claim(lambda claims, _: claims.iss),
    "audience": _claim(lambda claims, _: claims.aud),
    "environment": _claim(lambda claims, _: claims.environment),
    "project": _claim(lambda claims, _: claims.project_id),
    "expiry": _claim(lambda claims, now: f"{claims.exp - now} s left"),
    "start": _claim(lambda claims, now: f"issued {now - claims.iat} s ago"),
    "age": _claim(lambda claims, now: f"{now - claims.iat} s old"),
    "revocation": lambda _: "the session has not been ended",
    "uses": lambda ins: "as many as you like" if ins.claims.max_uses is msgspec.UNSET else "not used up",
    "suspension": lambda ins: (
        "the session is not suspended"
        if ins.state is None or ins.state.suspended_scope is None
        else "suspended; this goes on"
    ),
    "operation": _scope,
}

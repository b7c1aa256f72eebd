"""The business of the demo: who works there, its invoices, and its calls to Guestpass.

``mint`` and ``require`` are what a host and an API need; the rest is scenery.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import httpx2

from guestpass import Guestpass
from guestpass.errors import RefreshTokenReused

TOKEN_LIFE_SECONDS = 60  # the shortest there is, so that one sees a renewal within a minute
LIVE_SESSIONS_SHOWN_MAX = 100
ANOMALIES_SHOWN_MAX = 5
PASSED_ON = ("Guestpass-Retry", "Retry-After", "WWW-Authenticate", "X-Request-Id")


@dataclass(frozen=True)
class Person:
    id: str
    name: str
    role: str
    operations: tuple[str, ...]


PEOPLE = {
    person.id: person
    for person in (
        Person("ada", "Ada Okafor", "Owner", ("read_invoices", "send_reminders", "refund_payments")),
        Person("ben", "Ben Castle", "Bookkeeper", ("read_invoices", "send_reminders")),
        Person("chloe", "Chloe Marsh", "Tenant", ("read_invoices",)),
    )
}


@dataclass
class Invoice:
    id: str
    tenant: str
    unit: str
    due: str
    cents: int
    status: str


def first_invoices() -> list[Invoice]:
    return [
        Invoice("INV-2041", "H. Lindqvist", "Hollis Court 3", "1 Dec", 124_000, "due"),
        Invoice("INV-2040", "R. Adeyemi", "Hollis Court 7", "1 Nov", 98_500, "overdue"),
        Invoice("INV-2039", "P. Marchetti", "Mill Lane 12", "1 Nov", 141_250, "paid"),
        Invoice("INV-2038", "S. Whitfield", "Mill Lane 14", "1 Oct", 87_000, "paid"),
    ]


@dataclass
class Login:
    """One signed-in browser, found by its cookie."""

    person: Person
    tokens_minted: int = 0


class Refused(Exception):
    """An answer other than 200, in the shape of Guestpass's own errors."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.status, self.headers = status, headers or {}
        self.body = {"code": code, "message": message}


@dataclass
class Portal:
    """What the business knows, and its calls to Guestpass."""

    guestpass: Guestpass
    service: httpx2.Client  # the same server, asked as the billing API, which holds no key
    logins: dict[str, Login] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)  # person -> cust_…, which unblock asks for
    line_cut: bool = False
    invoices: dict[str, Invoice] = field(default_factory=lambda: {invoice.id: invoice for invoice in first_invoices()})
    lock: threading.Lock = field(default_factory=threading.Lock)

    def mint(self, login: Login | None) -> dict[str, Any]:
        """Answer the browser SDK: a token for whoever the cookie says is signed in."""
        if login is None:
            raise Refused(401, "UNAUTHORIZED", "Nobody is signed in.")
        person = login.person
        token = self.guestpass.create_session_token(
            external_user_id=person.id, expires_in=TOKEN_LIFE_SECONDS, allowed_operations=list(person.operations)
        )
        with self.lock:
            login.tokens_minted += 1
        return {
            "sessionToken": token.session_token,
            "expiresAt": token.expires_at.isoformat(),
            "expiresIn": token.expires_in,
        }

    def require(self, authorization: str, operation: str) -> None:
        """Let the call pass, or refuse it as Guestpass does (RFC 6750 section 3)."""
        try:
            answer = self.service.get("/v1/session", headers={"Authorization": authorization} if authorization else {})
        except httpx2.HTTPError as fault:
            raise Refused(503, "UNAVAILABLE", "Guestpass cannot be reached.", {"Retry-After": "1"}) from fault
        told = answer.json()
        if answer.status_code != httpx2.codes.OK:
            headers = {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
            raise Refused(answer.status_code, told["code"], told["message"], headers)
        if not {operation, "*"} & set(told["allowedOperations"]):
            challenge = f'Bearer error="insufficient_scope", scope="{operation}"'
            message = f"This token does not allow {operation}."
            raise Refused(403, "OPERATION_NOT_ALLOWED", message, {"WWW-Authenticate": challenge})

    def desk(self, login: Login | None) -> dict[str, Any]:
        """What the page shows around the billing: who is here, and what the operator sees."""
        living = self.guestpass.sessions.list(status="active", limit=LIVE_SESSIONS_SHOWN_MAX)
        count = Counter(session.external_user_id for session in islice(living, LIVE_SESSIONS_SHOWN_MAX))
        return {
            "me": login.person.id if login else None,
            "tokensMinted": login.tokens_minted if login else 0,
            "lineCut": self.line_cut,
            "people": [
                {**asdict(one), "blocked": one.id in self.blocked, "live": count[one.id]} for one in PEOPLE.values()
            ],
            "anomalies": [
                {
                    "id": odd.id,
                    "at": odd.at.isoformat(),
                    "person": odd.external_user_id,
                    "kind": odd.kind,
                    "outcome": odd.outcome,
                    "evidence": odd.evidence,
                }
                for odd in islice(self.guestpass.auth.anomalies(limit=ANOMALIES_SHOWN_MAX), ANOMALIES_SHOWN_MAX)
            ],
        }

    def act(self, deed: str, person: str) -> None:
        """End a person's sessions from the desk; blocking also keeps the person out. Or play a thief."""
        if deed == "block":
            self.blocked[person] = self.guestpass.users.revoke(person, block=True).customer_id or ""
        elif deed == "unblock" and person in self.blocked:
            self.guestpass.customers.unblock(self.blocked.pop(person))
        elif deed in {"revoke", "reissue"}:
            self.guestpass.sessions.revoke(external_user_id=person, reissue=deed == "reissue")
        elif deed == "steal":
            self.steal(person)

    def steal(self, person: str) -> None:
        """Open a session on another device, copy its refresh token, let the device go on, and show the copy."""
        auth = self.guestpass.auth
        copied = auth.login(external_user_id=person).refresh_token
        following = auth.refresh(refresh_token=copied).refresh_token
        auth.refresh(refresh_token=following)  # with that the copy's grace is over
        with contextlib.suppress(RefreshTokenReused):
            auth.refresh(refresh_token=copied)

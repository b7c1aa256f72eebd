"""``guestpass audit``: read, check and prove what was done, and forget a person."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter
from cyclopts.validators import Number

from guestpass.core import ids
from guestpass.core.audit import proof
from guestpass.core.audit.proof import ProofRefused
from guestpass.core.bounds import PAGE_LIMIT_DEFAULT
from guestpass.core.tokens.kinds import ENVIRONMENTS, Environment
from guestpass.errors import NotFound, ValidationFailed
from guestpass.server.app import Service
from guestpass.server.audit import api
from guestpass.server.audit.checking import Checked
from guestpass.server.audit.listing import Wanted
from guestpass.server.command_line import (
    CLI_CALLER,
    FAILED,
    OK,
    Env,
    InProject,
    StoreOptions,
    issuer_of,
    opened,
    run,
    show,
    show_table,
)
from guestpass.server.customers import service as customers

app = App(name="audit", help="Audit log: who did what, when and from where; chained and signed.")
_COLUMNS = ("at", "action", "actor", "targets", "project", "environment", "id")
LIMIT_MAX = 10_000
_FAULTS_SHOWN = 50


@app.command
def tail(
    *,
    project: InProject = None,
    env: Annotated[Environment | None, Parameter(help="test or live. [default: both]")] = None,
    action: Annotated[str | None, Parameter(help="Only events of this kind, like session.revoked.")] = None,
    target: Annotated[str | None, Parameter(help="Only events that name this id.")] = None,
    limit: Annotated[
        int, Parameter(validator=Number(gte=1, lte=LIMIT_MAX), help="At most so many.")
    ] = PAGE_LIMIT_DEFAULT,
    options: StoreOptions | None = None,
) -> None:
    """List the newest events, the last one at the end. Without --project, of all, and of the store as a whole."""
    run(_tail(options or StoreOptions(), project, env, action, target, limit))


@app.command
def verify(
    file: Annotated[
        str | None, Parameter(help="A proof, or - to read one from standard input. Without it: the whole log.")
    ] = None,
    *,
    kid: Annotated[
        list[str] | None, Parameter(help="Of a key that is the store's, as its owner published it; may be repeated.")
    ] = None,
    heads: Annotated[
        Path | None, Parameter(help="A file of heads that were published, one a line: they must still be the log's.")
    ] = None,
    options: StoreOptions | None = None,
) -> int:
    """Check the whole log; or a proof, which needs no store.

    Of the log: every signature and every head, every leaf against its row, and every row for its leaf. Ends with 1, and
    names the batches, where something was changed, deleted, added or put in another order.
    """
    options = options or StoreOptions()
    if file is not None:
        if heads is not None:
            raise ValidationFailed("--heads goes with the whole log, not with a proof.")
        return _verify_proof(options, file, kid or [])
    if kid:
        raise ValidationFailed("--kid goes with a proof.")
    return run(_verify(options, [] if heads is None else _read(heads).decode(errors="replace").split()))


@app.command
def prove(
    what: Annotated[str, Parameter(help="The id of an event, evt_…, or of a session for its mint.")],
    *,
    personal: Annotated[bool, Parameter(negative=(), help="Show also what names a person, with its salts.")] = False,
    options: StoreOptions | None = None,
) -> None:
    """Print the proof that an event stands in the log. Anyone can check it: guestpass audit verify FILE."""
    run(_prove(options or StoreOptions(), what, personal=personal))


@app.command
def erase(
    customer_id: Annotated[str | None, Parameter(help="cust_…")] = None,
    *,
    user: Annotated[str | None, Parameter(help="Or his externalUserId.")] = None,
    env: Env = "test",
    project: InProject = None,
    options: StoreOptions | None = None,
) -> None:
    """Forget a customer: end his sessions, and erase what names him in them and in the log. The chain stays whole."""
    if (customer_id is None) == (user is None):
        raise ValidationFailed("Name one: a customer's id or --user.")
    run(_erase(options or StoreOptions(), env, project, customer_id, user))


async def _tail(
    options: StoreOptions,
    project: str | None,
    env: Environment | None,
    action: str | None,
    target: str | None,
    limit: int,
) -> None:
    async with opened(options) as service:
        issuers = None
        if project is not None or env is not None:
            wanted = [env] if env else list(ENVIRONMENTS)
            issuers = [(await issuer_of(service, each, project)).number for each in wanted]
        found = await service.audit.listing.page(Wanted(issuers, ids.AFTER_ALL, limit, action, target))
        names = await service.issuers.names()
    rows: list[dict[str, Any]] = []
    for row in reversed(found):
        name, environment = names.get(row.issuer, (None, None))
        rows.append({**_plain(api.view_of(row)), "project": name, "environment": environment})
    show_table(rows, _COLUMNS, as_json=options.json, empty="There are no such events.")


async def _verify(options: StoreOptions, published: list[str]) -> int:
    async with opened(options) as service:
        began = time.perf_counter()
        faults = await service.audit.checking.published(published)
        checked = await service.audit.checking.verify()
        checked = checked._replace(faults=faults + checked.faults)
        took = time.perf_counter() - began
    shown = {**checked._asdict(), "faults": [fault._asdict() for fault in checked.faults], "whole": not checked.faults}
    show(shown, as_json=options.json, text=_in_words(checked, took))
    return FAILED if checked.faults else OK


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as fault:
        raise NotFound(f"{file} cannot be read: {fault.strerror}.") from None


def _in_words(checked: Checked, took: float) -> str:
    if not checked.last:
        return "Nothing is sealed yet: a running server does it within a second."
    lines = [
        f"Batches {checked.first} to {checked.last} hold {checked.leaves} events; checked in {took:.1f} s.",
        f"{checked.purged} sessions are gone by age, and {len(checked.erased)} events were erased of what was personal.",
    ]
    if not checked.faults:
        return "\n".join([*lines, "Nothing was changed."])
    lines += [
        f"batch {fault.batch}: {fault.what}" if fault.id is None else f"batch {fault.batch}: {fault.id} {fault.what}"
        for fault in checked.faults[:_FAULTS_SHOWN]
    ]
    return "\n".join([*lines, f"{len(checked.faults)} faults: this is not what was sealed."])


def _verify_proof(options: StoreOptions, file: str, kids: list[str]) -> int:
    octets = sys.stdin.buffer.read() if file == "-" else _read(Path(file))
    try:
        proven = proof.verify(octets, kids=kids)
    except ProofRefused as refused:
        show(
            {"proven": False, "fault": str(refused)}, as_json=options.json, text=f"The proof does not hold: {refused}."
        )
        return FAILED
    head = _plain(proven.head)
    shown = {"proven": True, "event": proven.event, "personal": proven.personal, "head": head, "kid": proven.kid}
    text = (
        f"{proven.event.get('id')} {proven.event.get('action')} stands in batch {head['number']}, sealed "
        f"{head['sealedAt']} by {head['issuer']}.\nThe head is signed by {proven.kid}"
        + ("." if kids else ": see that this is a key of theirs, and name it with --kid.")
    )
    show(shown, as_json=options.json, text=text)
    return OK


async def _prove(options: StoreOptions, what: str, *, personal: bool) -> None:
    async with opened(options) as service:
        proven = await service.audit.proving.prove(what, personal=personal)
    sys.stdout.write(proven.decode() + "\n")


async def _erase(
    options: StoreOptions, env: Environment, project: str | None, customer_id: str | None, user: str | None
) -> None:
    async with opened(options) as service:
        issuer = await issuer_of(service, env, project)
        key = _customer(service, issuer.number, customer_id, user)
        erased = await service.audit.erasing.erase(issuer.number, key, by=CLI_CALLER)
    shown = {"id": ids.encode(customers.WORD, key), "sessions": erased.sessions, "events": erased.events}
    text = f"{shown['id']} is forgotten: in {erased.sessions} sessions and {erased.events} events."
    show(shown, as_json=options.json, text=text)


def _customer(service: Service, issuer: int, customer_id: str | None, user: str | None) -> bytes:
    if user is not None:
        return service.derivation.customer_id(issuer, user)
    key = ids.decode(customers.WORD, customer_id or "")
    if key is None:
        raise NotFound("There is no such customer.")
    return key


def _plain(value: msgspec.Struct) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return plain

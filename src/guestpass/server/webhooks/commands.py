"""``guestpass webhooks``: make and list endpoints, see and repeat what was sent, and listen while you write a receiver."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from guestpass.core import ids, times
from guestpass.core.bounds import OVERLAP_SECONDS_DEFAULT, OVERLAP_SECONDS_MAX, PAGE_LIMIT_MAX
from guestpass.core.tokens.kinds import ENVIRONMENTS
from guestpass.core.webhooks import destination
from guestpass.core.webhooks.destination import Destination
from guestpass.core.webhooks.subscriptions import DEFAULT_EVENTS
from guestpass.errors import ValidationFailed
from guestpass.server.api_keys.service import OPERATOR
from guestpass.server.app import Service
from guestpass.server.command_line import Env, InProject, StoreOptions, issuer_of, opened, run, show, show_table
from guestpass.server.webhooks import api, secrets, wishes
from guestpass.server.webhooks.listening import Forwarded
from guestpass.server.webhooks.model import MINTED
from guestpass.server.webhooks.service import Described, Edit, decoded

app = App(name="webhooks", help="Webhooks: where events are sent, and what was sent.")
LOOK_SECONDS = 1.0
SECRET_VARIABLE = "GUESTPASS_WEBHOOK_SECRET"  # noqa: S105 - its name
_COLUMNS = ("id", "environment", "url", "events", "status", "disabledReason", "createdAt")
_DELIVERY_COLUMNS = ("eventId", "type", "status", "attempts", "lastStatus", "lastError", "nextAttemptAt", "deliveredAt")

Events = Annotated[str | None, Parameter(help="Names and families, like session.revoked,api_key.*")]
EndpointId = Annotated[str, Parameter(help="As webhooks list shows it.")]


@app.command
def create(
    *,
    url: str,
    env: Env = "test",
    project: InProject = None,
    events: Events = None,
    description: str = "",
    options: StoreOptions | None = None,
) -> None:
    """Make an endpoint and print its secret, once. Without --events it gets everything but session.created."""
    run(_create(options or StoreOptions(), (env, project), url, events, description))


@app.command(name="list")
def list_endpoints(*, project: InProject = None, options: StoreOptions | None = None) -> None:
    """List endpoints of both environments, without their secrets; a disabled one with the reason."""
    run(_list(options or StoreOptions(), project))


@app.command
def enable(endpoint_id: EndpointId, *, options: StoreOptions | None = None) -> None:
    """Let an endpoint get what happens from now on, and what waited for it."""
    run(_enable(options or StoreOptions(), endpoint_id, enabled=True))


@app.command
def disable(endpoint_id: EndpointId, *, options: StoreOptions | None = None) -> None:
    """Let an endpoint get nothing; what waits for it is kept for two weeks."""
    run(_enable(options or StoreOptions(), endpoint_id, enabled=False))


@app.command
def rotate(
    endpoint_id: EndpointId,
    *,
    overlap_seconds: Annotated[
        int, Parameter(help="How long deliveries are signed with the older secrets too; 0: no longer.")
    ] = OVERLAP_SECONDS_DEFAULT,
    options: StoreOptions | None = None,
) -> None:
    """Give an endpoint a new secret and print it, once."""
    if not 0 <= overlap_seconds <= OVERLAP_SECONDS_MAX:
        raise ValidationFailed(f"--overlap-seconds must be from 0 to {OVERLAP_SECONDS_MAX}.")
    run(_rotate(options or StoreOptions(), endpoint_id, overlap_seconds))


@app.command
def delete(endpoint_id: EndpointId, *, options: StoreOptions | None = None) -> None:
    """Delete an endpoint, its secrets, and what waits for it."""
    run(_delete(options or StoreOptions(), endpoint_id))


@app.command
def deliveries(endpoint_id: EndpointId, *, options: StoreOptions | None = None) -> None:
    """List the newest hundred deliveries to an endpoint."""
    run(_deliveries(options or StoreOptions(), endpoint_id))


@app.command
def resend(
    endpoint_id: EndpointId,
    event_id: Annotated[str, Parameter(help="As webhooks deliveries shows it: evt_…")],
    *,
    options: StoreOptions | None = None,
) -> None:
    """Let a server send an event again, with the same webhook-id."""
    run(_resend(options or StoreOptions(), endpoint_id, event_id))


@app.command
def listen(
    *,
    forward_to: Annotated[str, Parameter(help="On this machine, like http://localhost:3000/hook")],
    project: InProject = None,
    events: Annotated[str | None, Parameter(help="Names and families. [default: everything]")] = None,
    options: StoreOptions | None = None,
) -> None:
    """Follow the test environment's events, and post each, signed, to an address on this machine. Ctrl-C ends it.

    A server must run: events are told of when it has sealed them, within a second. They are signed with the secret in
    GUESTPASS_WEBHOOK_SECRET, or one that is made, and printed.
    """
    run(_listen(options or StoreOptions(), project, _local(forward_to), events))


def _local(url: str) -> Destination:
    try:
        to = destination.read(url, local_allowed=True)
    except ValueError as fault:
        raise ValidationFailed(f"--forward-to {fault}.") from None
    if not to.is_local:
        raise ValidationFailed("--forward-to must be on this machine, like http://localhost:3000/hook.")
    return to


async def _create(
    options: StoreOptions, where: tuple[Env, str | None], url: str, events: str | None, description: str
) -> None:
    async with opened(options) as service:
        issuer = await issuer_of(service, *where)
        new = await service.webhooks.endpoints.create(
            issuer.number,
            actor=OPERATOR,
            url=service.webhooks.wishes.url_of(url, issuer.environment),
            description=wishes.description_of(description),
            events=DEFAULT_EVENTS if events is None else wishes.events_of(_words(events)),
        )
        shown = {**await _shown(service, new.described), "secret": new.secret}
    text = f"{new.secret}\n\nThe secret of {new.described.endpoint.public_id} is shown this once."
    show(shown, as_json=options.json, text=text)


async def _list(options: StoreOptions, project: str | None) -> None:
    async with opened(options) as service:
        issuers = [(await issuer_of(service, environment, project)).number for environment in ENVIRONMENTS]
        rows = [await _shown(service, one) for one in await service.webhooks.endpoints.all_of(issuers)]
    empty = "No webhook endpoints yet; make one: guestpass webhooks create --url https://example.com/webhooks"
    show_table(rows, _COLUMNS, as_json=options.json, empty=empty)


async def _enable(options: StoreOptions, endpoint_id: str, *, enabled: bool) -> None:
    async with opened(options) as service:
        issuer = await service.webhooks.endpoints.issuer_of(endpoint_id)
        edit = Edit(actor=OPERATOR, issuer=issuer, endpoint_id=decoded(endpoint_id), enabled=enabled)
        shown = await _shown(service, await service.webhooks.endpoints.edit(edit))
    show(shown, as_json=options.json, text=f"{endpoint_id} is {shown['status']}.")


async def _rotate(options: StoreOptions, endpoint_id: str, overlap_seconds: int) -> None:
    async with opened(options) as service:
        issuer = await service.webhooks.endpoints.issuer_of(endpoint_id)
        new = await service.webhooks.endpoints.rotate(
            issuer, endpoint_id, actor=OPERATOR, overlap_seconds=overlap_seconds
        )
        shown = {**await _shown(service, new.described), "secret": new.secret}
    older = f"older ones sign too for {overlap_seconds} s" if overlap_seconds else "no other signs"
    text = f"{new.secret}\n\nThe new secret of {endpoint_id} is shown this once; {older}."
    show(shown, as_json=options.json, text=text)


async def _delete(options: StoreOptions, endpoint_id: str) -> None:
    async with opened(options) as service:
        issuer = await service.webhooks.endpoints.issuer_of(endpoint_id)
        deleted = await service.webhooks.endpoints.delete(issuer, endpoint_id, actor=OPERATOR)
    shown = msgspec.to_builtins(api.DeletedView(endpoint_id, times.of_seconds(deleted.deleted_at or 0)))
    show(shown, as_json=options.json, text=f"{endpoint_id} is deleted.")


async def _deliveries(options: StoreOptions, endpoint_id: str) -> None:
    async with opened(options) as service:
        issuer = await service.webhooks.endpoints.issuer_of(endpoint_id)
        found = await service.webhooks.endpoints.deliveries(
            issuer, endpoint_id, below=ids.AFTER_ALL, limit=PAGE_LIMIT_MAX
        )
    rows: list[dict[str, Any]] = [msgspec.to_builtins(api.delivery_view_of(one)) for one in found]
    show_table(
        rows, _DELIVERY_COLUMNS, as_json=options.json, empty="Nothing was sent to this endpoint in the last week."
    )


async def _resend(options: StoreOptions, endpoint_id: str, event_id: str) -> None:
    async with opened(options) as service:
        issuer = await service.webhooks.endpoints.issuer_of(endpoint_id)
        delivery = await service.webhooks.endpoints.resend(issuer, endpoint_id, event_id, actor=OPERATOR)
    shown = msgspec.to_builtins(api.delivery_view_of(delivery))
    show(shown, as_json=options.json, text=f"{event_id} is sent again by the next server that looks, within a second.")


async def _listen(options: StoreOptions, project: str | None, to: Destination, events: str | None) -> None:
    async with opened(options) as service:
        issuer = await issuer_of(service, "test", project)
        wanted = (MINTED, *DEFAULT_EVENTS) if events is None else wishes.events_of(_words(events))
        listening = service.listening(issuer, wanted)
        await listening.begin()
        secret = os.environ.get(SECRET_VARIABLE, "")
        if not secret:
            secret = secrets.make(service.clock(), service.entropy)[1]
            _say(f"Signed with {secret}, which is for this run; set {SECRET_VARIABLE} to keep one.", options)
        _say(f"Events of the project {issuer.project.name}, in test, go to {to.url}. Ctrl-C ends this.", options)
        while True:
            async for one in listening.forward(to, secret):
                _tell(one, options)
            await asyncio.sleep(LOOK_SECONDS)


def _say(words: str, options: StoreOptions) -> None:
    if not options.json:
        sys.stdout.write(f"{words}\n")
        sys.stdout.flush()


def _tell(one: Forwarded, options: StoreOptions) -> None:
    answered = one.received.error or str(one.received.status)
    at = times.of_milliseconds(one.event.at_ms)
    row = {"at": at, "eventId": one.event.id, "type": one.event.action, "answered": answered}
    show(row, as_json=options.json, text=f"{at}  {one.event.action}  {one.event.id}  {answered}")
    sys.stdout.flush()


async def _shown(service: Service, described: Described) -> dict[str, Any]:
    issuer = await service.issuers.by_number(described.endpoint.issuer)
    shown: dict[str, Any] = msgspec.to_builtins(api.view_of(described, issuer))
    return shown


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]

"""What goes over the wire about webhook endpoints. A secret is in two answers only: of the create and of the rotation."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from guestpass.core import ids, times
from guestpass.core.bounds import OVERLAP_SECONDS_DEFAULT, OVERLAP_SECONDS_MAX
from guestpass.core.webhooks.destination import URL_LENGTH_MAX
from guestpass.server.projects.service import Issuer
from guestpass.server.webhooks.model import Delivery, Described, Status, WhyDisabled

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Url = Annotated[
    str,
    Meta(
        min_length=1, max_length=URL_LENGTH_MAX,
        description="`https://`, at the public internet. In test, on a server whose own URL is local, also `http://localhost:…`.",
    ),
]  # fmt: skip
Words = Annotated[str, Meta(max_length=255, description="For people.")]
EventId = Annotated[str, Meta(description="Its `webhook-id`: `evt_…`, or `sess_…` of a `session.created`.")]
_EVENTS = (
    "`session.created`, `session.revoked`, `session.suspended`, `session.reuse_detected`, `session.anomaly`, each event of "
    "an API key, a signing key and a customer, and families: `api_key.*`, `signing_key.*`, `customer.*`."
)


class CreateRequest(Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    """Let what happens from now on be sent to an address."""

    url: Url
    events: Annotated[
        list[str] | UnsetType, Meta(description=f"{_EVENTS} Absent: all of them but `session.created`.")
    ] = UNSET
    description: Words = ""


class EditRequest(Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    """What is absent stays as it is."""

    url: Url | UnsetType = UNSET
    events: Annotated[list[str] | UnsetType, Meta(description=_EVENTS)] = UNSET
    description: Words | UnsetType = UNSET
    enabled: Annotated[
        bool | UnsetType,
        Meta(
            description="`false`: nothing is queued or sent. `true`: from now on it is; what waited before is sent, too."
        ),
    ] = UNSET


class RotateRequest(Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    overlap_seconds: Annotated[
        Annotated[int, Meta(ge=0, le=OVERLAP_SECONDS_MAX)],
        Meta(description="How long deliveries are signed with the older secrets too; 0: no longer."),
    ] = OVERLAP_SECONDS_DEFAULT


class ResendRequest(Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    event_id: EventId


class SecretView(Struct, rename="camel", frozen=True):
    """One secret that deliveries are signed with. ``endsAt``: null of the newest."""

    created_at: Time
    ends_at: Time | None


class EndpointView(Struct, rename="camel", frozen=True, kw_only=True):
    """A webhook endpoint; never its secret."""

    id: str
    url: str
    description: str
    environment: Literal["test", "live"]
    project_id: str
    events: list[str]
    status: Literal["enabled", "disabled"]
    disabled_reason: Annotated[
        WhyDisabled | None,
        Meta(
            description="`gone`: it answered 410. `failing`: five days without a success. `overflowing`: 100 000 deliveries waited. `by_request`: you did."
        ),
    ]
    disabled_at: Time | None
    failing_since: Annotated[Time | None, Meta(description="`null` where the last attempt succeeded.")]
    created_at: Time
    secrets: Annotated[list[SecretView], Meta(description="Those that sign, the newest first.")]


class NewEndpointView(EndpointView, frozen=True, kw_only=True):
    """A webhook endpoint with its newest secret, which is shown this once."""

    secret: Annotated[str, Meta(description="`whsec_…`, as every library of Standard Webhooks takes it.")]


class EndpointPage(Struct, rename="camel", frozen=True):
    data: list[EndpointView]
    next_cursor: str | None


class DeletedView(Struct, rename="camel", frozen=True):
    id: str
    deleted_at: Time


class DeliveryView(Struct, rename="camel", frozen=True, kw_only=True):
    """An event on its way to an endpoint. What the receiver answered is kept as its status alone."""

    event_id: EventId
    type: str
    status: Status
    attempts: Annotated[int, Meta(description="Of this round, those under way among them.")]
    next_attempt_at: Annotated[Time | None, Meta(description="`null` where it is done.")]
    last_status: Annotated[
        int | None, Meta(description="The HTTP status of the last attempt; `null`: none was answered.")
    ]
    last_error: Annotated[str | None, Meta(description="Why the last attempt was not answered, like `timeout`.")]
    occurred_at: Time
    delivered_at: Time | None


class DeliveryPage(Struct, rename="camel", frozen=True):
    data: list[DeliveryView]
    next_cursor: str | None


def view_of(described: Described, issuer: Issuer) -> EndpointView:
    endpoint, secrets = described
    return EndpointView(
        id=endpoint.public_id,
        url=endpoint.url,
        description=endpoint.description,
        environment=issuer.environment,
        project_id=issuer.project.id,
        events=list(endpoint.events),
        status="enabled" if endpoint.disabled_at is None else "disabled",
        disabled_reason=endpoint.disabled_why,
        disabled_at=_time(endpoint.disabled_at),
        failing_since=None if endpoint.failing_since_ms is None else times.of_milliseconds(endpoint.failing_since_ms),
        created_at=times.of_seconds(endpoint.created_at),
        secrets=[SecretView(times.of_seconds(secret.created_at), _time(secret.ends_at)) for secret in secrets],
    )


def new_view_of(described: Described, secret: str, issuer: Issuer) -> NewEndpointView:
    return NewEndpointView(**structs.asdict(view_of(described, issuer)), secret=secret)


def delivery_view_of(delivery: Delivery) -> DeliveryView:
    return DeliveryView(
        event_id=delivery.public_event_id,
        type=delivery.type,
        status=delivery.status,
        attempts=delivery.attempts,
        next_attempt_at=None if delivery.due_ms is None else times.of_milliseconds(delivery.due_ms),
        last_status=delivery.last_status,
        last_error=delivery.last_error,
        occurred_at=times.of_milliseconds(ids.unix_ms_of(delivery.event_id)),
        delivered_at=_time(delivery.delivered_at),
    )


def _time(seconds: int | None) -> str | None:
    return None if seconds is None else times.of_seconds(seconds)

"""Webhook endpoints over HTTP: decode, call, encode."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from guestpass.core import times
from guestpass.core.webhooks.subscriptions import DEFAULT_EVENTS
from guestpass.server.api_keys.service import Actor
from guestpass.server.http import paging
from guestpass.server.http.exchange import Answer, Exchange, answer
from guestpass.server.http.routes import Creates, Route
from guestpass.server.projects.service import Issuer, Issuers
from guestpass.server.webhooks import api, wishes
from guestpass.server.webhooks.service import Described, Edit, MadeSecret, NewEndpoint, Webhooks, decoded
from guestpass.server.webhooks.wishes import Wishes


class WebhookRoutes:
    def __init__(self, webhooks: Webhooks, issuers: Issuers, wishes: Wishes) -> None:
        self._webhooks = webhooks
        self._issuers = issuers
        self._wishes = wishes

    async def page(self, call: Exchange) -> Answer:
        limit = paging.limit(call.query)
        found = await self._webhooks.page(call.key.issuer, below=paging.below(call.query), limit=limit + 1)
        last = paging.cursor(found[limit - 1].endpoint.id) if len(found) > limit else None
        issuer = await self._issuer(call)
        return answer(api.EndpointPage([api.view_of(one, issuer) for one in found[:limit]], last))

    async def get(self, call: Exchange) -> Answer:
        return await self._view(call, await self._webhooks.get(call.key.issuer, call.parameters["id"]))

    async def create(self, call: Exchange) -> Answer:
        body: api.CreateRequest = call.body
        new = await self._webhooks.create(
            call.key.issuer,
            actor=Actor.of(call.key, call.where),
            url=self._wishes.url_of(body.url, (await self._issuer(call)).environment),
            description=wishes.description_of(body.description),
            events=DEFAULT_EVENTS if body.events is UNSET else wishes.events_of(body.events),
            riders=call.riders,
        )
        return await self._new(call, new)

    async def new_again(self, call: Exchange, made: MadeSecret) -> Answer:
        return await self._new(call, await self._webhooks.again(call.key.issuer, made))

    async def edit(self, call: Exchange) -> Answer:
        wished = self._wished(call.body, await self._issuer(call))
        edit = Edit(
            actor=Actor.of(call.key, call.where), issuer=call.key.issuer, endpoint_id=decoded(call.parameters["id"]), **wished
        )  # fmt: skip
        return await self._view(call, await self._webhooks.edit(edit, call.riders))

    async def rotate(self, call: Exchange) -> Answer:
        body: api.RotateRequest = call.body
        new = await self._webhooks.rotate(
            call.key.issuer,
            call.parameters["id"],
            actor=Actor.of(call.key, call.where),
            overlap_seconds=body.overlap_seconds,
            riders=call.riders,
        )
        return await self._new(call, new)

    async def delete(self, call: Exchange) -> Answer:
        deleted = await self._webhooks.delete(
            call.key.issuer, call.parameters["id"], actor=Actor.of(call.key, call.where), riders=call.riders
        )
        return answer(api.DeletedView(deleted.public_id, times.of_seconds(deleted.deleted_at or 0)))

    async def deliveries(self, call: Exchange) -> Answer:
        limit = paging.limit(call.query)
        found = await self._webhooks.deliveries(
            call.key.issuer, call.parameters["id"], below=paging.below(call.query), limit=limit + 1
        )
        last = paging.cursor(found[limit - 1].event_id) if len(found) > limit else None
        return answer(api.DeliveryPage([api.delivery_view_of(one) for one in found[:limit]], last))

    async def resend(self, call: Exchange) -> Answer:
        body: api.ResendRequest = call.body
        delivery = await self._webhooks.resend(
            call.key.issuer,
            call.parameters["id"],
            body.event_id,
            actor=Actor.of(call.key, call.where),
            riders=call.riders,
        )
        return answer(api.delivery_view_of(delivery))

    async def _issuer(self, call: Exchange) -> Issuer:
        return await self._issuers.by_number(call.key.issuer)

    async def _view(self, call: Exchange, described: Described) -> Answer:
        return answer(api.view_of(described, await self._issuer(call)))

    async def _new(self, call: Exchange, new: NewEndpoint) -> Answer:
        return answer(api.new_view_of(new.described, new.secret, await self._issuer(call)), status=201)

    def _wished(self, body: api.EditRequest, issuer: Issuer) -> dict[str, Any]:
        """Return what is to be changed, by the names of ``Edit``. Raises: ValidationFailed."""
        wished: dict[str, Any] = {"enabled": body.enabled}
        if body.url is not UNSET:
            wished["url"] = self._wishes.url_of(body.url, issuer.environment)
        if body.events is not UNSET:
            wished["events"] = wishes.events_of(body.events)
        if body.description is not UNSET:
            wished["description"] = wishes.description_of(body.description)
        return wished

    def table(self) -> list[Route]:
        """Return the routes of this room."""
        tag, every, one = "Webhooks", "/v1/webhook-endpoints", "/v1/webhook-endpoints/{id}"
        made = Creates(MadeSecret, self.new_again)
        return [
            Route(method="GET", path=every, handler=self.page, tag=tag, can="read",
                  summary="List webhook endpoints, newest first", query=paging.query("Webhook endpoints"),
                  answers={200: api.EndpointPage}, note="Those of your own project and environment."),
            Route(method="POST", path=every, handler=self.create, tag=tag, can="manage",
                  summary="Make a webhook endpoint", body=api.CreateRequest, answers={201: api.NewEndpointView},
                  creates=made, codes=("CONFLICT",), note="At most 16 of a project in an environment."),
            Route(method="GET", path=one, handler=self.get, tag=tag, can="read", summary="Get a webhook endpoint",
                  answers={200: api.EndpointView}, codes=("NOT_FOUND",)),
            Route(method="POST", path=one, handler=self.edit, tag=tag, can="manage",
                  summary="Change, enable or disable a webhook endpoint", body=api.EditRequest,
                  answers={200: api.EndpointView}, codes=("NOT_FOUND",)),
            Route(method="DELETE", path=one, handler=self.delete, tag=tag, can="manage",
                  summary="Delete a webhook endpoint, and what waits for it", answers={200: api.DeletedView},
                  codes=("NOT_FOUND",)),
            Route(method="POST", path=f"{one}/rotate", handler=self.rotate, tag=tag, can="manage",
                  summary="Give a webhook endpoint a new secret", body=api.RotateRequest, needs_body=False,
                  answers={201: api.NewEndpointView}, creates=made, codes=("NOT_FOUND",),
                  note="During the overlap every delivery carries a signature of each secret, and a receiver with either accepts it."),
            Route(method="GET", path=f"{one}/deliveries", handler=self.deliveries, tag=tag, can="read",
                  summary="List what was sent to a webhook endpoint, newest event first",
                  query=paging.query("Deliveries"), answers={200: api.DeliveryPage}, codes=("NOT_FOUND",),
                  note="What is done is kept for 7 days."),
            Route(method="POST", path=f"{one}/resend", handler=self.resend, tag=tag, can="manage",
                  summary="Send an event to a webhook endpoint again", body=api.ResendRequest,
                  answers={200: api.DeliveryView}, codes=("NOT_FOUND", "CONFLICT"),
                  note="With the same `webhook-id`: a receiver that has it by now ignores it."),
        ]  # fmt: skip

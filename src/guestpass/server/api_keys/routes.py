"""API keys over HTTP, for keys that can ``manage``: decode, call, encode."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from guestpass.server.api_keys import api, wishes
from guestpass.server.api_keys.service import Actor, ApiKeys, Described, Edit, Grant, MadeSecret, NewKey
from guestpass.server.clock import Clock
from guestpass.server.http import paging
from guestpass.server.http.exchange import Answer, Exchange, answer
from guestpass.server.http.routes import Creates, Route
from guestpass.server.projects.service import Issuers


class ApiKeyRoutes:
    def __init__(self, api_keys: ApiKeys, issuers: Issuers, clock: Clock) -> None:
        self._api_keys = api_keys
        self._issuers = issuers
        self._clock = clock

    async def page(self, call: Exchange) -> Answer:
        limit = paging.limit(call.query)
        found = await self._api_keys.page(call.key.issuer, below=paging.below(call.query), limit=limit + 1)
        last = paging.cursor(found[limit - 1].key.id) if len(found) > limit else None
        return answer(api.ApiKeyPage([await self._view(one) for one in found[:limit]], last))

    async def get(self, call: Exchange) -> Answer:
        return answer(await self._view(await self._api_keys.get(call.parameters["id"], Actor.of(call.key, call.where))))

    async def create(self, call: Exchange) -> Answer:
        body: api.CreateRequest = call.body
        own = call.key.grant
        grant = Grant(
            can=own.can if body.can is UNSET else wishes.can_of(body.can),
            ceiling=own.ceiling if body.operations is UNSET else wishes.ceiling_of(body.operations),
            ip_ranges=own.ip_ranges if body.ip_ranges is UNSET else wishes.ip_ranges_of(body.ip_ranges),
            expires_at=own.expires_at
            if body.expires_at is UNSET
            else wishes.expires_at_of(body.expires_at, self._clock()),
        )
        new = await self._api_keys.create(
            await self._issuers.by_number(call.key.issuer),
            wishes.name_of(body.name),
            grant,
            actor=Actor.of(call.key, call.where),
            signing=body.signing,
            riders=call.riders,
        )
        return await self._new(new)

    async def new_again(self, call: Exchange, made: MadeSecret) -> Answer:
        return await self._new(await self._api_keys.again(made, Actor.of(call.key, call.where), call.key.issuer))

    async def edit(self, call: Exchange) -> Answer:
        body: api.EditRequest = call.body
        actor = Actor.of(call.key, call.where)
        key_id, issuer = await self._api_keys.target(call.parameters["id"], actor)
        edit = Edit(actor=actor, issuer=issuer, key_id=key_id, **_wished(body, self._clock()))
        return answer(await self._view(await self._api_keys.edit(edit, call.riders)))

    async def rotate(self, call: Exchange) -> Answer:
        body: api.RotateRequest = call.body
        new = await self._api_keys.rotate(
            call.parameters["id"],
            actor=Actor.of(call.key, call.where),
            overlap_seconds=body.overlap_seconds,
            riders=call.riders,
        )
        return await self._new(new)

    async def revoke(self, call: Exchange) -> Answer:
        body: api.RevokeRequest = call.body
        revoked = await self._api_keys.revoke(
            call.parameters["id"],
            actor=Actor.of(call.key, call.where),
            keep_sessions=body.keep_sessions,
            riders=call.riders,
        )
        return answer(await self._view(revoked))

    async def _view(self, described: Described) -> api.ApiKeyView:
        return api.view_of(described, await self._issuers.by_number(described.key.issuer), self._clock())

    async def _new(self, new: NewKey) -> Answer:
        issuer = await self._issuers.by_number(new.key.issuer)
        return answer(api.new_view_of(new.described, new.secret, issuer, self._clock()), status=201)

    def table(self) -> list[Route]:
        """Return the routes of this room."""
        tag, one = "API keys", "/v1/api-keys/{id}"
        made = Creates(MadeSecret, self.new_again)
        return [
            Route(method="GET", path="/v1/api-keys", handler=self.page, tag=tag, can="manage",
                  summary="List API keys, newest first", query=paging.query("API keys"), answers={200: api.ApiKeyPage},
                  note="Those of your own project and environment, also what has ended."),
            Route(method="POST", path="/v1/api-keys", handler=self.create, tag=tag, can="manage",
                  summary="Make an API key", body=api.CreateRequest, answers={201: api.NewApiKeyView}, creates=made),
            Route(method="GET", path=one, handler=self.get, tag=tag, can="manage", summary="Get an API key",
                  answers={200: api.ApiKeyView}, codes=("NOT_FOUND",)),
            Route(method="POST", path=one, handler=self.edit, tag=tag, can="manage",
                  summary="Change what an API key may do, or its name", body=api.EditRequest,
                  answers={200: api.ApiKeyView}, codes=("NOT_FOUND", "CONFLICT"),
                  note="Every server follows within a second. A key that has ended stays so: CONFLICT."),
            Route(method="POST", path=f"{one}/rotate", handler=self.rotate, tag=tag, can="manage",
                  summary="Give an API key a new secret", body=api.RotateRequest, needs_body=False,
                  answers={201: api.NewApiKeyView}, creates=made, codes=("NOT_FOUND",),
                  note="Its sessions live on. Older secrets work until their `endsAt`; at most five at once."),
            Route(method="POST", path=f"{one}/revoke", handler=self.revoke, tag=tag, can="manage",
                  summary="Revoke an API key, and end its sessions", body=api.RevokeRequest, needs_body=False,
                  answers={200: api.ApiKeyView}, codes=("NOT_FOUND",),
                  note="In one transaction. Again, it changes nothing. It also takes a key that can do more than yours."),
        ]  # fmt: skip


def _wished(body: api.EditRequest, now: float) -> dict[str, Any]:
    """Return what is to be changed, by the names of ``Edit``."""
    wished: dict[str, Any] = {}
    if body.name is not UNSET:
        wished["name"] = wishes.name_of(body.name)
    if body.can is not UNSET:
        wished["can"] = wishes.can_of(body.can)
    if body.operations is not UNSET:
        wished["ceiling"] = wishes.ceiling_of(body.operations)
    if body.ip_ranges is not UNSET:
        wished["ip_ranges"] = wishes.ip_ranges_of(body.ip_ranges)
    if body.expires_at is not UNSET:
        wished["expires_at"] = wishes.expires_at_of(body.expires_at, now)
    return wished

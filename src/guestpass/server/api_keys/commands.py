"""``guestpass keys``: make, list, edit, rotate and revoke API keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec
from cyclopts import App, Parameter

from guestpass.core.bounds import OVERLAP_SECONDS_DEFAULT, OVERLAP_SECONDS_MAX
from guestpass.core.tokens.kinds import ENVIRONMENTS
from guestpass.errors import ValidationFailed
from guestpass.server.api_keys import api, wishes
from guestpass.server.api_keys.service import OPERATOR, Described, Edit, Grant, NewKey
from guestpass.server.app import Service
from guestpass.server.command_line import Env, InProject, StoreOptions, issuer_of, opened, run, show, show_table

app = App(name="keys", help="API keys: what your backends call with.")
_COLUMNS = ("id", "environment", "name", "can", "operations", "signing", "createdAt", "expiresAt", "revokedAt")

Typed = TypeVar("Typed")
Read = TypeVar("Read")

Operations = Annotated[str | None, Parameter(help="The most that its tokens may do, like a,b; * is everything.")]
Can = Annotated[str | None, Parameter(help="What it may call, of mint,read,revoke,verify,manage.")]
IpRanges = Annotated[str | None, Parameter(help="Networks it may be used from, like 10.0.0.0/8,2001:db8::/32; or any.")]
Expires = Annotated[str | None, Parameter(help="When it ends, like 2030-01-31T12:00:00Z; or never.")]


@app.command
def create(  # noqa: PLR0913 - one option a bound
    *,
    name: str,
    env: Env = "test",
    project: InProject = None,
    operations: Operations = None,
    can: Can = None,
    ip_ranges: IpRanges = None,
    expires: Expires = None,
    signing: Annotated[
        bool, Parameter(negative=(), help="Let requests be signed with it; its secret is then kept, sealed.")
    ] = False,
    options: StoreOptions | None = None,
) -> None:
    """Make a key and print its secret, once. What is not named is not bounded."""
    wished = _Wished(operations, can, ip_ranges, expires)
    run(_create(options or StoreOptions(), (env, project), name, wished, signing=signing))


@app.command(name="list")
def list_keys(*, project: InProject = None, options: StoreOptions | None = None) -> None:
    """List keys of both environments, without their secrets."""
    run(_list(options or StoreOptions(), project))


@app.command
def edit(
    key_id: str,
    *,
    name: str | None = None,
    operations: Operations = None,
    can: Can = None,
    ip_ranges: IpRanges = None,
    expires: Expires = None,
    options: StoreOptions | None = None,
) -> None:
    """Change what a key may do, or its name. What is not named stays; every server follows within a second."""
    run(_edit(options or StoreOptions(), key_id, name, _Wished(operations, can, ip_ranges, expires)))


@app.command
def rotate(
    key_id: str,
    *,
    overlap_seconds: Annotated[
        int, Parameter(help="How long older secrets work on; 0: none does.")
    ] = OVERLAP_SECONDS_DEFAULT,
    options: StoreOptions | None = None,
) -> None:
    """Give a key a new secret and print it, once. Its sessions live on."""
    if not 0 <= overlap_seconds <= OVERLAP_SECONDS_MAX:
        raise ValidationFailed(f"--overlap-seconds must be from 0 to {OVERLAP_SECONDS_MAX}.")
    run(_rotate(options or StoreOptions(), key_id, overlap_seconds))


@app.command
def revoke(
    key_id: str,
    *,
    keep_sessions: Annotated[bool, Parameter(negative=(), help="Let the sessions it minted live on.")] = False,
    options: StoreOptions | None = None,
) -> None:
    """Revoke a key; the sessions it minted end with it."""
    run(_revoke(options or StoreOptions(), key_id, keep_sessions=keep_sessions))


class _Wished(msgspec.Struct):
    """The bounds as they were typed; None: not named."""

    operations: str | None
    can: str | None
    ip_ranges: str | None
    expires: str | None

    def parts(self, now: float) -> dict[str, Any]:
        """Return those that were named, by the names of a grant. Raises: ValidationFailed."""
        parts: dict[str, Any] = {}
        if self.operations is not None:
            parts["ceiling"] = _of("--operations", lambda text: wishes.ceiling_of(_words(text)), self.operations)
        if self.can is not None:
            parts["can"] = _of("--can", lambda text: wishes.can_of(_words(text)), self.can)
        if self.ip_ranges is not None:
            networks = None if self.ip_ranges == "any" else _words(self.ip_ranges)
            parts["ip_ranges"] = _of("--ip-ranges", wishes.ip_ranges_of, networks)
        if self.expires is not None:
            moment = None if self.expires == "never" else self.expires
            parts["expires_at"] = _of("--expires", lambda text: wishes.expires_at_of(text, now), moment)
        return parts


def _of(option: str, read: Callable[[Typed], Read], typed: Typed) -> Read:
    """Read what was typed; of a fault, name the option."""
    try:
        return read(typed)
    except ValidationFailed as fault:
        raise ValidationFailed(f"{option}: {fault.message}") from None


async def _create(
    options: StoreOptions, where: tuple[Env, str | None], name: str, wished: _Wished, *, signing: bool
) -> None:
    async with opened(options) as service:
        issuer = await issuer_of(service, *where)
        grant = Grant(**wished.parts(service.clock()))
        new = await service.api_keys.create(issuer, wishes.name_of(name), grant, actor=OPERATOR, signing=signing)
        shown = await _new(service, new)
    show(shown, as_json=options.json, text=f"{new.secret}\n\nThe secret of {new.key.public_id} is shown this once.")


async def _list(options: StoreOptions, project: str | None) -> None:
    async with opened(options) as service:
        issuers = [await issuer_of(service, environment, project) for environment in ENVIRONMENTS]
        rows = [await _shown(service, key) for key in await service.api_keys.all_of(issuers)]
    show_table(
        rows, _COLUMNS, as_json=options.json, empty="There are no API keys. Make one: guestpass keys create --name mine"
    )


async def _edit(options: StoreOptions, key_id: str, name: str | None, wished: _Wished) -> None:
    async with opened(options) as service:
        parts = wished.parts(service.clock()) | ({} if name is None else {"name": wishes.name_of(name)})
        if not parts:
            raise ValidationFailed("Name at least one thing to change; guestpass keys edit --help lists them.")
        target, issuer = await service.api_keys.target(key_id, OPERATOR)
        edited = await service.api_keys.edit(Edit(actor=OPERATOR, issuer=issuer, key_id=target, **parts))
        shown = await _shown(service, edited)
    show(shown, as_json=options.json)


async def _rotate(options: StoreOptions, key_id: str, overlap_seconds: int) -> None:
    async with opened(options) as service:
        new = await service.api_keys.rotate(key_id, actor=OPERATOR, overlap_seconds=overlap_seconds)
        shown = await _new(service, new)
    older = f"older ones work for {overlap_seconds} s more" if overlap_seconds else "no other works"
    text = f"{new.secret}\n\nThe new secret of {new.key.public_id} is shown this once; {older}."
    show(shown, as_json=options.json, text=text)


async def _revoke(options: StoreOptions, key_id: str, *, keep_sessions: bool) -> None:
    async with opened(options) as service:
        revoked = await service.api_keys.revoke(key_id, actor=OPERATOR, keep_sessions=keep_sessions)
        shown = await _shown(service, revoked)
    kept = "live on" if keep_sessions else "have ended"
    text = f"{revoked.key.public_id} is revoked; the sessions it minted {kept}."
    show(shown, as_json=options.json, text=text)


async def _shown(service: Service, described: Described) -> dict[str, Any]:
    issuer = await service.issuers.by_number(described.key.issuer)
    shown: dict[str, Any] = msgspec.to_builtins(api.view_of(described, issuer, service.clock()))
    return shown


async def _new(service: Service, new: NewKey) -> dict[str, Any]:
    return {**await _shown(service, new.described), "secret": new.secret}


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]

"""``guestpass keys``: make, list and revoke API keys."""

from __future__ import annotations

from typing import Annotated, get_args

from cyclopts import App, Parameter

from guestpass.core import times
from guestpass.core.callers.api_key import ALL_CAN, Can
from guestpass.core.tokens import operations
from guestpass.core.tokens.kinds import ENVIRONMENTS
from guestpass.errors import ValidationFailed
from guestpass.server.api_keys.service import ApiKey
from guestpass.server.app import Service
from guestpass.server.command_line import (
    CLI_CALLER,
    Env,
    InProject,
    StoreOptions,
    issuer_of,
    opened,
    run,
    show,
    show_table,
)
from guestpass.server.projects.service import Issuer

app = App(name="keys", help="API keys: what your backends call with.")
_COLUMNS = ("id", "environment", "name", "can", "operations", "signing", "createdAt", "revokedAt")


@app.command
def create(
    *,
    name: str,
    env: Env = "test",
    project: InProject = None,
    operations: Annotated[
        str | None, Parameter(help="The most that its tokens may do, like a,b. Default: everything.")
    ] = None,
    can: Annotated[
        str | None, Parameter(help="What it may call: mint,read,revoke,verify,manage. Default: all.")
    ] = None,
    signing: Annotated[
        bool, Parameter(negative=(), help="Let requests be signed with it; its secret is then kept, sealed.")
    ] = False,
    options: StoreOptions | None = None,
) -> None:
    """Make a key and print its secret, once."""
    run(_create(options or StoreOptions(), (env, project), name, operations, can, signing=signing))


@app.command(name="list")
def list_keys(*, project: InProject = None, options: StoreOptions | None = None) -> None:
    """List keys of both environments, without their secrets."""
    run(_list(options or StoreOptions(), project))


@app.command
def revoke(
    key_id: str,
    *,
    keep_sessions: Annotated[bool, Parameter(negative=(), help="Let the sessions it minted live on.")] = False,
    options: StoreOptions | None = None,
) -> None:
    """Revoke a key; the sessions it minted end with it."""
    run(_revoke(options or StoreOptions(), key_id, keep_sessions=keep_sessions))


async def _create(
    options: StoreOptions,
    where: tuple[Env, str | None],
    name: str,
    names: str | None,
    can: str | None,
    *,
    signing: bool,
) -> None:
    async with opened(options) as service:
        issuer = await issuer_of(service, *where)
        new = await service.api_keys.create(issuer, name, can=_can(can), ceiling=_ceiling(names), signing=signing)
    shown = {**_shown(new.key, issuer), "secret": new.secret}
    show(shown, as_json=options.json, text=f"{new.secret}\n\nThe secret of {new.key.public_id} is shown this once.")


async def _list(options: StoreOptions, project: str | None) -> None:
    async with opened(options) as service:
        issuers = [await issuer_of(service, environment, project) for environment in ENVIRONMENTS]
        by_number = {issuer.number: issuer for issuer in issuers}
        rows = [_shown(key, by_number[key.issuer]) for key in await service.api_keys.all_of(issuers)]
    show_table(
        rows, _COLUMNS, as_json=options.json, empty="There are no API keys. Make one: guestpass keys create --name mine"
    )


async def _revoke(options: StoreOptions, key_id: str, *, keep_sessions: bool) -> None:
    async with opened(options) as service:
        issuers = await _all_issuers(service)
        key = await service.api_keys.revoke(key_id, issuers, by=CLI_CALLER, keep_sessions=keep_sessions)
        issuer = await service.issuers.by_number(key.issuer)
    kept = "live on" if keep_sessions else "have ended"
    show(_shown(key, issuer), as_json=options.json, text=f"{key.public_id} is revoked; the sessions it minted {kept}.")


async def _all_issuers(service: Service) -> list[Issuer]:
    return [await service.issuers.by_number(number) for number in await service.issuers.numbers()]


def _shown(key: ApiKey, issuer: Issuer) -> dict[str, object]:
    return {
        "id": key.public_id,
        "environment": issuer.environment,
        "projectId": issuer.project.id,
        "name": key.name,
        "can": sorted(key.can),
        "operations": operations.names_of(key.ceiling),
        "signing": key.signing,
        "createdAt": times.of_seconds(key.created_at),
        "revokedAt": None if key.revoked_at is None else times.of_seconds(key.revoked_at),
    }


def _can(text: str | None) -> tuple[Can, ...]:
    if text is None:
        return ALL_CAN
    wanted = [word.strip() for word in text.split(",")]
    unknown = [word for word in wanted if word not in get_args(Can)]
    if unknown:
        raise ValidationFailed(f"--can knows {', '.join(ALL_CAN)}; not {', '.join(unknown)}.")
    return tuple(word for word in ALL_CAN if word in wanted)


def _ceiling(text: str | None) -> str:
    if text is None:
        return operations.UNRESTRICTED
    names = [word.strip() for word in text.split(",") if word.strip()]
    fault = operations.fault_of_list(names)
    if fault:
        raise ValidationFailed(f"--operations{fault[0]} {fault[1]}.")
    return operations.scope_of(names)

"""``guestpass projects``: one project for each business whose backend calls."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from guestpass.core import times
from guestpass.core.tokens import operations
from guestpass.core.tokens.kinds import ENVIRONMENTS
from guestpass.errors import ValidationFailed
from guestpass.server.app import Service
from guestpass.server.command_line import Env, StoreOptions, opened, run, show, show_table
from guestpass.server.projects.service import Issuer, IssuerSettings, Project

app = App(name="projects", help="Projects: one for each business whose backend calls.")
_COLUMNS = ("id", "name", "createdAt")
_SETTINGS = {field.encode_name: field.name for field in msgspec.structs.fields(IssuerSettings)}

ByIdOrName = Annotated[str, Parameter(help="Its id or its name.")]
AccessExpiresIn = Annotated[int | None, Parameter(help="Life of an access token, seconds. Default: 900.")]
RefreshIdleIn = Annotated[
    int | None, Parameter(help="Seconds without a refresh that end a renewable session. Default: 604800.")
]
RefreshExpiresIn = Annotated[
    int | None, Parameter(help="Life of a renewable session in all, seconds. Default: 2592000.")
]
RefreshGrace = Annotated[
    int | None, Parameter(help="Seconds in which a used refresh token is answered again. Default: 30.")
]
OnSuspicion = Annotated[
    str | None, Parameter(help="Of a session whose refresh is odd: record, suspend or revoke. Default: record.")
]
SuspendedOperations = Annotated[
    str | None, Parameter(help="What goes on while a session is suspended, like read,list. Default: nothing.")
]


@app.command
def create(
    *,
    name: Annotated[str, Parameter(help="For you alone; no other project has it.")],
    options: StoreOptions | None = None,
) -> None:
    """Make a project, with its signing keys for test and live."""
    run(_create(options or StoreOptions(), name))


@app.command(name="list")
def list_projects(*, options: StoreOptions | None = None) -> None:
    """List projects, oldest first."""
    run(_list(options or StoreOptions()))


@app.command(name="show")
def show_project(project: ByIdOrName, *, options: StoreOptions | None = None) -> None:
    """Show a project: its issuers, and what it has set."""
    run(_show(options or StoreOptions(), project))


@app.command(name="set")
def set_project(  # noqa: PLR0913 - one option a setting
    project: ByIdOrName,
    *,
    env: Env = "test",
    audience: Annotated[str | None, Parameter(help="aud of its tokens. Default: its issuer.")] = None,
    min_expires_in: Annotated[int | None, Parameter(help="Least expiresIn of a mint, seconds. Default: 60.")] = None,
    default_expires_in: Annotated[int | None, Parameter(help="Where a mint asks for none. Default: 3600.")] = None,
    max_expires_in: Annotated[int | None, Parameter(help="Most expiresIn of a mint, seconds. Default: 86400.")] = None,
    mints_per_minute: Annotated[
        int | None, Parameter(help="With each of its API keys; 0: any number. Default: the server's setting.")
    ] = None,
    access_expires_in: AccessExpiresIn = None,
    refresh_idle_in: RefreshIdleIn = None,
    refresh_expires_in: RefreshExpiresIn = None,
    refresh_grace: RefreshGrace = None,
    on_suspicion: OnSuspicion = None,
    suspended_operations: SuspendedOperations = None,
    reset: Annotated[
        str | None, Parameter(help="Settings to put back to their defaults, like audience,maxExpiresIn.")
    ] = None,
    options: StoreOptions | None = None,
) -> None:
    """Change settings of a project in one environment. Every server follows within a second."""
    given = {
        "audience": audience,
        "min_expires_in": min_expires_in,
        "default_expires_in": default_expires_in,
        "max_expires_in": max_expires_in,
        "mints_per_minute": mints_per_minute,
        "access_expires_in": access_expires_in,
        "refresh_idle_in": refresh_idle_in,
        "refresh_expires_in": refresh_expires_in,
        "refresh_grace": refresh_grace,
        "on_suspicion": on_suspicion,
        "suspended_operations": None if suspended_operations is None else _scope(suspended_operations),
    }
    changes: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    for name in _named(reset):
        if name in changes:
            raise ValidationFailed("--reset names a setting that is set by the same command.")
        changes[name] = None
    if not changes:
        raise ValidationFailed("Name at least one setting; guestpass projects set --help lists them.")
    run(_set(options or StoreOptions(), project, env, changes))


def _scope(names: str) -> str:
    return operations.scope_of([name.strip() for name in names.split(",") if name.strip()])


def _named(reset: str | None) -> list[str]:
    words = [word.strip() for word in reset.split(",")] if reset is not None else []
    unknown = [word for word in words if word not in _SETTINGS]
    if unknown:
        raise ValidationFailed(f"--reset knows {', '.join(_SETTINGS)}; not {', '.join(unknown)}.")
    return [_SETTINGS[word] for word in words]


async def _create(options: StoreOptions, name: str) -> None:
    async with opened(options) as service:
        project = await service.make_project(name)
        shown = await _whole(service, project)
    text = f"{project.id} is made.\nNext: guestpass keys create --project {project.id} --name mine"
    show(shown, as_json=options.json, text=text)


async def _list(options: StoreOptions) -> None:
    async with opened(options) as service:
        rows = [_shown(project) for project in await service.issuers.projects()]
    show_table(rows, _COLUMNS, as_json=options.json, empty="There are no projects.")


async def _show(options: StoreOptions, id_or_name: str) -> None:
    async with opened(options) as service:
        shown = await _whole(service, await service.issuers.project(id_or_name))
    show(shown, as_json=options.json)


async def _set(options: StoreOptions, id_or_name: str, env: Env, changes: dict[str, object]) -> None:
    async with opened(options) as service:
        project = await service.issuers.project(id_or_name)
        await service.issuers.set(await service.issuers.of(project, env), changes)
        shown = await _whole(service, project)
    show(shown, as_json=options.json)


async def _whole(service: Service, project: Project) -> dict[str, Any]:
    issuers = {each: _issuer(await service.issuers.of(project, each)) for each in ENVIRONMENTS}
    return {**_shown(project), "issuers": issuers}


def _shown(project: Project) -> dict[str, Any]:
    return {"id": project.id, "name": project.name, "createdAt": times.of_seconds(project.created_at)}


def _issuer(issuer: Issuer) -> dict[str, Any]:
    settings: dict[str, Any] = msgspec.to_builtins(issuer.settings)
    return {
        "issuer": issuer.url,
        "jwksUrl": f"{issuer.location}/.well-known/jwks.json",
        **settings,
        "suspendedOperations": operations.names_of(issuer.settings.suspended_operations),
        "audience": issuer.audience,
    }

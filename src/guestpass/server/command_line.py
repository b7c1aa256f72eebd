"""What every command shares: how it opens the store, shows its result, and ends."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from cyclopts import Parameter

from guestpass.core.tokens.kinds import Environment
from guestpass.errors import (
    CallerError,
    Conflict,
    GuestpassError,
    NotFound,
    OperationNotAllowed,
    RequestError,
    TokenError,
    Unavailable,
)
from guestpass.server.api_keys.service import OPERATOR
from guestpass.server.app import Service, open_configured
from guestpass.server.opening import is_initialized
from guestpass.server.operate.settings import Settings, SettingsError, Sourced, load
from guestpass.server.projects.service import DEFAULT_PROJECT, Issuer
from guestpass.server.storage.copies import StoreRefused
from guestpass.server.storage.sealing import MasterKeyError

OK, FAILED, USAGE, REFUSED, NOT_FOUND, UNREACHABLE = range(6)
CLI_CALLER = OPERATOR.name  # revokedBy of what an operator ends

Result = TypeVar("Result")


@Parameter(name="*")
@dataclass(frozen=True)
class StoreOptions:
    """Options of every command that works on the store."""

    data_dir: str | None = None
    "Directory of the embedded store. [default: ./.guestpass]"
    database_url: str | None = None
    "PostgreSQL, in place of the embedded store: postgresql://user@host:5432/name"
    json: Annotated[bool, Parameter(negative=())] = False
    "Print one JSON value and nothing else."


Env = Annotated[Environment, Parameter(help="test or live")]
InProject = Annotated[str | None, Parameter(name="--project", help="Its id or its name. [default: default]")]


def settings_of(options: StoreOptions, **flags: Any) -> Sourced:
    return load({"data_dir": options.data_dir, "database_url": options.database_url, **flags}, os.environ)


@asynccontextmanager
async def opened(options: StoreOptions) -> AsyncIterator[Service]:
    """Open the service that ``options`` name; the store must be there. Raises: NotFound."""
    settings = settings_of(options).settings
    await require_store(settings)
    service = await open_configured(settings)
    try:
        yield service
    finally:
        await service.close()


async def issuer_of(service: Service, env: Environment, project: str | None) -> Issuer:
    """Return the issuer that ``--env`` and ``--project`` name. Raises: NotFound."""
    return await service.issuers.of(await service.issuers.project(project or DEFAULT_PROJECT), env)


async def require_store(settings: Settings) -> None:
    if not await is_initialized(settings):
        if settings.database_url:
            raise NotFound("There is no store in this database yet. Make one with: guestpass init")
        raise NotFound(
            f"There is no store in {settings.data_dir}. Make one with: guestpass init --data-dir {settings.data_dir}"
        )


def run(work: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(work)


def show(value: Any, *, as_json: bool, text: str | None = None) -> None:
    """Print a result: one JSON value, or what a person reads."""
    if as_json or text is None:
        sys.stdout.write(json.dumps(value, indent=None if as_json else 2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(text + "\n")


def show_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool, empty: str) -> None:
    """Print rows: a JSON array; a table on a terminal; tab-separated lines into a pipe."""
    if as_json:
        show(list(rows), as_json=True)
    elif not rows:
        sys.stderr.write(empty + "\n")
    elif sys.stdout.isatty():
        _rich_table(rows, columns)
    else:
        for row in rows:
            sys.stdout.write("\t".join(_cell(row[column]) for column in columns) + "\n")


def _rich_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    from rich.console import Console  # noqa: PLC0415 - 60 ms that only a terminal pays
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(_cell(row[column])) for column in columns))
    Console().print(table)


def _cell(value: Any) -> str:
    text = " ".join(value) if isinstance(value, list) else "" if value is None else str(value)
    return text.replace("\t", " ").replace("\n", " ")


def exit_code_of(error: Exception) -> int:
    """Return the exit code of a command that ended with ``error``."""
    if isinstance(error, NotFound):
        return NOT_FOUND
    if isinstance(error, Unavailable):
        return UNREACHABLE
    if isinstance(error, TokenError | CallerError | OperationNotAllowed | Conflict | StoreRefused):
        return REFUSED
    if isinstance(error, RequestError | SettingsError):
        return USAGE
    return FAILED


EXPECTED_ERRORS = (GuestpassError, MasterKeyError, SettingsError, StoreRefused)

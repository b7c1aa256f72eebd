"""The tables projects and issuer_settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from guestpass.server.projects.model import IssuerSettings, Project
from guestpass.server.storage.store import Row, Store, Transaction

_COLUMNS = "number, id, name, created_at"
_P_COLUMNS = ", ".join(f"p.{name}" for name in _COLUMNS.split(", "))


async def add_if_new(tx: Transaction, project_id: str, name: str, *, now: int) -> Project:
    """Insert a project of that name, or return the one that is there."""
    await tx.execute(
        "INSERT INTO projects (id, name, created_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
        (project_id, name, now),
    )
    (found,) = await tx.fetch(f"SELECT {_COLUMNS} FROM projects WHERE name = ?", (name,))  # noqa: S608
    return Project(*found)


async def numbers(tx: Transaction) -> list[int]:
    """Return the number of every project."""
    return [row[0] for row in await tx.fetch("SELECT number FROM projects ORDER BY number")]


async def id_of(tx: Transaction, number: int) -> str:
    ((project_id,),) = await tx.fetch("SELECT id FROM projects WHERE number = ?", (number,))
    return str(project_id)


async def by_id(store: Store, project_id: str) -> Project | None:
    return await _find(store, "id", project_id)


async def by_name(store: Store, name: str) -> Project | None:
    return await _find(store, "name", name)


async def _find(store: Store, column: Literal["id", "name"], value: str) -> Project | None:
    rows = await store.look_up(f"SELECT {_COLUMNS} FROM projects WHERE {column} = ?", (value,))  # noqa: S608
    return Project(*rows[0]) if rows else None


async def all_of_them(tx: Transaction) -> list[Project]:
    """Return every project, oldest first."""
    return [Project(*row) for row in await tx.fetch(f"SELECT {_COLUMNS} FROM projects ORDER BY number")]  # noqa: S608


async def with_settings(store: Store, number: int, issuer: int) -> tuple[Project, IssuerSettings] | None:
    """Return a project with what it has set for one of its issuers, in one look-up."""
    rows = await store.look_up(
        f"SELECT {_P_COLUMNS}, s.name, s.value FROM projects p"  # noqa: S608
        " LEFT JOIN issuer_settings s ON s.issuer = ? WHERE p.number = ?",
        (issuer, number),
    )
    return (Project(*rows[0][:4]), _settings([row[4:] for row in rows])) if rows else None


async def settings_of(tx: Transaction, issuer: int) -> IssuerSettings:
    return _settings(await tx.fetch("SELECT name, value FROM issuer_settings WHERE issuer = ?", (issuer,)))


def _settings(rows: list[Row]) -> IssuerSettings:
    """Read settings; those that a later version will know are left alone."""
    known = IssuerSettings.__struct_fields__
    return IssuerSettings(**{name: msgspec.json.decode(value) for name, value in rows if name in known})


async def put_settings(tx: Transaction, issuer: int, changes: Mapping[str, object]) -> None:
    """Write some settings; None puts one back to its default."""
    for name, value in sorted(changes.items()):
        if value is None:
            await tx.execute("DELETE FROM issuer_settings WHERE issuer = ? AND name = ?", (issuer, name))
        else:
            await tx.execute(
                "INSERT INTO issuer_settings (issuer, name, value) VALUES (?, ?, ?)"
                " ON CONFLICT (issuer, name) DO UPDATE SET value = excluded.value",
                (issuer, name, msgspec.json.encode(value).decode()),
            )

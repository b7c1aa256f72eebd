"""The projects table."""

from __future__ import annotations

from typing import Literal

from guestpass.server.projects.model import Project
from guestpass.server.storage.store import Store, Transaction

_COLUMNS = "number, id, name"


async def add_if_new(tx: Transaction, project_id: str, name: str, *, now: int) -> Project:
    """Insert a project of that name, or return the one that is there."""
    await tx.execute(
        "INSERT INTO projects (id, name, created_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
        (project_id, name, now),
    )
    (found,) = await tx.fetch(f"SELECT {_COLUMNS} FROM projects WHERE name = ?", (name,))  # noqa: S608
    return Project(*found)


async def by_id(store: Store, project_id: str) -> Project | None:
    return await _find(store, "id", project_id)


async def by_number(store: Store, number: int) -> Project | None:
    return await _find(store, "number", number)


async def by_name(store: Store, name: str) -> Project | None:
    return await _find(store, "name", name)


async def _find(store: Store, column: Literal["id", "number", "name"], value: str | int) -> Project | None:
    rows = await store.look_up(f"SELECT {_COLUMNS} FROM projects WHERE {column} = ?", (value,))  # noqa: S608
    return Project(*rows[0]) if rows else None

"""Projects and issuers: make and set them, and find them by number, by a path, by the unverified word of a token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from guestpass.core import ids
from guestpass.core.tokens.kinds import ENVIRONMENTS, Environment
from guestpass.errors import Conflict, NotFound, ValidationFailed
from guestpass.server.audit import service as audit
from guestpass.server.audit.service import COMMAND_LINE, STORE, SYSTEM, AuditEvent
from guestpass.server.clock import Clock, Entropy
from guestpass.server.projects import model, policy, sql
from guestpass.server.projects.model import DEFAULT_PROJECT, WORD, Issuer, IssuerSettings, Project
from guestpass.server.remembered import Remembered
from guestpass.server.storage.store import Locks, Store, Transaction

__all__ = [
    "DEFAULT_PROJECT",
    "WORD",
    "Issuer",
    "IssuerNames",
    "IssuerSettings",
    "Issuers",
    "Project",
    "issuer_names",
    "issuer_numbers",
]

SETTINGS_SECONDS = 0.5  # so much later another server's change of settings may be seen here


async def issuer_numbers(tx: Transaction) -> list[int]:
    """Return the number of every issuer."""
    return [model.issuer_of(number, name) for number in await sql.numbers(tx) for name in ENVIRONMENTS]


async def issuer_names(tx: Transaction) -> dict[int, tuple[str, Environment]]:
    """Return (project id, environment) of every issuer, by its number."""
    return {
        model.issuer_number(project, name): (project.id, name)
        for project in await sql.all_of_them(tx)
        for name in ENVIRONMENTS
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerNames:
    """The ``iss`` and ``aud`` by which an operator replaces those of the default project, per environment."""

    urls: dict[Environment, str] = field(default_factory=dict)
    audiences: dict[Environment, str] = field(default_factory=dict)


class _New(NamedTuple):
    id: str
    name: str
    now: int


class _Change(NamedTuple):
    issuer: int
    changes: Mapping[str, object]


class Issuers:
    """Every project of this server, and the issuers that it is."""

    def __init__(self, store: Store, base_url: str, names: IssuerNames, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self.base_url = base_url
        self._names = names
        self._clock = clock
        self._entropy = entropy
        self._issuers = Remembered(self._look_up, clock, SETTINGS_SECONDS)

    async def make_default(self) -> Project:
        """Make the project ``default`` where it is missing."""

        async def act(tx: Transaction, items: list[_New]) -> list[Project]:
            return await _make_each(tx, items, SYSTEM)

        return await self._store.write(act, self._new(DEFAULT_PROJECT))

    async def make_project(self, name: str) -> Project:
        """Make a project; its issuers have no signing keys yet. Raises: ValidationFailed, Conflict."""
        policy.check_name(name)

        async def act(tx: Transaction, items: list[_New]) -> list[Project | Exception]:
            await tx.lock(Locks.STORE, [0])
            made = await _make_each(tx, items, COMMAND_LINE)
            return [
                project if project.id == new.id else Conflict(f"There is a project of that name: {project.id}.")
                for project, new in zip(made, items, strict=True)
            ]

        return await self._store.write(act, self._new(name))

    def _new(self, name: str) -> _New:
        now = self._clock()
        return _New(
            ids.encode(WORD, ids.time_ordered(int(now * 1000), self._entropy(ids.ENTROPY_BYTES))), name, int(now)
        )

    async def projects(self) -> list[Project]:
        """Return every project, oldest first."""
        return await self._store.read(sql.all_of_them)

    async def names(self) -> dict[int, tuple[str, Environment]]:
        """Return (project id, environment) of every issuer, by its number."""
        return await self._store.read(issuer_names)

    async def numbers(self) -> list[int]:
        """Return the number of every issuer there is."""
        return [model.issuer_number(project, each) for project in await self.projects() for each in ENVIRONMENTS]

    async def project(self, id_or_name: str) -> Project:
        """Return a project by its id or its exact name. Raises: NotFound."""
        is_id = id_or_name.startswith(f"{WORD}_")
        found = await (sql.by_id if is_id else sql.by_name)(self._store, id_or_name)
        if found is None:
            raise NotFound("There is no such project.")
        return found

    async def of(self, project: Project, environment: Environment) -> Issuer:
        return await self.by_number(model.issuer_number(project, environment))

    async def set(self, issuer: Issuer, changes: Mapping[str, object]) -> IssuerSettings:
        """Change settings of an issuer, None putting one back to its default; return all of them.

        Held against each other inside the transaction that writes them. Raises: ValidationFailed.
        """
        settings = await self._store.write(_set_each, _Change(issuer.number, changes))
        self._issuers.forget()
        return settings

    async def by_number(self, number: int) -> Issuer:
        """Return an issuer that a row of ours names."""
        issuer = await self._issuers.get(number)
        if issuer is None:
            raise NotFound("The project is gone.")
        return issuer

    async def at(self, environment: str, project_id: str | None = None) -> Issuer:
        """Return the issuer of a path ``/{environment}`` or ``/{environment}/{project_id}``. Raises: NotFound."""
        if environment not in ENVIRONMENTS:
            raise NotFound
        named = sql.by_name(self._store, DEFAULT_PROJECT) if project_id is None else sql.by_id(self._store, project_id)
        project = await named
        if project is None or (project_id is not None and project.name == DEFAULT_PROJECT):
            raise NotFound
        return await self.of(project, environment)

    async def by_url(self, url: str) -> Issuer | None:
        """Return the issuer whose ``iss`` is exactly ``url``, or None."""
        for environment in ENVIRONMENTS:
            location = f"{self.base_url}/{environment}"
            if url in (self._names.urls.get(environment), location):
                issuer = await self.at(environment)
            elif url.startswith(location + "/"):
                project = await sql.by_id(self._store, url.removeprefix(location + "/"))
                if project is None:
                    continue
                issuer = await self.of(project, environment)
            else:
                continue
            if issuer.url == url:
                return issuer
        return None

    async def _look_up(self, number: int) -> Issuer | None:
        found = await sql.with_settings(self._store, model.project_number_of(number), number)
        return None if found is None else self._issuer(*found, model.environment_of(number))

    def _issuer(self, project: Project, settings: IssuerSettings, environment: Environment) -> Issuer:
        is_default = project.name == DEFAULT_PROJECT
        location = f"{self.base_url}/{environment}" + ("" if is_default else f"/{project.id}")
        url = self._names.urls.get(environment, location) if is_default else location
        replaced = self._names.audiences.get(environment) if is_default else None
        return Issuer(
            number=model.issuer_number(project, environment),
            project=project,
            environment=environment,
            url=url,
            audience=replaced or settings.audience or url,
            location=location,
            settings=settings,
        )


async def _make_each(tx: Transaction, items: list[_New], actor: str) -> list[Project]:
    """Make projects; where there is one of that name, return it."""
    made = [await sql.add_if_new(tx, new.id, new.name, now=new.now) for new in items]
    events = [
        AuditEvent(issuer=STORE, action="project.created", actor=actor, targets=(project.id,))
        for project, new in zip(made, items, strict=True)
        if project.id == new.id
    ]
    await audit.record(tx, events)
    return made


async def _set_each(tx: Transaction, items: list[_Change]) -> list[IssuerSettings | Exception]:
    await tx.lock(Locks.ISSUER, {item.issuer for item in items})
    outcomes: list[IssuerSettings | Exception] = []
    events: list[AuditEvent] = []
    for item in items:
        before = await sql.settings_of(tx, item.issuer)
        try:
            after = policy.changed(before, item.changes)
        except ValidationFailed as fault:
            outcomes.append(fault)
            continue
        await sql.put_settings(tx, item.issuer, item.changes)
        outcomes.append(after)
        events += await _events_of(tx, item.issuer, before, after)
    await audit.record(tx, events)
    return outcomes


async def _events_of(tx: Transaction, issuer: int, before: IssuerSettings, after: IssuerSettings) -> list[AuditEvent]:
    shown: dict[str, object] = msgspec.to_builtins(after)
    changed = {name: shown[name] for name, value in msgspec.to_builtins(before).items() if value != shown[name]}
    if not changed:
        return []
    project_id = await sql.id_of(tx, model.project_number_of(issuer))
    event = AuditEvent(
        issuer=issuer, action="project.updated", actor=COMMAND_LINE, targets=(project_id,), detail={"settings": changed}
    )
    return [event]

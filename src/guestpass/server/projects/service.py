"""Find issuers: by number, by the path of a request, by the unverified word of a token."""

from __future__ import annotations

from dataclasses import dataclass, field

from guestpass.core import ids
from guestpass.core.tokens.kinds import ENVIRONMENTS, Environment
from guestpass.errors import NotFound
from guestpass.server.clock import Clock, Entropy
from guestpass.server.projects import model, sql
from guestpass.server.projects.model import DEFAULT_PROJECT, Issuer, Project
from guestpass.server.storage.store import Store, Transaction

__all__ = ["DEFAULT_PROJECT", "Issuer", "IssuerNames", "Issuers", "Project"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerNames:
    """The ``iss`` and ``aud`` by which an operator replaces those of the default project, per environment."""

    urls: dict[Environment, str] = field(default_factory=dict)
    audiences: dict[Environment, str] = field(default_factory=dict)


class Issuers:
    """Every issuer of this server. A project never changes its number or id, so both are remembered."""

    def __init__(self, store: Store, base_url: str, names: IssuerNames, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self.base_url = base_url
        self._names = names
        self._clock = clock
        self._entropy = entropy
        self._known: dict[int, Issuer] = {}

    async def make_default(self) -> Project:
        """Make the project ``default`` where it is missing."""

        async def act(tx: Transaction, items: list[str]) -> list[Project]:
            return [
                await sql.add_if_new(tx, project_id, DEFAULT_PROJECT, now=int(self._clock())) for project_id in items
            ]

        now_ms = int(self._clock() * 1000)
        new_id = ids.encode("proj", ids.time_ordered(now_ms, self._entropy(ids.ENTROPY_BYTES)))
        return await self._store.write(act, new_id)

    async def by_number(self, number: int) -> Issuer:
        """Return an issuer that a row of ours names."""
        issuer = self._known.get(number)
        if issuer is None:
            project = await sql.by_number(self._store, model.project_number_of(number))
            if project is None:
                raise NotFound("The project is gone.")
            issuer = self._known[number] = self._issuer(project, model.environment_of(number))
        return issuer

    async def at(self, environment: str, project_id: str | None = None) -> Issuer:
        """Return the issuer of a path ``/{environment}`` or ``/{environment}/{project_id}``. Raises: NotFound."""
        if environment not in ENVIRONMENTS:
            raise NotFound
        named = sql.by_name(self._store, DEFAULT_PROJECT) if project_id is None else sql.by_id(self._store, project_id)
        project = await named
        if project is None or (project_id is not None and project.name == DEFAULT_PROJECT):
            raise NotFound
        return await self.by_number(model.issuer_number(project, environment))

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
                issuer = await self.by_number(model.issuer_number(project, environment))
            else:
                continue
            if issuer.url == url:
                return issuer
        return None

    def _issuer(self, project: Project, environment: Environment) -> Issuer:
        is_default = project.name == DEFAULT_PROJECT
        location = f"{self.base_url}/{environment}" + ("" if is_default else f"/{project.id}")
        url = self._names.urls.get(environment, location) if is_default else location
        audience = self._names.audiences.get(environment, url) if is_default else url
        return Issuer(
            number=model.issuer_number(project, environment),
            project=project,
            environment=environment,
            url=url,
            audience=audience,
            location=location,
        )

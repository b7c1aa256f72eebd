"""``guestpass master-key`` and ``guestpass db``: what a store is sealed with, and its schema."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from guestpass.errors import ValidationFailed
from guestpass.server.command_line import FAILED, OK, StoreOptions, require_store, run, settings_of, show
from guestpass.server.opening import bring_to_head, store_as_it_is
from guestpass.server.operate import master_key
from guestpass.server.operate.settings import Settings
from guestpass.server.storage import migrate

master_key_app = App(name="master-key", help="The key that seals the store's secrets.")
db_app = App(name="db", help="The schema of the store.")
DUE = FAILED  # the exit code of --check where a migration is due


@master_key_app.command
def generate(*, options: StoreOptions | None = None) -> None:
    """Print a new master key. Nothing is changed: give it to the servers as GUESTPASS_MASTER_KEY."""
    options = options or StoreOptions()
    key = master_key.next_key(settings_of(options).settings)
    shown = {"masterKey": key.to_text(), "version": key.version, "fingerprint": key.fingerprint}
    show(shown, as_json=options.json, text=key.to_text())


@master_key_app.command
def check(*, options: StoreOptions | None = None) -> int:
    """Open every sealed value of the store. Names both fingerprints where the key is not the one; then ends with 1."""
    options = options or StoreOptions()
    found = run(_check(settings_of(options).settings))
    shown = {
        "fingerprint": found.named,
        "configured": found.configured.fingerprint,
        "sealed": dict(found.sealed),
        "whole": found.is_whole,
    }
    show(shown, as_json=options.json, text=_in_words(found))
    return OK if found.is_whole else FAILED


@master_key_app.command
def rewrap(*, options: StoreOptions | None = None) -> None:
    """Seal every value anew: under GUESTPASS_MASTER_KEY, while GUESTPASS_MASTER_KEY_OLD still opens what is there.

    Without that setting, under a new key in the data directory. Servers go on. Run it again where it was broken off.
    """
    options = options or StoreOptions()
    moved = run(_rewrap(settings_of(options).settings))
    shown = {
        "fingerprint": moved.key.fingerprint,
        "version": moved.key.version,
        "rewrapped": moved.values,
        "keptFile": None if moved.kept is None else str(moved.kept),
    }
    text = (
        f"Every value is sealed under the master key with fingerprint {moved.key.fingerprint}; {moved.values} were not."
    )
    if moved.kept is not None:
        text += (
            f"\nThe key before is kept as {moved.kept}: backups made until now open with it alone. Keep it with them."
        )
    show(shown, as_json=options.json, text=text)


@db_app.command
def upgrade(
    *,
    plan: Annotated[bool, Parameter(negative=(), help="Print the SQL that is due, and change nothing.")] = False,
    check: Annotated[bool, Parameter(negative=(), help="Say whether something is due: 0 no, 1 yes.")] = False,
    options: StoreOptions | None = None,
) -> int:
    """Bring the store to the schema of this version, as a server does when it starts.

    A store of a newer version ends with 5, as one that cannot be reached does.
    """
    options = options or StoreOptions()
    if plan and check:
        raise ValidationFailed("Name one of --plan and --check.")
    return run(_upgrade(options, plan=plan, check=check))


async def _check(settings: Settings) -> master_key.Found:
    await require_store(settings)
    return await master_key.check(settings)


async def _rewrap(settings: Settings) -> master_key.Moved:
    await require_store(settings)
    return await master_key.move(settings)


async def _upgrade(options: StoreOptions, *, plan: bool, check: bool) -> int:
    settings = settings_of(options).settings
    await require_store(settings)
    async with store_as_it_is(settings) as store:
        before = await store.read(migrate.schema_of)
        due = migrate.is_due(before)
        script = migrate.script_of("postgresql" if settings.database_url else "sqlite", before.revision) if due else ""
        if due and not plan and not check:
            await bring_to_head(store)
        now = await store.read(migrate.schema_of)
    shown = {"schema": now.revision, "needed": migrate.HEAD, "due": migrate.is_due(now)}
    if plan:
        show({**shown, "sql": script}, as_json=options.json, text=script.rstrip() or "-- Nothing is due.")
        return OK
    left = f"migrations up to {migrate.HEAD} are due" if shown["due"] else "nothing is due"
    show(shown, as_json=options.json, text=f"The store has schema {now.revision}; {left}.")
    return DUE if shown["due"] else OK


def _in_words(found: master_key.Found) -> str:
    lines = [f"The store seals under the master key with fingerprint {found.named}; it opens."]
    lines += [f"{count} values are sealed under {fingerprint}." for fingerprint, count in sorted(found.sealed.items())]
    if found.configured.fingerprint != found.named:
        lines.append(f"The key that is configured is {found.configured.fingerprint}: run guestpass master-key rewrap.")
    elif not found.is_whole:
        lines.append("Run guestpass master-key rewrap again before you take the key before away.")
    else:
        lines.append("No other key is needed.")
    return "\n".join(lines)

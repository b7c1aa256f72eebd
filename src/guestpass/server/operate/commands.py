"""``guestpass serve``, ``init``, ``demo``, ``doctor`` and ``config``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from guestpass.core import times
from guestpass.server.api_keys.service import OPERATOR
from guestpass.server.app import Service, change_public_url, open_configured
from guestpass.server.command_line import FAILED, OK, StoreOptions, require_store, run, settings_of, show, show_table
from guestpass.server.opening import is_initialized
from guestpass.server.operate import logs
from guestpass.server.operate.settings import Settings, SettingsError, Sourced

FIRST_KEY_NAME = "first key"

config_app = App(name="config", help="Settings, and where each value comes from.")


def serve(
    *,
    host: Annotated[str | None, Parameter(help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, Parameter(help="Port to listen on. [default: 8787]")] = None,
    workers: Annotated[int | None, Parameter(help="Server processes. [default: 1]")] = None,
    data_dir: Annotated[str | None, Parameter(help="Directory of the store. [default: ./.guestpass]")] = None,
    database_url: Annotated[str | None, Parameter(help="PostgreSQL: postgresql://user@host:5432/name")] = None,
) -> None:
    """Start the server. An empty data directory, or an empty database, is initialized."""
    from guestpass.server.operate import serve as server  # noqa: PLC0415 - uvicorn is loaded by this command alone

    settings = settings_of(StoreOptions(data_dir, database_url), host=host, port=port, workers=workers).settings
    logs.configure(settings.log_level)
    listeners = server.listen(settings)

    async def main() -> None:
        is_new = not await is_initialized(settings)
        service = await open_configured(settings)
        secret = await first_key(service) if is_new and sys.stdout.isatty() else None
        if settings.workers > 1:
            listeners.close()  # they have shown that the ports are free
            await service.close()
            _greet(service.base_url, settings, secret)
        else:
            await server.serve(service, listeners, lambda: _greet(service.base_url, settings, secret))

    server.run_loop(main)
    if settings.workers > 1:
        server.Supervisor(settings).run()


def init(
    *,
    change_url: Annotated[str | None, Parameter(help="Move an existing store to this public URL.")] = None,
    options: StoreOptions | None = None,
) -> None:
    """Make a store: its file, its master key, its default project."""
    options = options or StoreOptions()
    sourced = settings_of(options, public_url=change_url)
    if change_url is not None:
        run(_change_url(sourced.settings, change_url))
    base_url = run(_init(sourced.settings))
    where = sourced.settings.data_dir
    at, option = ("", "") if sourced.settings.database_url else (f" in {where}", f" --data-dir {where}")
    text = f"The store{at} is ready; its public URL is {base_url}.\nNext: guestpass keys create --name mine{option}"
    show({"dataDir": where, "publicUrl": base_url}, as_json=options.json, text=text)


def demo(
    *command: Annotated[
        str,
        Parameter(
            allow_leading_hyphen=True,
            help="After `--`: an app of yours to run against the demo server, which finds it by GUESTPASS_URL and "
            "GUESTPASS_SECRET_KEY.",
        ),
    ],
    port: Annotated[int | None, Parameter(help="Port to listen on. [default: 8787, or the next free one]")] = None,
) -> None:
    """See a token's life in a minute: minted, verified, revoked, refused. Leaves the server running."""
    from guestpass.server.operate import demo as story  # noqa: PLC0415 - loads what serve loads

    story.run(port, command)


def doctor(*, options: StoreOptions | None = None) -> int:
    """Name what is wrong with this installation, and what to do about it."""
    from guestpass.server.operate.doctor import examine  # noqa: PLC0415

    options = options or StoreOptions()
    findings = run(examine(settings_of(options)))
    if options.json:
        show([finding._asdict() for finding in findings], as_json=True)
    else:
        for finding in findings:
            advice = f"\n{'':<20} {finding.advice}" if finding.advice else ""
            sys.stdout.write(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.what:<14} {finding.detail}{advice}\n")
    return OK if all(finding.ok for finding in findings) else FAILED


def backup(
    file: Annotated[Path, Parameter(help="A new file; none is replaced.")], *, options: StoreOptions | None = None
) -> None:
    """Copy the store into a file, while servers go on. The master key is not in it: keep a copy of that elsewhere."""
    from guestpass.server.operate.backup import back_up  # noqa: PLC0415

    options = options or StoreOptions()
    settings = settings_of(options).settings
    run(require_store(settings))
    made = back_up(settings, file)
    text = (
        f"The store was copied to {made.file} ({made.size} bytes). The master key is not in it: to restore it you need "
        f"the one with fingerprint {made.fingerprint}."
    )
    values = {"file": str(made.file), "bytes": made.size, "masterKeyFingerprint": made.fingerprint}
    show(values, as_json=options.json, text=text)


def restore(
    file: Annotated[Path | None, Parameter(help="What `guestpass backup` made.")] = None,
    *,
    in_place: Annotated[
        bool, Parameter(negative=(), help="The store was put back by other means: a snapshot, a recovery to a moment.")
    ] = False,
    replace: Annotated[bool, Parameter(negative=(), help="Set a store that is there aside.")] = False,
    options: StoreOptions | None = None,
) -> None:
    """Put a backup back, and cut everything issued before: a copy has forgotten what was revoked since."""
    from guestpass.server.operate.restore import restore_file, restore_in_place  # noqa: PLC0415

    options = options or StoreOptions()
    settings = settings_of(options).settings
    if (file is None) != in_place:
        raise SettingsError("Name the file to restore, or say --in-place for a store that was put back by other means.")
    if file is None:
        run(require_store(settings))
        restored = run(restore_in_place(settings))
    else:
        restored = run(restore_file(settings, file, replace=replace))
    before = times.of_milliseconds(restored.before_ms)
    copied_at = None if restored.copied_at is None else times.of_seconds(restored.copied_at)
    text = (
        f"The store{f' of {copied_at}' if copied_at else ''} is restored. Everything issued before {before} is ended, "
        f"and there are new signing keys.\nIt has forgotten what was done after it was copied: revoke again which API "
        f"keys you revoked since (guestpass keys list), and block again whom you blocked."
    )
    show({"before": before, "copiedAt": copied_at}, as_json=options.json, text=text)


@config_app.command(name="show")
def config_show(
    *,
    origin: Annotated[bool, Parameter(negative=(), help="Also say where each value comes from.")] = False,
    options: StoreOptions | None = None,
) -> None:
    """Print every setting; secrets only as set or not."""
    options = options or StoreOptions()
    sourced = settings_of(options)
    rows = [_setting(sourced, name, with_origin=origin) for name in Settings.__struct_fields__]
    columns = ("setting", "value", "origin") if origin else ("setting", "value")
    show_table(rows, columns, as_json=options.json, empty="")


def _setting(sourced: Sourced, name: str, *, with_origin: bool) -> dict[str, str]:
    row = {"setting": name, "value": sourced.shown(name)}
    return {**row, "origin": sourced.origins[name]} if with_origin else row


async def _change_url(settings: Settings, url: str) -> None:
    await require_store(settings)
    await change_public_url(settings, url)


async def _init(settings: Settings) -> str:
    service = await open_configured(settings)
    await service.close()
    return service.base_url


async def first_key(service: Service) -> str:
    """Make the first test key and return its secret."""
    issuer = await service.issuers.at("test")
    new = await service.api_keys.create(issuer, FIRST_KEY_NAME, actor=OPERATOR)
    return new.secret


def _greet(base_url: str, settings: Settings, secret: str | None) -> None:
    """Say where things are, and one line to try. A secret is printed on a terminal only."""
    lines = [
        f"Guestpass listens on {settings.host} port {settings.port}",
        f"  issuer  {base_url}/test",
        f"  docs    {base_url}/docs",
    ]
    if secret is not None:
        lines.append(f"  key     {secret}   (a first test key; shown this once)")
    hint = "" if secret else " (make a key with: guestpass keys create --name mine)"
    # In double quotes: in single ones the shell would send the variable's name.
    credential = f'-H "Authorization: Bearer {secret or "$GUESTPASS_SECRET_KEY"}"'
    body = "-H 'Content-Type: application/json' -d '{\"externalUserId\":\"user_1\"}'"
    lines += ["", f"Mint a token{hint}:", f"  curl -X POST {base_url}/v1/session-tokens {credential} {body}"]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()

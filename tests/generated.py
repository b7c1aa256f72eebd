"""Files that are written from the code, and compared with it by a test: ``./dev docs`` writes them."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec

import reference_pages
from guestpass.errors import ERRORS
from guestpass.server.app import create_app, open_service
from guestpass.server.http import openapi
from guestpass.server.http.routes import RouteTable
from guestpass.server.operate.settings import Settings
from guestpass.server.storage import migrate
from guestpass.server.storage.sealing import MasterKey, Sealer
from guestpass.server.storage.sqlite import MEMORY, SqliteStore

ROOT = Path(__file__).parent.parent
BASE_URL = "http://127.0.0.1:8787"


def errors_json() -> str:
    """``spec/errors.json``: every code with its status and meaning."""
    rows = [{"code": code, "status": kind.status, "meaning": kind.meaning} for code, kind in ERRORS.items()]
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def errors_page() -> str:
    """``docs/errors.md``: an anchor each, where ``docUrl`` of a server's own page points too."""
    lines = [
        "# Error codes",
        "",
        "A code never changes its meaning. Every error has one shape:",
        '`{"code", "message", "details"?, "docUrl", "requestId"}`; `details` name the field and the rule.',
        "A running server shows this page under `/docs/errors`. Written by `./dev docs` from `src/guestpass/errors.py`.",
        "",
    ]
    for code, kind in ERRORS.items():
        lines += [f"## {code}", "", f"Status {kind.status}. {kind.meaning} {kind.remedy}".rstrip(), ""]
    return "\n".join(lines)


def configuration_page() -> str:
    """``docs/configuration.md``: every setting, with its default and its rule."""
    lines = [
        "# Configuration",
        "",
        "A setting is read from a flag, else from the environment (`GUESTPASS_` and its name in capitals), else from",
        "`./guestpass.toml`, else from `/etc/guestpass/guestpass.toml`, else it has its default.",
        "`guestpass config show --origin` prints what is in force and where each value comes from. A secret may also",
        "come from a file, named by the variable with `_FILE` at its end. Written by `./dev docs` from the settings.",
        "",
    ]
    hints = get_type_hints(Settings, include_extras=True)
    for field in msgspec.structs.fields(Settings):
        base, *metas = get_args(hints[field.name])
        meta = next(meta for meta in metas if isinstance(meta, msgspec.Meta))
        choices = ", ".join(f"`{choice}`" for choice in get_args(base))
        kind = (
            f"One of {choices}."
            if choices
            else {int: "A whole number", str: "Text", bool: "`true` or `false`"}[base] + _bounds(meta) + "."
        )
        default = f"`{field.default}`" if field.default != "" else "empty"
        lines += [f"## {field.name}", "", f"`GUESTPASS_{field.name.upper()}`. {kind} Default: {default}.", ""]
        lines += [str(meta.description), ""]
    return "\n".join(lines)


def _bounds(meta: msgspec.Meta) -> str:
    if meta.ge is not None and meta.le is not None:
        return f" from {meta.ge} to {meta.le}"
    return f" that matches `{meta.pattern}`" if meta.pattern else ""


def openapi_json() -> str:
    """``spec/openapi.json``: what a server answers at ``/openapi.json``, with the default base URL."""
    return openapi.encode(openapi.describe(asyncio.run(_route_table()), BASE_URL)).decode() + "\n"


def http_page() -> str:
    """``docs/http.md``: every route with its fields, below what is written by hand."""
    return reference_pages.http_page(asyncio.run(_route_table()), BASE_URL)


async def _route_table() -> RouteTable:
    store = SqliteStore(MEMORY)
    migrate.upgrade(store)
    service = await open_service(Settings(), store, Sealer(MasterKey.generate()))
    routes = create_app(service).routes
    await service.close()
    return routes


FILES = {
    "spec/errors.json": errors_json,
    "spec/openapi.json": openapi_json,
    "docs/errors.md": errors_page,
    "docs/configuration.md": configuration_page,
    "docs/http.md": http_page,
    "docs/cli.md": reference_pages.cli_page,
}


def main() -> None:
    for path, content in FILES.items():
        if "--write" in sys.argv:
            (ROOT / path).write_text(content())


if __name__ == "__main__":
    main()

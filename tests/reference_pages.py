"""The two pages of reference that are written from the code: every route of HTTP, every command of the command line."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cyclopts import App
from rich.console import Console

from guestpass.server.http import openapi
from guestpass.server.http.decode import FORM_TYPE
from guestpass.server.http.routes import ANY_METHOD, Route, RouteTable
from guestpass.server.main import app as command_line

HTTP_PAGE = Path(__file__).parent.parent / "docs/http.md"
MARK = "<!-- From here on written by `./dev docs` from the route table. -->"
HELP_COLUMNS = 100
_CALLER = {
    "client": "an API key as HTTP Basic, as Bearer, or as `client_id` and `client_secret` in the form",
    "api_key": "a secret API key",
    "token": "a session token as Bearer",
    "holder": "a refresh token in the body; or what the note says",
    "anyone": "none",
}
_SESSION_PATH = "/v1/sessions/{id}"  # the one place where the fields of a session are listed
_SESSION = "SessionView"
_LIMITS = (
    ("maxLength", "at most {} characters"),
    ("minimum", "at least {}"),
    ("maximum", "at most {}"),
)


def http_page(table: RouteTable, base_url: str) -> str:
    """``docs/http.md``: what stands above the mark is kept, what stands below it is every route with its fields."""
    kept, _, _ = HTTP_PAGE.read_text().partition(MARK)
    described = openapi.describe(table, base_url)
    lines = [kept.rstrip("\n"), "", MARK, ""]
    for tag in described["tags"]:
        lines += [f"## {tag['name']}", ""]
        for route in table.routes:
            if route.tag == tag["name"]:
                operation = described["paths"][route.path][_method(route).lower()]
                lines += _route(route, operation, described["components"]["schemas"])
    return "\n".join(lines).rstrip("\n") + "\n"


def _route(route: Route, operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    can = f" that can `{route.can}`" if route.can else ""
    pages = " Pages of any origin may call it." if route.browser else ""
    yield from (f"### {_method(route)} {route.path}", "")
    yield from (f"{operation['summary']}. Credential: {_CALLER[route.caller]}{can}.{pages}", "")
    if route.note:
        yield from (route.note, "")
    if route.creates is not None:
        yield from ("Takes an [`Idempotency-Key`](#sending-a-request-again).", "")
    queries = {
        parameter["name"]: {**parameter["schema"], "description": parameter["description"]}
        for parameter in operation["parameters"]
        if parameter["in"] == "query"
    }
    if queries:
        yield from _fields("Query", {"properties": queries}, schemas)
    if "requestBody" in operation:
        ((media_type, content),) = operation["requestBody"]["content"].items()
        yield from _fields("Form" if media_type == FORM_TYPE else "Body", content["schema"], schemas)
    for status, answer in operation["responses"].items():
        schema = answer["content"].get("application/json", {}).get("schema", {})
        if status.startswith("2") and _name_of(schema) == _SESSION and route.path != _SESSION_PATH:
            yield from (f"Answer {status}: {_type_of(schema)}.", "")
        elif status.startswith("2"):
            yield from _fields(f"Answer {status}", schema, schemas)
    codes = (*route.codes, *(("CONFLICT", "IDEMPOTENCY_CONFLICT") if route.creates is not None else ()))
    if codes:
        yield from (
            f"Also refused with {', '.join(f'[{code}](errors.md#{code.lower()})' for code in codes)}.",
            "",
        )


def _method(route: Route) -> str:
    return "GET" if route.method == ANY_METHOD else route.method


def _fields(title: str, schema: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    target = schemas.get(_name_of(schema), schema)
    if "properties" not in target:
        return
    yield from (f"| {title} | type | rule |", "|---|---|---|")
    for name, field in target["properties"].items():
        required = "required" if title in ("Body", "Form") and name in target.get("required", []) else ""
        rule = "; ".join(filter(None, (required, *_limits(field), _sentence(field.get("description", "")))))
        yield f"| `{name}` | {_type_of(field)} | {rule} |"
    yield ""
    for nested in filter(None, map(_nested, target["properties"].values())):
        yield from _fields(f"`{nested}`", schemas[nested], schemas) if nested != _SESSION else ()


def _nested(field: dict[str, Any]) -> str:
    return _name_of(field.get("items", field))


def _name_of(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _limits(field: dict[str, Any]) -> Iterator[str]:
    for name, words in _LIMITS:
        if name in field:
            yield words.format(field[name])
    if field.get("default") not in (None, ""):
        yield f"default `{_written(field['default'])}`"


def _sentence(text: str) -> str:
    return text.rstrip(".").replace("|", "\\|")


def _type_of(field: dict[str, Any]) -> str:
    kind = field.get("type", "any")
    if "$ref" in field:
        name = _name_of(field)
        return "a [session](#get-v1sessionsid)" if name == _SESSION else f"`{name}`"
    if isinstance(kind, list):
        return " or ".join(kind)
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(map(_type_of, field["anyOf"])))
    if "enum" in field:
        return " or ".join(f"`{_written(value)}`" for value in field["enum"])
    if kind == "array":
        return f"array of {_type_of(field['items'])}"
    return "time" if field.get("format") == "date-time" else str(kind)


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def cli_page() -> str:
    """``docs/cli.md``: the help of every command, as the command prints it."""
    lines = [
        "# The command line",
        "",
        "`guestpass` works on the store itself, not over HTTP: run it on a server, as the user that runs the server.",
        "`--json` prints one JSON value and nothing else on standard output. A table is drawn on a terminal only; into",
        "a pipe go lines with tabs. A token is read from standard input, never from the command line.",
        "",
        "| exit code | meaning |",
        "|---|---|",
        "| 0 | done |",
        "| 1 | failed |",
        "| 2 | the command was written wrongly |",
        "| 3 | refused: by a token's check, or by a rule |",
        "| 4 | not found |",
        "| 5 | the store cannot be reached |",
        "",
        "Not yet there: `users`, `customers`, `apps`, `audit`.",
        "Written by `./dev docs` from the commands.",
        "",
    ]
    for words in commands(command_line):
        lines += [f"## {' '.join(('guestpass', *words))}", "", "```text", help_of(words), "```", ""]
    return "\n".join(lines)


def commands(group: App, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command that does something, in the order of the alphabet."""
    for name in sorted(name for name in group if re.fullmatch(r"[a-z][a-z-]*", name)):
        command = group[name]
        if any(re.fullmatch(r"[a-z][a-z-]*", inner) for inner in command):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name)


def help_of(words: tuple[str, ...]) -> str:
    """Return what ``--help`` prints, without colour, on a terminal that is as wide as a page."""
    page = io.StringIO()
    console = Console(file=page, width=HELP_COLUMNS, color_system=None, force_terminal=False, legacy_windows=False)
    command_line.help_print(list(words), console=console)
    return "\n".join(line.rstrip() for line in page.getvalue().strip("\n").splitlines())

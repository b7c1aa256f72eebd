"""The two pages that a server shows to people: its API and its error codes. No script, nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

from guestpass.errors import ERRORS
from guestpass.server.http.decode import FORM_TYPE

_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d8dbe0, #3a3f47); --soft: light-dark(#f4f5f7, #22262c);
  --dim: light-dark(#59616b, #a3abb5); --accent: light-dark(#0b57a4, #7db8f5) }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem;
  background: light-dark(#fff, #181b1f); color: light-dark(#1d2127, #e6e8eb) }
h1 { font-size: 1.7rem } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem }
h3 { font-size: 1rem; margin: 2rem 0 .3rem; overflow-wrap: anywhere }
a { color: var(--accent) } code { font: .92em ui-monospace, monospace; overflow-wrap: anywhere }
.verb { display: inline-block; min-width: 4.2rem; font-weight: 700; color: var(--accent) }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; font-size: .94rem }
td, th { text-align: left; vertical-align: top; border-top: 1px solid var(--line); padding: .35rem .6rem .35rem 0 }
.dim { color: var(--dim) } pre { background: var(--soft); padding: .8rem; overflow-x: auto; border-radius: 6px }
.scroll { overflow-x: auto } :target { background: var(--soft) }
"""
_CURL = """curl -X POST {base}/v1/session-tokens \\
  -H 'Authorization: Bearer sk_test_…' -H 'Content-Type: application/json' \\
  -d '{{"externalUserId": "user_1"}}'"""


def api_page(description: dict[str, Any]) -> str:
    """Return the HTML of ``/docs`` for an OpenAPI document."""
    base = description["servers"][0]["url"]
    parts = [
        "<h1>Guestpass</h1>",
        f"<p>{escape(description['info']['description'])}</p>",
        f"<p>Base URL <code>{escape(base)}</code></p>",
        "<p><a href='/openapi.json'>openapi.json</a> · <a href='/docs/errors'>error codes</a></p>",
        f"<pre>{escape(_CURL.format(base=base))}</pre>",
    ]
    for tag in description["tags"]:
        parts.append(f"<h2>{escape(tag['name'])}</h2>")
        for path, operations in description["paths"].items():
            for method, operation in operations.items():
                if tag["name"] in operation["tags"]:
                    parts += _operation(path, method, operation, description["components"]["schemas"])
    return _page("Guestpass API", parts)


def errors_page() -> str:
    """Return the HTML of ``/docs/errors``: one anchor a code, where ``docUrl`` points."""
    parts = ["<h1>Error codes</h1>", "<p>A code never changes its meaning. <a href='/docs'>The API</a></p>"]
    for code, kind in ERRORS.items():
        text = escape(f"{kind.meaning} {kind.remedy}".rstrip())
        parts.append(f"<h3 id='{code}'><span class='verb'>{kind.status}</span>{code}</h3><p>{text}</p>")
    return _page("Guestpass error codes", parts)


def _operation(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> list[str]:
    security = [name for scheme in operation["security"] for name in scheme]
    who = {"apiKey": "Secret API key.", "sessionToken": "Session token as Bearer."}.get(
        "".join(security[:1]), "Anyone."
    )
    parts = [
        f"<h3 id='{operation['operationId']}'><span class='verb'>{method.upper()}</span><code>{escape(path)}</code></h3>",
        f"<p>{escape(operation['summary'])}. <span class='dim'>{who} {escape(operation.get('description', ''))}</span></p>",
    ]
    if operation["parameters"]:
        parts.append(_table([(p["name"], p["in"], p.get("description", "")) for p in operation["parameters"]]))
    if "requestBody" in operation:
        ((media_type, content),) = operation["requestBody"]["content"].items()
        parts.append(_fields("Form" if media_type == FORM_TYPE else "Body", content["schema"], schemas))
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            schema = response["content"].get("application/json", {}).get("schema", {})
            parts.append(_fields(f"Answer {status}", schema, schemas))
        else:
            codes = [code for code in ERRORS if f"`{code}`" in response["description"]]
            links = ", ".join(f"<a href='/docs/errors#{code}'>{code}</a>" for code in codes)
            parts.append(f"<div class='dim'>{status}: {links}</div>")
    return parts


def _fields(title: str, schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    target = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
    required = target.get("required", [])
    rows = [
        (name, _type_of(value) + (", required" if name in required else ""), value.get("description", ""))
        for name, value in target.get("properties", {}).items()
    ]
    return f"<div class='dim'>{title}</div>{_table(rows)}" if rows else ""


def _type_of(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(_type_of(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f'"{value}"' for value in schema["enum"])
    if schema.get("type") == "array":
        return f"array of {_type_of(schema['items'])}"
    kind = schema.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _table(rows: list[tuple[str, str, str]]) -> str:
    cells = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}</td><td>{escape(text)}</td></tr>"
        for name, kind, text in rows
    )
    return f"<div class='scroll'><table>{cells}</table></div>"


def _page(title: str, parts: list[str]) -> str:
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<style>{_STYLE}</style><main>{''.join(parts)}</main></html>"
    )

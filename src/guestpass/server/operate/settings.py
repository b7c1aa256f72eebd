"""Settings: one frozen struct, filled from flags, the environment and TOML files; each value knows its origin."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from guestpass.core.callers.client_address import networks_of
from guestpass.core.tokens.kinds import DEFAULT_PREFIX_WORD
from guestpass.server.signing_keys.service import SigningAlgorithm

FILES = (Path("guestpass.toml"), Path("/etc/guestpass/guestpass.toml"))
_VARIABLE = "GUESTPASS_"
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})")
PORT_MAX = 65_535
_SECRETS = frozenset({"master_key", "master_key_old", "database_url", "redis_url"})
_PER_MINUTE_MAX = 1_000_000_000
_FLAGS = {"public_url": "--change-url"}  # where it is not the setting's own name
_ALIASES = {  # the names without suffix mean live
    "GUESTPASS_ISSUER": "issuer_live",
    "GUESTPASS_AUDIENCE": "audience_live",
    "JWT_ISSUER": "issuer_live",
    "JWT_AUDIENCE": "audience_live",
}


class SettingsError(Exception):
    """A setting cannot be used. The message names it, its origin and the rule."""


class Settings(Struct, frozen=True, kw_only=True):
    """Every setting of a server. The documentation page is generated from these lines."""

    data_dir: Annotated[str, Meta(description="Directory of the embedded store and its master key.")] = "./.guestpass"
    database_url: Annotated[
        str,
        Meta(
            description="PostgreSQL 15 or newer in place of the embedded store, like "
            "`postgresql://user@host:5432/name`. Several hosts, joined by commas, are one primary and its standbys."
        ),
    ] = ""
    database_prepared_statements: Annotated[
        bool, Meta(description="Off behind a PgBouncer older than 1.21 in transaction mode.")
    ] = True
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=PORT_MAX, description="Port to listen on.")] = 8787
    workers: Annotated[int, Meta(ge=1, le=64, description="Server processes that share the port and the store.")] = 1
    internal_listen: Annotated[
        str,
        Meta(
            description="`host:port` of a second listener for `/metrics`, `/healthz` and `/readyz`, which asks for no "
            "credential: let only your own machines reach it. `/metrics` then leaves the public port."
        ),
    ] = ""
    public_url: Annotated[
        str,
        Meta(
            description="The base URL under which the world reaches this server, without a trailing slash. Empty: "
            "`http://127.0.0.1:{port}` at the first start. Then fixed; see `guestpass init --change-url`."
        ),
    ] = ""
    master_key: Annotated[
        str,
        Meta(
            description="The key that seals secrets at rest, like `1:…`. Empty: the file `master.key` in the data "
            "directory, made at the first start (0600)."
        ),
    ] = ""
    master_key_old: Annotated[
        str,
        Meta(
            description="While the store moves to another master key: the one before. See "
            "[moving the master key](runbooks.md#move-the-master-key)."
        ),
    ] = ""
    issuer_test: Annotated[str, Meta(description="Replaces the `iss` of the default project's test tokens.")] = ""
    issuer_live: Annotated[
        str, Meta(description="Replaces the `iss` of its live tokens. Also `GUESTPASS_ISSUER`, `JWT_ISSUER`.")
    ] = ""
    audience_test: Annotated[str, Meta(description="Replaces the `aud` of the default project's test tokens.")] = ""
    audience_live: Annotated[
        str, Meta(description="Replaces the `aud` of its live tokens. Also `GUESTPASS_AUDIENCE`, `JWT_AUDIENCE`.")
    ] = ""
    signing_algorithm: Annotated[
        SigningAlgorithm,
        Meta(
            description="What new signing keys are for. A server that starts with another value publishes a key for "
            "it, which signs two minutes later; the old verify on until their last token has ended."
        ),
    ] = "ES256"
    signing_key_days: Annotated[
        int,
        Meta(
            ge=0,
            le=3650,
            description="How long a signing key signs before the next one takes over. 0: until you run "
            "`guestpass signing-keys rotate`.",
        ),
    ] = 90
    token_prefix: Annotated[
        str, Meta(pattern="^[a-z][a-z0-9]{0,15}$", description="The word that prefixed tokens begin with.")
    ] = DEFAULT_PREFIX_WORD
    session_retention_days: Annotated[
        int, Meta(ge=1, le=3650, description="How long a session is kept after its end, at least.")
    ] = 30
    audit_retention_days: Annotated[
        int, Meta(ge=1, le=36_500, description="How long events stay in the [audit log](audit.md), at least.")
    ] = 90
    trusted_proxies: Annotated[
        str,
        Meta(
            description="Networks of the proxies whose `X-Forwarded-For` is believed, separated by commas, like "
            "`10.0.0.0/8, 192.0.2.7`. Empty: no forwarded header counts."
        ),
    ] = ""
    redis_url: Annotated[
        str,
        Meta(
            pattern="^((redis|rediss|valkey|valkeys|unix)://.+)?$",
            description="A Redis or Valkey in which several servers add up what they limit. Empty: each process counts "
            "for itself. Needs `pip install 'guestpass[server,redis]'`.",
        ),
    ] = ""
    failures_per_minute: Annotated[
        int,
        Meta(
            ge=0,
            le=_PER_MINUTE_MAX,
            description="Failed credentials from one client address in a minute; further ones are answered 429, good "
            "ones as ever. 0: any number.",
        ),
    ] = 10_000
    mints_per_minute: Annotated[
        int, Meta(ge=0, le=_PER_MINUTE_MAX, description="Mints with one API key in a minute. 0: any number.")
    ] = 1_000_000
    browser_requests_per_minute: Annotated[
        int,
        Meta(
            ge=0,
            le=_PER_MINUTE_MAX,
            description="Requests to the routes for pages, keys and discovery from one client address in a minute. "
            "0: any number.",
        ),
    ] = 1_000_000
    refreshes_per_minute: Annotated[
        int, Meta(ge=0, le=_PER_MINUTE_MAX, description="Refreshes from one client address in a minute. 0: any number.")
    ] = 1_000_000
    log_level: Annotated[str, Meta(pattern="^(debug|info|warning|error)$", description="The least that is logged.")] = (
        "info"
    )


class Sourced(Struct, frozen=True):
    """Settings, and where each value came from."""

    settings: Settings
    origins: dict[str, str]

    def shown(self, name: str) -> str:
        """Return a value for a person to read; a secret only as set or not."""
        value = getattr(self.settings, name)
        return ("(set)" if value else "") if name in _SECRETS else str(value)


def load(flags: Mapping[str, Any], environment: Mapping[str, str], files: tuple[Path, ...] = FILES) -> Sourced:
    """Read settings: flag before environment before ``./guestpass.toml`` before ``/etc`` before default.

    Raises: SettingsError.
    """
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.__struct_fields__, "default")
    sources = [*(_from_file(path) for path in reversed(files)), _from_environment(environment)]
    sources.append(
        {
            name: (value, _FLAGS.get(name, f"--{name.replace('_', '-')}"))
            for name, value in flags.items()
            if value is not None
        }
    )
    for source in sources:
        for name, (value, origin) in source.items():
            values[name], origins[name] = value, origin
    for name, value in values.items():
        _check(name, value, origins[name])
    settings = msgspec.convert(values, Settings, strict=False)
    _check_url("public_url", settings.public_url, origins)
    _check_address("internal_listen", settings.internal_listen, origins)
    _check_networks("trusted_proxies", settings.trusted_proxies, origins)
    return Sourced(settings, origins)


def _from_file(path: Path) -> dict[str, tuple[Any, str]]:
    try:
        content = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as fault:
        raise SettingsError(f"{path} cannot be read as TOML: {fault}.") from fault
    return {name: (value, str(path)) for name, value in content.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    found: dict[str, tuple[Any, str]] = {}
    for variable, name in _ALIASES.items():
        if environment.get(variable):
            found[name] = environment[variable], variable
    for name in Settings.__struct_fields__:
        variable = _VARIABLE + name.upper()
        if variable in environment:
            found[name] = environment[variable], variable
        elif name in _SECRETS and environment.get(variable + "_FILE"):
            found[name] = _read_secret(environment[variable + "_FILE"], variable + "_FILE"), variable + "_FILE"
    return found


def _read_secret(path: str, variable: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError as fault:
        raise SettingsError(f"{variable} names a file that cannot be read: {os.strerror(fault.errno or 0)}.") from fault


def _check(name: str, value: Any, origin: str) -> None:
    if name not in Settings.__struct_fields__:
        raise SettingsError(f"{name} ({origin}) is not a setting; `guestpass config show` lists them all.")
    try:
        msgspec.convert(value, get_type_hints(Settings, include_extras=True)[name], strict=False)
    except msgspec.ValidationError as fault:
        raise SettingsError(f"{name} ({origin}) cannot be used: {str(fault).lower()}.") from None


def _check_url(name: str, url: str, origins: Mapping[str, str]) -> None:
    if not url:
        return
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment or url.endswith("/"):
        raise SettingsError(
            f"{name} ({origins[name]}) must be an http or https URL without query, fragment or trailing slash."
        )


def _check_address(name: str, text: str, origins: Mapping[str, str]) -> None:
    if text and address_of(text) is None:
        raise SettingsError(f"{name} ({origins[name]}) must be host:port, like 127.0.0.1:9090 or [::1]:9090.")


def _check_networks(name: str, text: str, origins: Mapping[str, str]) -> None:
    try:
        networks_of(text)
    except ValueError as fault:
        raise SettingsError(f"{name} ({origins[name]}) cannot be used: {fault}.") from None


def address_of(text: str) -> tuple[str, int] | None:
    """Return the host and the port of ``host:port``, or None where it is not that; an IPv6 address is in brackets."""
    found = _ADDRESS.fullmatch(text)
    if found is None or not 1 <= int(found[3]) <= PORT_MAX:
        return None
    return found[1] or found[2], int(found[3])

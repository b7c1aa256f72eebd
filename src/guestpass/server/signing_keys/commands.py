"""``guestpass signing-keys``: list, rotate and revoke the keys that sign tokens."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from guestpass.core import times
from guestpass.core.tokens.kinds import Environment
from guestpass.errors import Conflict
from guestpass.server.command_line import (
    CLI_CALLER,
    Env,
    InProject,
    StoreOptions,
    issuer_of,
    opened,
    run,
    show,
    show_table,
)
from guestpass.server.projects.service import Issuer
from guestpass.server.revocation.service import ALL
from guestpass.server.sessions.service import EndMany
from guestpass.server.signing_keys.policy import NEVER_MS, SWITCH_MS
from guestpass.server.signing_keys.rotation import Change, Keys, StoredKey

app = App(name="signing-keys", help="Signing keys: what tokens are signed with.")
_COLUMNS = (
    "kid", "algorithm", "projectId", "environment", "state", "publishedAt", "signsFrom", "retiresAt", "revokedAt",
)  # fmt: skip
_SIGNS_IN_SECONDS_MAX = 30 * 24 * 3600
_AFTER_THE_SWITCH_SECONDS = 0.5  # in which what was signed on either side of it is committed, and then ended
_BY_HAND = (
    "This secret is shown this once. Give it to whoever verifies tokens of this project; they verify with HS256 alone."
)


@app.command(name="list")
def list_keys(
    *,
    project: InProject = None,
    env: Annotated[Environment | None, Parameter(help="test or live. [default: both]")] = None,
    options: StoreOptions | None = None,
) -> None:
    """List keys with their state: next, signing, verifying, retired or revoked. Without --project, of all projects."""
    run(_list(options or StoreOptions(), project, env))


@app.command
def rotate(
    *,
    project: InProject = None,
    env: Env = "test",
    signs_in: Annotated[
        int | None,
        Parameter(
            validator=Number(gte=0, lte=_SIGNS_IN_SECONDS_MAX),
            help="Seconds until the next key signs; never sooner than every cached key set has it. Default: as soon as "
            "that, and for an HS256 secret a day.",
        ),
    ] = None,
    options: StoreOptions | None = None,
) -> None:
    """Let the next key sign. The one before verifies until its last token has ended; no token is refused for it."""
    run(_rotate(options or StoreOptions(), project, env, signs_in))


@app.command
def revoke(
    kid: Annotated[str, Parameter(help="As signing-keys list shows it.")], *, options: StoreOptions | None = None
) -> None:
    """Take a stolen key out at once: what it signed is refused, by every server within a second.

    Another key signs from the same moment on. Sessions live on; browsers fetch new tokens for them.
    """
    run(_revoke(options or StoreOptions(), kid))


@app.command
def use(
    algorithm: Annotated[Literal["HS256", "default"], Parameter(help="default: what the setting says.")],
    *,
    project: InProject = None,
    env: Env = "test",
    end_sessions: Annotated[
        bool, Parameter(negative=(), help="End the sessions that live; their tokens are of the other kind.")
    ] = False,
    options: StoreOptions | None = None,
) -> None:
    """Turn a project to HS256, and print its secret, once; or back to public keys.

    Either stands alone: from then on tokens of the other kind are refused. Takes some seconds, until every server knows.
    """
    run(_use(options or StoreOptions(), algorithm, project, env, end_sessions=end_sessions))


async def _list(options: StoreOptions, project: str | None, env: Environment | None) -> None:
    rows: list[dict[str, Any]] = []
    async with opened(options) as service:
        only = None if project is None else await service.issuers.project(project)
        for keys in await service.rotation.all():
            issuer = await service.issuers.by_number(keys.issuer)
            if only in (None, issuer.project) and env in (None, issuer.environment):
                rows += [_shown(keys, key, issuer) for key in keys.in_order()]
    show_table(rows, _COLUMNS, as_json=options.json, empty="There are no signing keys.")


async def _rotate(options: StoreOptions, project: str | None, env: Env, signs_in: int | None) -> None:
    async with opened(options) as service:
        issuer = await issuer_of(service, env, project)
        change = await service.rotation.rotate(issuer, signs_in_seconds=signs_in)
    key = change.keys.last(secret=_is_under_secret(change))
    assert key is not None  # noqa: S101 - a rotation names one
    now = key.signs_from_ms <= change.keys.now_ms
    turn = "signs now" if now else f"signs from {times.of_milliseconds(key.signs_from_ms)} on"
    text = f"{key.kid} {turn}. The one before verifies until its last token has ended."
    _show_change(options, issuer, change, key, text)


async def _revoke(options: StoreOptions, kid: str) -> None:
    async with opened(options) as service:
        issuer = await service.issuers.by_number(await service.rotation.issuer_of(kid))
        change = await service.rotation.revoke(issuer, kid)
    key = next(key for key in change.keys.stored if key.kid == kid)
    signer = change.keys.signer()
    assert signer is not None  # noqa: S101 - where one is revoked, another is there
    text = (
        f"{kid} is out: what it signed is refused by every server within a second. {signer.kid} signs.\n"
        f"The sessions live on, and browsers fetch new tokens for them. To end them all: guestpass sessions revoke --all "
        f"--reissue --env {issuer.environment} --project {issuer.project.id}"
    )
    _show_change(options, issuer, change, key, text)


async def _use(options: StoreOptions, algorithm: str, project: str | None, env: Env, *, end_sessions: bool) -> None:
    async with opened(options) as service:
        issuer = await issuer_of(service, env, project)
        if not end_sessions and await service.sessions.any_living(issuer.number):
            raise Conflict(
                "Sessions of this project live, and their tokens would be refused. Wait until they have ended, or end "
                "them with --end-sessions; browsers then fetch new tokens."
            )
        secret = algorithm == "HS256"
        change = await (service.rotation.use_secret(issuer) if secret else service.rotation.use_setting(issuer))
        key = change.keys.last(secret=secret)
        assert key is not None  # noqa: S101 - there is always one that signs lists
        text = f"{key.kid} ({key.algorithm}) signs in {SWITCH_MS // 1000} seconds, and alone."
        _show_change(options, issuer, change, key, text)  # before anything can fail: the secret is shown this once
        await asyncio.sleep(SWITCH_MS / 1000 + _AFTER_THE_SWITCH_SECONDS)
        await service.sessions.end_many(EndMany(issuer.number, ALL, service.sessions.ending(CLI_CALLER, reissue=True)))


def _is_under_secret(change: Change) -> bool:
    signer = change.keys.signer()
    return signer is not None and signer.is_secret


def _show_change(options: StoreOptions, issuer: Issuer, change: Change, key: StoredKey, text: str) -> None:
    shown = _shown(change.keys, key, issuer)
    if change.made is not None and change.secret is not None:
        shown |= {"secret": change.secret, "secretKid": change.made.kid}
        text = f"{change.secret}\n\n{_BY_HAND}\n{text}"
    show(shown, as_json=options.json, text=text)


def _shown(keys: Keys, key: StoredKey, issuer: Issuer) -> dict[str, Any]:
    return {
        "kid": key.kid,
        "algorithm": key.algorithm,
        "projectId": issuer.project.id,
        "environment": issuer.environment,
        "state": keys.state_of(key),
        "publishedAt": times.of_milliseconds(key.published_at_ms),
        "signsFrom": None if key.signs_from_ms == NEVER_MS else times.of_milliseconds(key.signs_from_ms),
        "retiresAt": _time(keys.retires_at_ms(key)),
        "revokedAt": _time(key.revoked_at_ms),
    }


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else times.of_milliseconds(at_ms)

"""``guestpass sessions`` and ``guestpass tokens``: mint, explain, list and end, on the store itself."""

from __future__ import annotations

import sys
from typing import Annotated, Any, TypeAlias

import msgspec
from cyclopts import App, Parameter
from msgspec import UNSET

from guestpass.core import times
from guestpass.core.bounds import PAGE_LIMIT_DEFAULT
from guestpass.core.revocation.cutoff import Status
from guestpass.core.tokens.kinds import Environment
from guestpass.errors import NotFound, ValidationFailed
from guestpass.server import credentials
from guestpass.server.api_keys.service import ApiKey, Described
from guestpass.server.app import Service
from guestpass.server.command_line import (
    CLI_CALLER,
    OK,
    REFUSED,
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
from guestpass.server.revocation.service import ALL, Subject
from guestpass.server.sessions import index
from guestpass.server.sessions.api import MintRequest, VerifyAnswer
from guestpass.server.sessions.service import EndMany, Listing

sessions_app = App(name="sessions", help="Sessions: list and end them.")
tokens_app = App(name="tokens", help="Tokens: mint one by hand, or ask why one is refused.")
Where: TypeAlias = tuple[Environment, str | None]  # --env and --project
_COLUMNS = ("id", "status", "externalUserId", "externalOrganizationId", "allowedOperations", "issuedAt", "expiresAt")


@sessions_app.command(name="list")
def list_sessions(
    *,
    env: Env = "test",
    project: InProject = None,
    user: Annotated[str | None, Parameter(help="Only this externalUserId.")] = None,
    status: Annotated[Status | None, Parameter(help="Only sessions with this status now.")] = None,
    limit: Annotated[int, Parameter(help="At most so many, newest first.")] = PAGE_LIMIT_DEFAULT,
    options: StoreOptions | None = None,
) -> None:
    """List sessions, newest first."""
    run(_list(options or StoreOptions(), (env, project), user, status, limit))


@sessions_app.command
def revoke(
    session_id: str | None = None,
    *,
    env: Env = "test",
    project: InProject = None,
    user: Annotated[str | None, Parameter(help="All sessions of this externalUserId.")] = None,
    every: Annotated[bool, Parameter(name="--all", negative=(), help="All sessions of the environment.")] = False,
    reissue: Annotated[bool, Parameter(negative=(), help="Let browsers fetch a new token at once.")] = False,
    options: StoreOptions | None = None,
) -> None:
    """End one session, a user's, or all of an environment."""
    if [session_id is not None, user is not None, every].count(True) != 1:
        raise ValidationFailed("Name exactly one: a session id, --user or --all.")
    run(_revoke(options or StoreOptions(), (env, project), session_id, user, reissue=reissue))


@tokens_app.command
def mint(
    *,
    user: Annotated[str, Parameter(help="externalUserId, your own id of the user.")],
    env: Env = "test",
    project: InProject = None,
    organization: Annotated[str | None, Parameter(help="externalOrganizationId.")] = None,
    operations: Annotated[
        str | None, Parameter(help="allowedOperations, like a,b. Default: all that the key may.")
    ] = None,
    expires_in: Annotated[int | None, Parameter(help="Seconds. Default: the project's, 3600 unless set.")] = None,
    options: StoreOptions | None = None,
) -> None:
    """Mint a token by hand, with the newest API key of the environment that may."""
    request = MintRequest(
        external_user_id=user,
        external_organization_id=UNSET if organization is None else organization,
        allowed_operations=UNSET if operations is None else [name for name in operations.split(",") if name],
        expires_in=UNSET if expires_in is None else expires_in,
    )
    run(_mint(options or StoreOptions(), (env, project), request))


@tokens_app.command
def explain(
    what: Annotated[
        str,
        Parameter(help="A session id, the id of a request of the last day, or - to read a token from standard input."),
    ] = "-",
    *,
    operation: Annotated[str | None, Parameter(help="Also ask whether this operation is allowed.")] = None,
    options: StoreOptions | None = None,
) -> int:
    """Say what is right and wrong with a token (from standard input) or a session, or why a request was refused (by id).

    A token is a credential: it is read from standard input, never from the command line, where others can see it.
    """
    options = options or StoreOptions()
    if credentials.stands_in(what):
        raise ValidationFailed(
            "A token does not belong on the command line; pipe it in: guestpass tokens explain < token.txt"
        )
    return run(_explain(options, sys.stdin.read().strip() if what == "-" else what, operation))


async def _list(options: StoreOptions, where: Where, user: str | None, status: Status | None, limit: int) -> None:
    rows: list[dict[str, Any]] = []
    async with opened(options) as service:
        issuer = await issuer_of(service, *where)
        owner = None if user is None else service.derivation.customer_id(issuer.number, user)
        page = await service.sessions.page(Listing(issuer.number, owner, None, status, index.AFTER_ALL_IDS, limit))
        rows = [_plain(view) for view in page.data]
    show_table(rows, _COLUMNS, as_json=options.json, empty=f"There are no such sessions in {where[0]}.")


async def _revoke(
    options: StoreOptions, where: Where, session_id: str | None, user: str | None, *, reissue: bool
) -> None:
    async with opened(options) as service:
        ending = service.sessions.ending(CLI_CALLER, reissue=reissue)
        if session_id is not None:
            issuer = await _issuer_of(service, session_id)
            at_ms, _ = await service.sessions.end_one(issuer.number, session_id, ending)
            revoked: dict[str, Any] = {"id": session_id, "revokedAt": times.of_milliseconds(at_ms)}
            text = f"{session_id} has ended."
        else:
            issuer = await issuer_of(service, *where)
            subject = ALL if user is None else Subject("user", service.derivation.customer_id(issuer.number, user))
            ended = await service.sessions.end_many(EndMany(issuer.number, subject, ending, external_user_id=user))
            before = times.of_milliseconds(ended.cut.before_ms)
            revoked = {"revoked": ended.living, "before": before}
            text = _count(ended.living)
    show(revoked, as_json=options.json, text=text)


def _count(living: int | None) -> str:
    if living == 1:
        return "1 living session has ended."
    return f"{'Over 10000' if living is None else living} living sessions have ended."


async def _mint(options: StoreOptions, where: Where, request: MintRequest) -> None:
    async with opened(options) as service:
        issuer = await issuer_of(service, *where)
        key = _key_that_mints(await service.api_keys.all_of([issuer]), issuer, service.clock())
        minted = await service.minting.mint(key, request)
    show(_plain(minted), as_json=options.json, text=minted.session_token)


def _key_that_mints(keys: list[Described], issuer: Issuer, now: float) -> ApiKey:
    for key, _ in reversed(keys):
        if key.lives(now) and "mint" in key.can:
            return key
    at = f"--env {issuer.environment} --project {issuer.project.id}"
    raise NotFound(f"No API key of {issuer.environment} may mint. Make one: guestpass keys create {at} --name mine")


async def _explain(options: StoreOptions, what: str, operation: str | None) -> int:
    async with opened(options) as service:
        explained = await _explained(service, what, operation)
    show(_plain(explained), as_json=options.json, text=_in_words(explained))
    return OK if explained.valid else REFUSED


async def _explained(service: Service, what: str, operation: str | None) -> VerifyAnswer:
    """Explain anything to the operator, who may see it all."""
    if what.startswith("sess_"):
        return await service.explaining.session(await _issuer_of(service, what), what, operation)
    if "." in what or "_session_" in what or not what:
        return await service.explaining.of(await service.verifying.issuer_of(what), what, operation)
    return await service.explaining.request(what)


def _in_words(explained: VerifyAnswer) -> str:
    lines = [f"{'ok  ' if found.passed else 'FAIL'}  {found.check:<12} {found.detail}" for found in explained.checks]
    subject = "token"
    if explained.refusals is not UNSET:  # it was asked for by an id
        subject = "request" if explained.session is UNSET else "session"
        shown = {} if explained.session is UNSET else _plain(explained.session)
        lines += ["", *(f"{name:<24} {value}" for name, value in shown.items() if value is not None)]
        lines += ["", *(f"{each.at}  {each.code}  {each.route}  {each.message}" for each in explained.refusals)]
    if explained.valid:
        return "\n".join([*lines, "", f"The {subject} is good."])
    return "\n".join([*lines, "", f"The {subject} is refused: {explained.code}. {explained.remedy}"])


async def _issuer_of(service: Service, session_id: str) -> Issuer:
    """Find the issuer of a session, for the operator, who may see them all. Raises: NotFound."""
    for number in await service.issuers.numbers():
        try:
            await service.sessions.get(number, session_id)
        except NotFound:
            continue
        return await service.issuers.by_number(number)
    raise NotFound(f"There is no session {session_id}.")


def _plain(value: msgspec.Struct) -> dict[str, Any]:
    """Return what the HTTP API would answer, as plain values."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return plain

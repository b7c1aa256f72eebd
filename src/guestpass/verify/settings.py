"""The arguments of a Verifier, read and checked once: what is expected of tokens, and where to ask.

issuer     https://id.example.com/test            the iss of tokens, exact bytes
location   https://id.example.com/test            where its keys and lists are; differs where jwks_url says so
base       https://id.example.com                 the server itself
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from guestpass.core import ids
from guestpass.core.addresses import fault_of_address
from guestpass.core.bounds import LEEWAY_SECONDS_MAX
from guestpass.core.jose.jwk import Algorithm, KeyRefused, hmac_key
from guestpass.core.jose.jwks import import_key_set
from guestpass.core.revocation.published import ALGORITHMS
from guestpass.core.tokens.inspection import HS256_ALONE, Expectation
from guestpass.core.tokens.keys import KeySet
from guestpass.core.tokens.kinds import Environment
from guestpass.errors import Detail, ValidationFailed
from guestpass.verify.replay import ReplayGuard

Mode = Literal["hybrid", "offline", "introspect"]
Projects = Literal["one", "all"]
Secret: TypeAlias = str | bytes | Sequence[str | bytes]
JWKS_PATH = "/.well-known/jwks.json"

POLL_SECONDS = (1, 3600)
MAX_STALE_SECONDS = (0, 3600)
LEEWAY_SECONDS = (0, LEEWAY_SECONDS_MAX)

_LOCATION = re.compile(r"(?P<base>.+?)/(?P<environment>test|live)(?:/(?P<project>proj_[0-9a-z]{26}))?")
_SECRET_KEY = re.compile(r"sk_(test|live)_[A-Za-z0-9_-]{16,240}")
_SECRET_NAME = "secret"  # noqa: S105 - of the key in logs; tokens may name it as they like


class Place(NamedTuple):
    """One issuer, and where it publishes."""

    issuer: str
    location: str
    environment: Environment
    project_id: str | None  # None: not known, since the default project's issuer does not name it


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a Verifier was told. Secrets are left out of ``repr``."""

    home: Place
    base: str
    siblings_base: str | None  # of the issuer, to tell a token of a sibling from a stranger's
    audience: str | None
    projects: Projects
    algorithms: frozenset[Algorithm]
    mode: Mode
    leeway_seconds: int
    poll_seconds: int
    max_stale_seconds: int
    prefix_word: str
    static_keys: KeySet | None = field(repr=False)  # the keys of tokens; None: those that the issuer publishes
    published_keys: KeySet | None = field(repr=False)  # the keys of lists; None: those that the issuer publishes
    secret_key: str | None = field(repr=False)
    replay_guard: ReplayGuard | None

    def expectation(self, place: Place) -> Expectation:
        return Expectation(
            issuer=place.issuer,
            audience=self.audience or place.issuer,
            environment=place.environment,
            project_id=place.project_id,
            algorithms=self.algorithms,
            base=self.siblings_base,
            prefix_word=self.prefix_word,
            leeway_seconds=self.leeway_seconds,
            start_leeway_seconds=self.leeway_seconds,
        )

    def sibling(self, issuer: str) -> Place | None:
        """Return the place of another project of ``projects="all"``, or None where ``issuer`` is not one."""
        if self.projects == "one" or not issuer.startswith(self.home.issuer + "/"):
            return None
        project_id = issuer.removeprefix(self.home.issuer + "/")
        if ids.decode("proj", project_id) is None:
            return None
        return Place(issuer, issuer, self.home.environment, project_id)


def read_settings(  # noqa: PLR0913 - one argument each of Verifier
    issuer: str | None,
    *,
    audience: str | None,
    projects: Projects,
    algorithms: Iterable[Algorithm],
    jwks_url: str | None,
    keys: Mapping[str, Any] | Iterable[Mapping[str, Any]] | None,
    secret: Secret | None,
    secret_key: str | None,
    replay_guard: ReplayGuard | None,
    mode: Mode,
    leeway_seconds: int,
    poll_seconds: int,
    max_stale_seconds: int,
    prefix_word: str,
) -> Settings:
    """Return the settings. Raises: ValidationFailed, naming the argument and the rule."""
    home, base, siblings_base = _home(issuer, jwks_url)
    if projects not in get_args(Projects):
        raise _refused("projects", 'must be "one" or "all"')
    if mode not in get_args(Mode):
        raise _refused("mode", 'must be "hybrid", "offline" or "introspect"')
    if projects == "all" and not (jwks_url is None and keys is None and secret is None and home.project_id is None):
        raise _refused("projects", '"all" finds the keys of each project under issuer: no jwks_url, keys or secret')
    key = _secret_key(secret_key, mode, home.environment)
    published_keys = _static_keys(keys)
    return Settings(
        home=home,
        base=base,
        siblings_base=siblings_base,
        audience=audience,
        projects=projects,
        algorithms=HS256_ALONE if secret is not None else _algorithms(algorithms),
        mode="offline" if mode == "hybrid" and key is None else mode,
        leeway_seconds=_within("leeway_seconds", leeway_seconds, LEEWAY_SECONDS),
        poll_seconds=_within("poll_seconds", poll_seconds, POLL_SECONDS),
        max_stale_seconds=_within("max_stale_seconds", max_stale_seconds, MAX_STALE_SECONDS),
        prefix_word=prefix_word,
        static_keys=published_keys if secret is None else _secrets(secret),
        published_keys=published_keys,
        secret_key=key,
        replay_guard=_replay_guard(replay_guard),
    )


def _home(issuer: str | None, jwks_url: str | None) -> tuple[Place, str, str | None]:
    """Return the issuer's place, the base of its location, and that of the issuer where it names one."""
    issuer = issuer or os.environ.get("GUESTPASS_ISSUER", "")
    if not issuer:
        raise _refused("issuer", "is missing; pass it or set GUESTPASS_ISSUER, like https://guestpass.example.com/live")
    _check_url("issuer", issuer)
    named = _LOCATION.fullmatch(issuer)
    if jwks_url is None:
        if named is None:
            rule = "must end with /test or /live, or one of them and /proj_…; one that was replaced needs jwks_url"
            raise _refused("issuer", rule)
        return _place(issuer, issuer, named), named["base"], named["base"]
    _check_url("jwks_url", jwks_url)
    found = _LOCATION.fullmatch(jwks_url.removesuffix(JWKS_PATH))
    if found is None or not jwks_url.endswith(JWKS_PATH):
        raise _refused("jwks_url", f"must end with /test{JWKS_PATH} or /live{JWKS_PATH}, perhaps with /proj_… between")
    if named is not None and named.groups()[1:] != found.groups()[1:]:
        raise _refused("jwks_url", "is of another environment or project than issuer")
    return _place(issuer, found[0], found), found["base"], named and named["base"]


def _place(issuer: str, location: str, parts: re.Match[str]) -> Place:
    project_id: str | None = parts["project"]
    if project_id is not None and ids.decode("proj", project_id) is None:
        raise _refused("issuer", "names no project: an id is proj_ and 26 characters")
    environment: Environment = "test" if parts["environment"] == "test" else "live"
    return Place(issuer, location, environment, project_id)


def _check_url(name: str, url: str) -> None:
    fault = fault_of_address(url)
    if fault:
        raise _refused(name, fault)
    if url.endswith(("/", "?", "#")):
        raise _refused(name, "must not end with a slash: it is compared byte for byte")


def _algorithms(algorithms: Iterable[Algorithm]) -> frozenset[Algorithm]:
    named = frozenset(algorithms)  # a bare string is taken apart into letters, which name none
    if not named or not named <= ALGORITHMS:
        raise _refused("algorithms", f"must name some of {', '.join(sorted(ALGORITHMS))}; HS256 comes with secret")
    return named


def _static_keys(keys: Mapping[str, Any] | Iterable[Mapping[str, Any]] | None) -> KeySet | None:
    if keys is None:
        return None
    document = keys if isinstance(keys, Mapping) else {"keys": [dict(key) for key in keys]}
    try:
        admitted = import_key_set(dict(document))
    except KeyRefused as fault:
        raise _refused("keys", f"must be a JWK Set: {fault}") from None
    if not admitted or any(key.algorithm not in ALGORITHMS for key in admitted):
        raise _refused("keys", "must hold public keys; an HS256 secret is passed as secret")
    return KeySet(admitted)


def _secrets(secret: Secret) -> KeySet:
    """One secret stands for any ``kid``; several, while one takes over from another, for the ``kid`` that each gives."""
    try:
        if isinstance(secret, str | bytes):
            return KeySet([], only=hmac_key(_octets(secret), kid=_SECRET_NAME).verifying_key)
        keys = [hmac_key(_octets(one)).verifying_key for one in secret]
    except (KeyRefused, UnicodeEncodeError, TypeError) as fault:
        raise _refused("secret", f"cannot be used: {fault}") from None
    if not keys:
        raise _refused("secret", "names no secret")
    return KeySet(keys)


def _octets(secret: str | bytes) -> bytes:
    return secret.encode() if isinstance(secret, str) else bytes(memoryview(secret))  # bytes(32) would be 32 zeros


def _secret_key(secret_key: str | None, mode: Mode, environment: Environment) -> str | None:
    key = secret_key if secret_key is not None else os.environ.get("GUESTPASS_SECRET_KEY", "")
    if mode == "offline":
        return None
    if not key:
        if mode == "introspect":
            raise _refused("secret_key", "is missing: introspect asks the server with it; or set GUESTPASS_SECRET_KEY")
        return None
    parts = _SECRET_KEY.fullmatch(key.strip())
    if parts is None:
        raise _refused("secret_key", "does not have the shape of a secret key, sk_test_… or sk_live_…")
    if parts[1] != environment:
        raise _refused("secret_key", f"is a {parts[1]} key; the issuer is {environment}")
    return parts[0]


def _replay_guard(guard: ReplayGuard | None) -> ReplayGuard | None:
    if guard is not None and not callable(getattr(guard, "use", None)):
        raise _refused("replay_guard", "must be a ReplayGuard: MemoryReplayGuard, SqliteReplayGuard, RedisReplayGuard")
    return guard


def _within(name: str, value: int, bounds: tuple[int, int]) -> int:
    low, high = bounds
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _refused(name, f"must be whole seconds from {low} to {high}")
    return value


def _refused(name: str, rule: str) -> ValidationFailed:
    return ValidationFailed(f"{name} {rule}.", details=(Detail(name, rule),))

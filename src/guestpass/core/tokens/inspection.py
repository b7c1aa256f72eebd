"""What the checklist looks at: one token, what is expected of it, and what is known of its session."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from guestpass.core.bounds import LEEWAY_SECONDS_MAX
from guestpass.core.jose.jwk import Algorithm
from guestpass.core.jose.jws import Header
from guestpass.core.revocation.cutoff import Ending
from guestpass.core.tokens import kinds
from guestpass.core.tokens.claims import SessionClaims
from guestpass.core.tokens.keys import KeySet, Sealed
from guestpass.core.tokens.kinds import BEARER_KINDS, Environment, Kind

HS256_ALONE = frozenset[Algorithm]({"HS256"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a verifier demands. There is no "any issuer", and no switch that turns a check off.

    Args:
        base: The service's public URL; tells a token of a sibling issuer from a foreign one. Optional.
        algorithms: From our configuration, never from the token; HS256 never beside the others.
        leeway_seconds: For ``exp``, 0 to 60. ``start_leeway_seconds``: for ``nbf`` and ``iat``, 0 to 60.
        max_age_seconds: Refuse a good token whose ``iat`` is older than that, and the start leeway.
    """

    issuer: str
    audience: str
    environment: Environment
    project_id: str | None
    algorithms: frozenset[Algorithm]
    accepted_kinds: tuple[Kind, ...] = BEARER_KINDS
    base: str | None = None
    prefix_word: str = kinds.DEFAULT_PREFIX_WORD
    leeway_seconds: int = 0
    start_leeway_seconds: int = 0
    max_age_seconds: int | None = None
    prefix: str = field(init=False)

    def __post_init__(self) -> None:
        for leeway in (self.leeway_seconds, self.start_leeway_seconds):
            if not 0 <= leeway <= LEEWAY_SECONDS_MAX:
                raise ValueError(f"leeway must be 0 to {LEEWAY_SECONDS_MAX} seconds")
        if self.max_age_seconds is not None and self.max_age_seconds < 0:
            raise ValueError("max_age_seconds must be 0 or more")
        if "HS256" in self.algorithms and self.algorithms != HS256_ALONE:
            raise ValueError("HS256 stands alone: beside it, a public key could be used as the secret")
        object.__setattr__(self, "prefix", kinds.prefix_of(kinds.SESSION, self.environment, word=self.prefix_word))


class State(NamedTuple):
    """What is known of a session now.

    Attributes:
        token_hash: Of its opaque token.
        used_up: Its token was used as often as it may be.
        suspended_scope: None unless the session is suspended: then what goes on all the same, as a scope.
    """

    ending: Ending | None
    token_hash: bytes | None = None
    used_up: bool = False
    suspended_scope: str | None = None


class Inspection:
    """One token on its way through the table."""

    __slots__ = (
        "body", "claims", "expect", "header", "keys", "max_age_seconds", "now", "opaque_id", "operation", "payload",
        "prefix", "sealed", "signature", "signed", "state", "token",
    )  # fmt: skip

    # Set by the check that finds them, and read by none before it.
    prefix: str
    body: str
    opaque_id: str | None  # the session that an opaque token names
    signed: bytes
    payload: bytes
    signature: bytes
    header: Header | None  # only of a header that is not in the table of keys
    sealed: Sealed | None  # of an opaque token: never
    claims: SessionClaims  # of an opaque token: set by whoever looked its session up

    def __init__(
        self,
        token: str,
        expect: Expectation,
        keys: KeySet,
        now: int,
        operation: str | None = None,
        *,
        max_age_seconds: int | None = None,
    ) -> None:
        self.token = token
        self.expect = expect
        self.keys = keys
        self.now = now
        self.operation = operation
        self.max_age_seconds = expect.max_age_seconds if max_age_seconds is None else max_age_seconds
        self.state: State | None = None

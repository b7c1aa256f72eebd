"""The kinds of token, as a table: how each is written, and where it is accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Environment = Literal["test", "live"]
ENVIRONMENTS: tuple[Environment, Environment] = ("test", "live")
DEFAULT_PREFIX_WORD = "gp"


def other_environment(environment: Environment) -> Environment:
    return "live" if environment == "test" else "test"


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One kind. ``typ`` is the JWT header's type (RFC 8725 section 3.11); None: never a JWT."""

    name: str
    typ: str | None
    prefix: str | None  # the word between the service's word and the environment
    bearer: bool  # accepted wherever the contract says "token as Bearer"


SESSION = Kind("session", "guestpass-session+jwt", "session", bearer=True)
ACCESS = Kind("access", "at+jwt", None, bearer=True)
REFRESH = Kind("refresh", None, "refresh", bearer=False)
SCRIPT = Kind("script", "guestpass-script+jwt", None, bearer=False)
STATUS_LIST = Kind("status list", "statuslist+jwt", None, bearer=False)
CUT_LIST = Kind("cut list", "guestpass-cuts+jwt", None, bearer=False)

UNKNOWN = Kind("unknown", None, None, bearer=False)  # of a typ that is not ours: accepted nowhere

KINDS = (SESSION, ACCESS, REFRESH, SCRIPT, STATUS_LIST, CUT_LIST)
BEARER_KINDS = tuple(kind for kind in KINDS if kind.bearer)
JWT_KINDS = tuple(kind for kind in KINDS if kind.typ is not None)


def kind_of_typ(typ: str) -> Kind | None:
    """Find a kind by the header's ``typ``; it is compared exactly, as we write it."""
    return next((kind for kind in JWT_KINDS if kind.typ == typ), None)


def prefix_of(kind: Kind, environment: Environment, *, word: str = DEFAULT_PREFIX_WORD) -> str:
    """Return for example ``gp_session_test_``."""
    return f"{word}_{kind.prefix}_{environment}_"

"""A call before it is made: method, path, body, and the type of the answer. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar
from urllib.parse import quote, urlencode

from guestpass.errors import Detail, ValidationFailed

if TYPE_CHECKING:
    from guestpass.client.results import Page

T = TypeVar("T")

NULL: Any = object()  # sent as null; None is not sent
NO_TOKEN = ""  # of a call that its body proves alone
ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
TOKEN_LIKE = re.compile(r"[a-z]+_(session|refresh)_(test|live)_|eyJ|sk_")


@dataclass(frozen=True, slots=True)
class Grace:
    """How long the server answers a try again as it answered the first; then, trying again would do harm.

    Attributes:
        seconds: From the first try on; the last has to be over by then.
        try_seconds: The longest that one try may take, whatever the client allows.
    """

    seconds: float
    try_seconds: float


@dataclass(frozen=True, slots=True)
class Plan(Generic[T]):
    """One call.

    Attributes:
        answer: What a 2xx body is decoded into.
        changes: Whether a second arrival would do a second thing: then one Idempotency-Key goes with all its tries.
        grace: Where trying again is safe for a time alone.
        token: What proves the call in place of the API key, as Bearer; ``NO_TOKEN``: nothing does.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    answer: type[T]
    body: bytes | None = field(default=None, repr=False)
    query: Mapping[str, str] = field(default_factory=dict)
    changes: bool = False
    grace: Grace | None = None
    token: str | None = field(default=None, repr=False)

    @property
    def target(self) -> str:
        """The path with its query, percent-encoded."""
        try:
            return f"{self.path}?{urlencode(self.query, quote_via=quote)}" if self.query else self.path
        except UnicodeEncodeError:
            raise ValidationFailed("A filter holds a lone surrogate, which is not text.") from None


def next_page(plan: Plan[Page[T]], page: Page[T]) -> Plan[Page[T]] | None:
    """Return the call for the page after ``page``, None after the last."""
    if page.next_cursor is None:
        return None
    return replace(plan, query={**plan.query, "cursor": page.next_cursor})


def path_id(given: str, *, like: str) -> str:
    """Return an id that is safe inside a path.

    A token is refused here because addresses end up in logs; ``""`` and ``..`` because they would
    name another resource than the caller meant.
    """
    if isinstance(given, str) and ID.fullmatch(given) and not TOKEN_LIKE.match(given):
        return given
    if isinstance(given, str) and TOKEN_LIKE.match(given):
        rule = f"this is a credential; pass the id ({like}…) that was answered beside it"
    else:
        rule = f"must be an id like {like}…"
    raise ValidationFailed(f"id: {rule}.", details=(Detail("id", rule),))


def json_body(fields: Mapping[str, Any]) -> bytes:
    """Encode the fields that are not None, with names in camelCase and times in RFC 3339.

    Raises: ValidationFailed when a value has no exact JSON form (NaN, a cycle, a lone surrogate, an object).
    """
    wire = {camel(name): wire_value(name, value) for name, value in fields.items() if value is not None}
    try:
        return json.dumps(wire, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError):
        rule = "cannot be written as JSON"
        culprits = [name for name, value in wire.items() if not has_json(value)] or ["body"]
    # Raised outside: the encoder's error may quote the value, and a value may be a secret.
    raise ValidationFailed(f"{culprits[0]} {rule}.", details=tuple(Detail(name, rule) for name in culprits))


def has_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def query_of(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return the filters that are not None, with names in camelCase."""
    return {camel(name): str(value) for name, value in fields.items() if value is not None}


def wire_value(name: str, value: Any) -> Any:
    if value is NULL:
        return None
    if isinstance(value, datetime):
        return rfc3339(name, value)
    # Not a str: list("read") would ask for the operations r, e, a and d.
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
        return list(value)
    return value


def rfc3339(name: str, moment: datetime) -> str:
    if moment.tzinfo is None:
        rule = "needs a time zone; write datetime.now(UTC) rather than datetime.now()"
        raise ValidationFailed(f"{name} {rule}.", details=(Detail(camel(name), rule),))
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)

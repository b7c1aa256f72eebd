"""JSON as RFC 8259 and RFC 7493 (I-JSON) want it: what two readers could read differently is refused.

The standard library's C scanner does the reading. Its permissive sides are closed here, and each
check that needs a second look at the bytes runs only when the bytes can hold what it looks for.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from guestpass.core.bounds import JSON_DEPTH_MAX

_BOM = "\ufeff"
_PATH_LENGTH_MAX = 120  # characters; a longer path is cut, for it repeats what was sent
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# Possessive, and the closing quote may be missing: linear on any input.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_DEPTH_CHANGE = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class JsonRefused(ValueError):
    """The bytes are not JSON that we read. ``path`` like ``a.b[0]``, empty where there is none."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason = reason
        self.path = path


class _DuplicateError(Exception):
    """Carries nothing: the hook that raises it does not know where it is."""


class _Marked(dict[str, object]):
    """An object with a name that occurs twice, kept in place of the object to find its path."""

    twice: str


def loads(data: bytes, *, depth_max: int = JSON_DEPTH_MAX) -> object:
    """Return the value that ``data`` holds.

    Refused: bytes that are not UTF-8, a byte order mark, a name twice in one object, NaN and
    Infinity, a number too big for a float, lone surrogates (escaped ones too), more than
    ``depth_max`` arrays and objects inside each other, and anything after the value.

    The size of ``data`` is the caller's to bound.

    Raises: JsonRefused (ValueError).
    """
    if not data:
        raise JsonRefused("empty")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise JsonRefused(f"not UTF-8 at byte {fault.start}") from None
    if text.startswith(_BOM):
        raise JsonRefused("begins with a byte order mark")
    if data.count(b"[") + data.count(b"{") > depth_max and _depth(data) > depth_max:
        raise JsonRefused(f"more than {depth_max} arrays and objects inside each other")
    try:
        value: object = _decode(text)
    except _DuplicateError:
        raise _refusal_of_duplicate(text) from None
    except JsonRefused:
        raise
    except json.JSONDecodeError as fault:
        raise JsonRefused(f"not JSON at character {fault.pos}") from None
    except ValueError:  # CPython reads no integer of more than 4300 digits
        raise JsonRefused("an integer has too many digits") from None
    if b"\\u" in data and _ESCAPED_SURROGATE.search(data):
        _refuse_lone_surrogates(value)
    return value


def _object_of(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _DuplicateError
    return members


def _float_of(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise JsonRefused("a number is too big")
    return number


def _refuse_constant(text: str) -> object:
    raise JsonRefused(f"{text} is not a JSON number")


_decode = json.JSONDecoder(object_pairs_hook=_object_of, parse_float=_float_of, parse_constant=_refuse_constant).decode


def _depth(data: bytes) -> int:
    """Return how deep ``data`` nests, or more where it is not JSON; without recursion."""
    brackets = _STRING.sub(b"", data).translate(None, _ALL_BUT_BRACKETS)
    return max(accumulate(map(_DEPTH_CHANGE.__getitem__, brackets)), default=0)


def _refusal_of_duplicate(text: str) -> JsonRefused:
    """Read again, slowly, to say where the name stands twice."""

    def marked_object_of(pairs: list[tuple[str, object]]) -> dict[str, object]:
        members = dict(pairs)
        if len(members) == len(pairs):
            return members
        marked = _Marked(members)
        marked.twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        return marked

    try:
        value: object = json.JSONDecoder(object_pairs_hook=marked_object_of).decode(text)
    except ValueError:
        return JsonRefused("a name stands twice in one object, and what follows is not JSON")
    for path, item in _walk(value):
        if isinstance(item, _Marked):
            return JsonRefused("stands twice in one object", _path(path, item.twice))
    return JsonRefused("a name stands twice in one object")


def _refuse_lone_surrogates(value: object) -> None:
    for path, item in _walk(value):
        if isinstance(item, dict):
            for name in item:
                if _SURROGATE.search(name):
                    raise JsonRefused("a name holds half of a surrogate pair", path)
        elif isinstance(item, str) and _SURROGATE.search(item):
            raise JsonRefused("holds half of a surrogate pair", path)


def _walk(value: object) -> Iterator[tuple[str, object]]:
    """Yield every value with its path, outermost first."""
    waiting: list[tuple[str, object]] = [("", value)]
    while waiting:
        path, item = waiting.pop()
        yield path, item
        if isinstance(item, dict):
            waiting.extend((_path(path, name), member) for name, member in item.items())
        elif isinstance(item, list):
            waiting.extend((f"{path}[{position}]"[:_PATH_LENGTH_MAX], element) for position, element in enumerate(item))


def _path(path: str, name: str) -> str:
    if not _PLAIN_NAME.fullmatch(name):
        return f"{path}[{json.dumps(name)}]"[:_PATH_LENGTH_MAX]
    return (f"{path}.{name}" if path else name)[:_PATH_LENGTH_MAX]

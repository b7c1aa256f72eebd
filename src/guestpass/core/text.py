"""What a name may look like that the host chooses: user ids, organization ids, key names."""

from __future__ import annotations

import unicodedata

from guestpass.core.bounds import ID_LENGTH_MAX

_ARABIC_BLOCK_OF_NONCHARACTERS = range(0xFDD0, 0xFDF0)
_LAST_TWO = 0xFFFE
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, surrogates, line and paragraph breaks


def fault_of_id(value: str, *, length_max: int = ID_LENGTH_MAX) -> str | None:
    """Say which rule ``value`` breaks as an id, or return None.

    Ids have 1 to ``length_max`` Unicode code points, no control character, no noncharacter and no
    white space at either end. They are compared as they are: never normalised, never trimmed.
    """
    if not value:
        return "must not be empty"
    if len(value) > length_max:
        return f"has {len(value)} characters; at most {length_max} are allowed"
    if value.isascii() and value.isprintable():
        return "must not begin or end with white space" if " " in (value[0], value[-1]) else None
    if value[0].isspace() or value[-1].isspace():
        return "must not begin or end with white space"
    for character in value:
        if unicodedata.category(character) in _REFUSED_CATEGORIES or _is_noncharacter(ord(character)):
            return f"must not contain the character U+{ord(character):04X}"
    return None


def _is_noncharacter(code_point: int) -> bool:
    """Unicode section 23.7: U+FDD0..U+FDEF, and the last two of every plane."""
    return code_point in _ARABIC_BLOCK_OF_NONCHARACTERS or code_point & _LAST_TWO == _LAST_TWO

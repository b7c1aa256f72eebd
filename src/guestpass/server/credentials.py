"""What our credentials look like, so that one sent to a wrong place is not repeated from there."""

from __future__ import annotations

import re

# A secret or client key, a session or refresh token of any prefix word, a JWT: each with enough of its secret part to be one.
# A look-behind lets no two attempts read the same run of characters, so the search is linear on any input.
_CREDENTIAL = re.compile(
    r"[sc]k_(?:test|live)_\w{8,}|(?<![a-z0-9])[a-z0-9]*_(?:session|refresh)_(?:test|live)_[\w.-]{8,}"
    r"|(?<![\w-])eyJ[\w-]*\.[\w.-]*",
    re.ASCII,
)


def stands_in(text: str) -> bool:
    """Say whether ``text`` holds a credential, or something that looks like one."""
    return _CREDENTIAL.search(text) is not None


def without(text: str) -> str:
    """Return ``text`` with each credential replaced."""
    return _CREDENTIAL.sub("[credential]", text)

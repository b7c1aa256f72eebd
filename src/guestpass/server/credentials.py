"""What our credentials look like, so that one sent to a wrong place is not repeated from there."""

from __future__ import annotations

import re

# A secret or client key, an HS256 secret, a webhook secret, a session or refresh token of any prefix word, a JWT: each with enough of its
# secret part to be one. A look-behind lets no two attempts read the same run of characters, so the search is linear.
_CREDENTIAL = re.compile(
    r"(?:[scr]k|hs)_(?:test|live)_\w{8,}|whsec_[\w+/=]{8,}"
    r"|(?<![a-z0-9])[a-z0-9]*_(?:session|refresh)_(?:test|live)_[\w.-]{8,}"
    r"|(?<![\w-])eyJ[\w-]*\.[\w.-]*",
    re.ASCII,
)
# What else stands in no log, though a request may hold text of that form.
_SECRET = re.compile(
    r"(?<![\w-])\d{1,3}:[\w-]{43}(?![\w-])"  # a master key
    r"|(?<![0-9A-Fa-f])[0-9A-Fa-f]{64}(?![0-9A-Fa-f])"  # a request's signature, a hash of a credential
    r"|(?:a2V5X|c2tf)[\w+/]{8,}=*"  # key_…:sk_… or sk_…: in base64
    r"|(?<=://)[^\s/@:]*:[^\s/@]*@"  # the user and the password of an address
    r"|(?i:(?<![\w-])(?:basic|bearer)\s{1,8}[\w+/=.~:-]{8,})"
    r"|(?i:(?<=password=)[^\s&;'\"]+|(?<=password: )[^\s&;'\"]+)",
    re.ASCII,
)
_PLACEHOLDER = "[credential]"
# One of these stands in each match, in lower case, or the match is long: looking for them first makes a log line cheap.
_SIGNS = (
    "k_test_", "k_live_", "hs_test_", "hs_live_", "whsec_", "_session_", "_refresh_", "eyj", "a2v5x", "c2tf", "://", "basic", "bearer", "password",
)  # fmt: skip
_LONG = 45  # characters of the shortest master key


def stands_in(text: str) -> bool:
    """Say whether ``text`` holds a credential, or something that looks like one."""
    return _CREDENTIAL.search(text) is not None


def without(text: str) -> str:
    """Return ``text`` with each credential replaced: for an answer."""
    return _CREDENTIAL.sub(_PLACEHOLDER, text)


def without_any_secret(text: str) -> str:
    """Return ``text`` with each credential, and whatever else may be a secret, replaced: for a log."""
    if len(text) < _LONG and not any(map(text.lower().__contains__, _SIGNS)):
        return text
    return _SECRET.sub(_PLACEHOLDER, without(text))

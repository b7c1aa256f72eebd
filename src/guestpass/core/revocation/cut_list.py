"""The cut list: how a bulk revoke reaches verifiers that check alone, without saying who was meant.

A token carries tags (claim ``status.cuts``): one for its user, one for its organization, one for the API key that
minted it. A tag is a hash of an id that only the issuer can derive from a name, so nobody finds it by guessing
names. The issuer publishes one small signed document per issuer, ``{issuer}/status-lists/cuts``:

    {"sub": …, "iat": …, "exp": …, "ttl": …, "cuts": {"<tag>": [before_ms, reissue_before_ms], "*": […]}}

A token whose session id carries milliseconds below ``before_ms`` of one of its tags, or of ``*`` (everybody), has
ended for good; one below ``reissue_before_ms`` only, by a revoke with ``reissue``. One entry ends any number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from guestpass.core import ids
from guestpass.core.bounds import JSON_INTEGER_MAX, LEEWAY_SECONDS_MAX, LIFE_SECONDS_MAX
from guestpass.core.jose import base64url
from guestpass.core.jose.jwk import SigningKey
from guestpass.core.revocation import published
from guestpass.core.revocation.cutoff import Cut, CutKind
from guestpass.core.revocation.published import Published, PublishedRefused
from guestpass.core.revocation.status_list import INVALID, INVALID_REISSUE, VALID
from guestpass.core.strict_struct import StrictCodec
from guestpass.core.tokens.keys import KeySet
from guestpass.core.tokens.kinds import CUT_LIST

NAME = "cuts"  # the last part of its address, where a status list has its number
EVERYBODY = "*"
TAG_BYTES = 9  # of 1e9 subjects, two have one tag with a chance of 1e-4
TAG_CHARACTERS = 12
TAGS_MAX = 8  # of one token; three are in use
SEALED_CHARACTERS_MAX = 8 * 1024 * 1024  # some 100 000 cuts


Milliseconds = Annotated[int, Meta(ge=0, le=JSON_INTEGER_MAX)]


class Marks(NamedTuple):
    """Milliseconds below which sessions have ended: for good, and by a revoke with ``reissue``; 0: none."""

    before_ms: Milliseconds
    reissue_before_ms: Milliseconds

    def joined(self, other: Marks) -> Marks:
        """Return the marks of both."""
        return Marks(
            max(self.before_ms, other.before_ms),
            max(self.reissue_before_ms, other.reissue_before_ms),
        )

    def status_of(self, minted_ms: int) -> int:
        """Return VALID, INVALID or INVALID_REISSUE. A cut without ``reissue`` wins over one with it."""
        if minted_ms < self.before_ms:
            return INVALID
        return INVALID_REISSUE if minted_ms < self.reissue_before_ms else VALID


MarksByTag = dict[str, Marks]
_UNMARKED = Marks(0, 0)


class CutListClaims(Published, frozen=True, kw_only=True):
    cuts: dict[str, Marks]


_codec = StrictCodec(CutListClaims)


class CutList(Struct, frozen=True, kw_only=True):
    """The cuts of one issuer as a verifier keeps them. ``widest``: what any of them covers."""

    iat: int
    exp: int
    ttl: int
    marks: MarksByTag
    widest: Marks

    def status_of(self, session_id: str, tags: Iterable[str] | None) -> int:
        """Return VALID, INVALID or INVALID_REISSUE for a session (``sess_…``) with these tags.

        ``tags`` is None for a token that carries none: any cut may be meant for it, so each ends it. So does
        every cut end a session whose id has no time in it.
        """
        if not self.marks:
            return VALID
        marks = self.widest if tags is None else self._marks_over(tags)
        if marks is None:
            return VALID
        id_bytes = ids.decode("sess", session_id)
        return marks.status_of(ids.unix_ms_of(id_bytes) if id_bytes else 0)

    def _marks_over(self, tags: Iterable[str]) -> Marks | None:
        found = self.marks.get(EVERYBODY)
        for tag in tags:
            marks = self.marks.get(tag)
            if marks is not None:
                found = marks if found is None else found.joined(marks)
        return found


def tag_of(kind: CutKind, key: bytes) -> str:
    """Return the tag of a subject: ``key`` is what the issuer derived from the name with a key of its own, or drew.

    The key must not be guessable; a hash of the name alone could be found by trying names. For ``all``: ``*``.
    """
    if kind == "all":
        return EVERYBODY
    digest = hashlib.sha256(b"guestpass cut %s %s" % (kind.encode(), key)).digest()
    return base64url.encode(digest[:TAG_BYTES])


def marks_of(cuts: Iterable[tuple[str, Cut]]) -> MarksByTag:
    """Return what to publish for cuts, each with the tag of its subject: at most one entry a tag."""
    marks: MarksByTag = {}
    for tag, cut in cuts:
        its = Marks(0, cut.before_ms) if cut.ending.reissue else Marks(cut.before_ms, 0)
        marks[tag] = marks.get(tag, _UNMARKED).joined(its)
    return marks


def publish(marks: MarksByTag, *, uri: str, iat: int, exp: int, ttl: int, key: SigningKey) -> str:
    """Return the cut list, signed. It must hold every cut that may cover a token which is not in its list yet."""
    claims = CutListClaims(sub=uri, iat=iat, exp=exp, ttl=ttl, cuts={tag: marks[tag] for tag in sorted(marks)})
    return published.seal(_codec.encode(claims), CUT_LIST, key)


def read(text: str, keys: KeySet, *, uri: str, now: int) -> CutList:
    """Open a cut list that was fetched for ``uri``.

    Raises: PublishedRefused (PublishedKeyUnknown).
    """
    payload = published.open_sealed(text, CUT_LIST, keys, length_max=SEALED_CHARACTERS_MAX)
    try:
        claims = _codec.decode(payload)
    except ValueError:
        raise PublishedRefused("a claim is missing, or not of its type") from None
    published.check_place_and_time(claims, uri=uri, now=now)
    return _cut_list(claims.iat, claims.exp, claims.ttl, claims.cuts)


def merged(known: CutList, fetched: CutList) -> CutList:
    """Return ``fetched`` with every cut of ``known`` that may still cover a living token.

    A cut is final, so a list that comes late or from a cache takes none back. One may leave the list when its
    tokens are in their status lists; it is kept here as long as a token can live, by the issuer's clock.
    """
    oldest_ms = (fetched.iat - LIFE_SECONDS_MAX - LEEWAY_SECONDS_MAX) * 1000
    kept = {tag: marks for tag, marks in known.marks.items() if max(marks) > oldest_ms}
    marks = fetched.marks | {tag: its.joined(fetched.marks.get(tag, _UNMARKED)) for tag, its in kept.items()}
    return _cut_list(max(known.iat, fetched.iat), fetched.exp, fetched.ttl, marks)


def _cut_list(iat: int, exp: int, ttl: int, marks: MarksByTag) -> CutList:
    widest = _UNMARKED
    for its in marks.values():
        widest = widest.joined(its)
    return CutList(iat=iat, exp=exp, ttl=ttl, marks=marks, widest=widest)

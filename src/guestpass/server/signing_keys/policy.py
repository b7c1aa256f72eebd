"""When a key signs, is accepted, and goes. Pure: keys, and a time of the store's clock, in milliseconds.

A key's life: it is published and waits; when its turn comes, and every cached key set has it, it signs; the next
one takes over, and it stays published until the last token it signed has ended. Asymmetric keys and HS256 secrets
are two families, and each has its own line of such lives: where a secret signs the tokens, the asymmetric keys sign
what anyone verifies. Of the asymmetric ones there is always a next, so that a stolen key has a known successor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from guestpass.core.bounds import LIFE_SECONDS_MAX
from guestpass.server.signing_keys.model import SigningAlgorithm, StoredKey

JWKS_MAX_AGE_SECONDS = 60
# From the commit of a new key until it may sign: a cache before a verifier and the verifier's own, one after the
# other, and 10 s in which each of our servers hears of it.
LEAD_MS = (2 * JWKS_MAX_AGE_SECONDS + 10) * 1000
# From when the next key signs until the last token of this one has ended everywhere: the longest life, 60 s of leeway
# at the verifier, servers whose clocks are 5 s apart, and a mint that was under way.
LAST_TOKEN_MS = (LIFE_SECONDS_MAX + 300) * 1000
SECRET_LEAD_MS = 24 * 3600 * 1000  # no key set brings a secret to its verifiers: a person does
SWITCH_MS = 3_000  # until an issuer turns to another family: all of its servers have heard by then
KEPT_MS = 365 * 24 * 3600 * 1000  # how long a key that is out is still listed
NEVER_MS = 2**53  # of a next key whose turn nobody has named yet
_DAY_MS = 24 * 3600 * 1000

State = Literal["next", "signing", "verifying", "retired", "revoked"]


class Duties(NamedTuple):
    """What an issuer's keys do at one moment.

    Args:
        verify: The keys that its tokens may be signed with.
        published: The asymmetric ones.
        until_ms: When the next change is due by time alone; None: never.
    """

    signs_tokens: StoredKey | None
    signs_lists: StoredKey | None
    verify: tuple[StoredKey, ...]
    published: tuple[StoredKey, ...]
    until_ms: int | None


class Publish(NamedTuple):
    """Add a key. ``in_place_of``: a next key whose turn has not come, and now never will."""

    signs_from_ms: int
    in_place_of: StoredKey | None = None


class Schedule(NamedTuple):
    """Let a key that is published sign from then on."""

    key: StoredKey
    signs_from_ms: int


Step: TypeAlias = Publish | Schedule


def duties(keys: Sequence[StoredKey], now_ms: int) -> Duties:
    secret = uses_secret(keys, now_ms)
    published = accepted(keys, now_ms, secret=False)
    changes = (at for key in keys for at in (key.signs_from_ms, retires_at_ms(key, keys)) if at is not None)
    return Duties(
        signs_tokens=signer(keys, now_ms, secret=secret),
        signs_lists=signer(keys, now_ms, secret=False),
        verify=accepted(keys, now_ms, secret=True) if secret else published,
        published=published,
        until_ms=min((at for at in changes if at > now_ms), default=None),
    )


def uses_secret(keys: Sequence[StoredKey], now_ms: int) -> bool:
    """Say whether the issuer's tokens are under a secret: HS256 stands alone, never beside an asymmetric key."""
    return any(key.signs_from_ms <= now_ms for key in accepted(keys, now_ms, secret=True))


def accepted(keys: Iterable[StoredKey], now_ms: int, *, secret: bool) -> tuple[StoredKey, ...]:
    """Return the keys of a family that are neither revoked nor retired, the last to sign first."""
    family = [key for key in keys if key.is_secret == secret and key.revoked_at_ms is None]
    living = (key for key in family if not _is_past(retires_at_ms(key, family), now_ms))
    return tuple(sorted(living, key=_order, reverse=True))


def signer(keys: Sequence[StoredKey], now_ms: int, *, secret: bool) -> StoredKey | None:
    """Return the key of a family that signs: the last one whose turn has come, else the first whose turn will."""
    living = accepted(keys, now_ms, secret=secret)
    return next((key for key in living if key.signs_from_ms <= now_ms), living[-1] if living else None)


def waiting(keys: Sequence[StoredKey], now_ms: int, *, secret: bool) -> StoredKey | None:
    """Return the key of a family that is the next to sign."""
    coming = [key for key in accepted(keys, now_ms, secret=secret) if key.signs_from_ms > now_ms]
    return coming[-1] if coming else None


def retires_at_ms(key: StoredKey, keys: Iterable[StoredKey]) -> int | None:
    """Return when the last token of ``key`` has ended: some time after the next key of its family begins to sign."""
    if key.retires_at_ms is not None:
        return key.retires_at_ms
    successors = (
        other.signs_from_ms
        for other in keys
        if other.is_secret == key.is_secret and other.revoked_at_ms is None and _order(key) < _order(other) < _NEVER
    )
    begins = min(successors, default=None)
    return None if begins is None else begins + LAST_TOKEN_MS


def state_of(key: StoredKey, keys: Sequence[StoredKey], now_ms: int) -> State:
    if key.revoked_at_ms is not None:
        return "revoked"
    if _is_past(retires_at_ms(key, keys), now_ms):
        return "retired"
    if key.signs_from_ms > now_ms:
        return "next"
    return "signing" if signer(keys, now_ms, secret=key.is_secret) == key else "verifying"


def to_erase(keys: Sequence[StoredKey], now_ms: int) -> list[StoredKey]:
    """Return the keys that are out and whose private part is still there."""
    return [key for key in keys if key.sealed_private_jwk and state_of(key, keys, now_ms) in {"retired", "revoked"}]


def to_forget(keys: Sequence[StoredKey], now_ms: int) -> list[StoredKey]:
    """Return the keys that have been out for so long that nobody asks for them."""
    ends = ((key, key.revoked_at_ms or key.retires_at_ms) for key in keys)
    return [key for key, end in ends if end is not None and end + KEPT_MS <= now_ms]


def due(
    keys: Sequence[StoredKey], now_ms: int, *, key_days: int, algorithm: SigningAlgorithm | None = None
) -> Step | None:
    """Return what time, or a changed setting, asks of the asymmetric keys.

    There is always a next one. It takes over when the one that signs has done so for ``key_days`` (0: never), and
    where that one is not for ``algorithm``.
    """
    signs, follows = signer(keys, now_ms, secret=False), waiting(keys, now_ms, secret=False)
    if signs is None:
        return Publish(now_ms)
    idle = follows if follows is not None and follows.signs_from_ms == NEVER_MS else None
    last = signs if follows is None or idle else follows
    if algorithm not in (None, last.algorithm):
        if idle is not None and idle.algorithm == algorithm:
            return Schedule(idle, _earliest_ms(idle, now_ms))
        return Publish(now_ms + LEAD_MS, in_place_of=idle)
    if follows is None or (idle is not None and algorithm not in (None, idle.algorithm)):
        return Publish(NEVER_MS, in_place_of=idle)
    if idle is not None and key_days and signs.signs_from_ms + key_days * _DAY_MS <= now_ms:
        return Schedule(idle, _earliest_ms(idle, now_ms))
    return None


def rotation(keys: Sequence[StoredKey], now_ms: int, *, secret: bool, signs_in_ms: int | None) -> Step | None:
    """Return how the next key of a family takes over, in ``signs_in_ms`` or as soon as it may.

    The next secret is one that a person has handed out: where there is one, it keeps its time.
    """
    follows = waiting(keys, now_ms, secret=secret)
    if secret:
        lead_ms = SECRET_LEAD_MS if signs_in_ms is None else signs_in_ms
        return None if follows else Publish(now_ms + lead_ms)
    if follows is None:
        return Publish(now_ms + max(signs_in_ms or 0, LEAD_MS))
    earliest_ms = _earliest_ms(follows, now_ms)
    if signs_in_ms is None:
        return Schedule(follows, min(follows.signs_from_ms, earliest_ms))
    return Schedule(follows, max(now_ms + signs_in_ms, earliest_ms))


def replacement(keys: Sequence[StoredKey], now_ms: int, *, secret: bool) -> Step | None:
    """Return what takes the place of a key that signed and is no longer among ``keys``: from now on another signs.

    The next one, where every verifier has it; else the one before, which all have, until they have the next one.
    Where neither is left, whatever there is signs at once, and who does not know it asks.
    """
    signs, follows = signer(keys, now_ms, secret=secret), waiting(keys, now_ms, secret=secret)
    bridges = signs is not None and signs.signs_from_ms <= now_ms
    if follows is None:
        lead_ms = SECRET_LEAD_MS if secret else LEAD_MS
        return Publish(now_ms + lead_ms if bridges else now_ms)
    if not bridges:
        return Schedule(follows, now_ms)
    return None if secret else Schedule(follows, _earliest_ms(follows, now_ms))


def _earliest_ms(key: StoredKey, now_ms: int) -> int:
    """Return from when an asymmetric key may sign and no verifier has to ask for it."""
    return max(now_ms, key.published_at_ms + LEAD_MS)


_NEVER = (NEVER_MS, "")


def _order(key: StoredKey) -> tuple[int, str]:
    return key.signs_from_ms, key.kid


def _is_past(at_ms: int | None, now_ms: int) -> bool:
    return at_ms is not None and at_ms <= now_ms

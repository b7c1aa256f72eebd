"""Who may make and change which key, and what a key is still good for: decided on what a transaction has read."""

from __future__ import annotations

from guestpass.core.bounds import SECRETS_MAX
from guestpass.core.callers.api_key import Can
from guestpass.core.callers.grant import Grant, beyond
from guestpass.core.tokens import operations
from guestpass.errors import Conflict, Detail, Forbidden, GuestpassError, NotFound, Unauthorized
from guestpass.server.api_keys.model import ApiKey, Described

NOT_KNOWN = "This API key is unknown here, has ended, or was revoked."  # alike: an old secret teaches nothing
NO_SUCH_KEY = "There is no such API key."


def refusal_of_caller(stored: Described | None, key: ApiKey, can: Can, now: float) -> GuestpassError | None:
    """Say why ``key``, as it was shown a moment ago, may do nothing more that needs ``can``.

    ``stored``: the key as the transaction reads it; None: it is gone. A secret that was rotated away is not among its own.
    """
    if stored is None or not stored.key.lives(now):
        return Unauthorized(NOT_KNOWN)
    if key.shown is not None and key.shown.hash not in {secret.hash for secret in stored.secrets}:
        return Unauthorized(NOT_KNOWN)
    if can not in stored.key.can:
        return Forbidden(f'This API key lacks "{can}" now.')
    return None


def refusal_of_mint(stored: Described | None, key: ApiKey, scope: str, now: float) -> GuestpassError | None:
    """Say why a mint that ``key`` was good for a moment ago is not committed. ``scope``: what its token would allow."""
    refusal = refusal_of_caller(stored, key, "mint", now)
    if refusal is None and stored is not None and operations.within(scope, stored.key.ceiling) != scope:
        return Forbidden("This API key may no longer grant these operations; its own were cut down meanwhile.")
    return refusal


def check_gift(gift: Grant, own: Grant | None) -> None:
    """Raises: Forbidden where who has ``own`` may not give ``gift`` to a key. None is the operator, who has everything."""
    _check_within(gift, own, "An API key may not hand on more than it has itself")


def check_target(target: Described | None, issuer: int, own: Grant | None, now: float) -> Described:
    """Return a key that who has ``own`` may rotate and edit: whoever can do that can do all that it can.

    Raises: NotFound, also for another issuer's key; Forbidden; Conflict where it has ended, which it does for good.
    """
    if target is None or target.key.issuer != issuer:
        raise NotFound(NO_SUCH_KEY)
    _check_within(target.key.grant, own, "An API key may not change one that can do more than itself")
    if not target.key.lives(now):
        ended = "was revoked" if target.key.revoked_at is not None else "has reached its end"
        raise Conflict(f"This API key {ended}, and stays so; make another.")
    return target


def check_rotation(target: Described) -> None:
    """Raises: Conflict where as many secrets work as may at once."""
    if len(target.secrets) >= SECRETS_MAX:
        raise Conflict(
            f"{SECRETS_MAX} secrets of this API key work at once. Wait until one ends, or rotate with an overlap of 0, "
            "which ends them all."
        )


def _check_within(grant: Grant, own: Grant | None, rule: str) -> None:
    too_much = beyond(grant, own) if own is not None else None
    if too_much:
        raise Forbidden(f"{rule}: {too_much.field} {too_much.rule}.", details=(Detail(*too_much),))

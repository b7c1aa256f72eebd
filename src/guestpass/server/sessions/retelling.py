"""Tell again what a mint made: from the session's row, and from the little that was sealed beside it.

A whole answer is five times as long as the row, and would be most of what a mint writes. A token is told only where it
proves to be the one that was made: its signature still fits, or its hash.
"""

from __future__ import annotations

from typing import NamedTuple

from guestpass.core.jose import base64url
from guestpass.core.jose.jws import encode_header
from guestpass.core.tokens import claims as claims_codec
from guestpass.core.tokens import opaque
from guestpass.core.tokens.keys import KeySet
from guestpass.core.tokens.kinds import SESSION
from guestpass.errors import Conflict
from guestpass.server.api_keys import service as api_keys
from guestpass.server.api_keys.service import ApiKey
from guestpass.server.projects.service import Issuer
from guestpass.server.revocation import service as revocation
from guestpass.server.sessions import sql
from guestpass.server.sessions.claims import claims_of
from guestpass.server.sessions.model import Known, Made, RenewalRow, SessionRow
from guestpass.server.signing_keys.service import Signer
from guestpass.server.storage.store import Transaction

_ENDED = (
    "The session that was minted with this Idempotency-Key has ended, so its token is not answered again. To mint "
    "another, send a new key."
)
_CANNOT_BE_TOLD = (
    "The token that was minted with this Idempotency-Key cannot be told again, since what it was made with has changed. "
    "To mint another, send a new key."
)


def made_of(row: SessionRow, token: str, signer: Signer, denied: list[str]) -> Made:
    """Return what is to be kept of a mint."""
    if row.format == "opaque":
        return Made(row.id, None, token[-opaque.PROOF_CHARACTERS :], denied)
    return Made(row.id, signer.key.kid, token.rpartition(".")[2], denied)


class Living(NamedTuple):
    """A session whose token is good. ``token_hash``: of an opaque token; ``renewal``: of a renewable session."""

    row: SessionRow
    token_hash: bytes | None
    renewal: RenewalRow | None


async def living(tx: Transaction, key: ApiKey, session_id: bytes, *, now: int) -> Living:
    """Find a session whose token is good. Raises: Conflict where it is not; what a mint of this key would be refused with."""
    found = await sql.find(tx, key.issuer, session_id)
    if found is None:
        raise Conflict(_ENDED)
    row = found.row
    (refusal,) = await api_keys.refusals(tx, [(key, row.scope)], now)
    if refusal is not None:
        raise refusal
    ending = await revocation.ending_in(tx, row.issuer, row.id, row.subjects, found.own, found.horizon)
    uses = 0 if row.max_uses is None else await sql.uses_of(tx, row.issuer, row.id)
    known = Known(row, ending, row.is_used_up(uses), found.renewal, found.suspended)
    if known.status(now) not in ("active", "scheduled"):
        raise Conflict(_ENDED)
    return Living(row, await sql.opaque_hash_of(tx, row.id) if row.format == "opaque" else None, found.renewal)


def token_again(session: Living, made: Made, issuer: Issuer, keys: KeySet, *, prefix: str) -> str:
    """Return the token of a session as it was made. Raises: Conflict where it would be another."""
    row = session.row
    if session.token_hash is not None:
        token = f"{prefix}{row.public_id.removeprefix('sess_')}{made.proof}"
        if opaque.is_token_of(token, session.token_hash):
            return token
        raise Conflict(_CANNOT_BE_TOLD, internal="the hash of the opaque token differs")
    key = keys.by_kid.get(made.kid or "")
    if key is None or SESSION.typ is None:
        raise Conflict(_CANNOT_BE_TOLD, internal="the key that signed is not held any more")
    header = encode_header(key.algorithm, key.kid, SESSION.typ)
    signed = f"{header}.{base64url.encode(claims_codec.encode(claims_of(row, issuer)))}"
    if not key.verifies_segment(signed.encode(), made.proof):
        raise Conflict(_CANNOT_BE_TOLD, internal="the signature does not fit what the session's row says")
    return f"{prefix}{signed}.{made.proof}"

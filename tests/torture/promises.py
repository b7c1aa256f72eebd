"""What servers have promised to clients who mint and revoke, and whether they keep it.

What was acknowledged as minted must be there, what was acknowledged as ended must be dead, and what was asked for
without an answer may be either, but not half.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

VERIFIERS = 8


class Refused(Exception):
    """The answer is none that acknowledges what was asked for."""

    def __init__(self, status, answer):
        super().__init__(f"{status} {answer}")
        self.status = status


@dataclass
class Ledger:
    """What the servers have promised to one client, who acts for one user."""

    user: str
    living: dict[str, str] = field(default_factory=dict)  # id -> token
    ended: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)  # an end was asked for, and nothing was answered

    @property
    def counts(self):
        return {kind: len(getattr(self, kind)) for kind in ("living", "ended", "unknown")}


async def mint(connection, ledger, dice):
    body = {"externalUserId": ledger.user, "expiresIn": 86_400}
    if dice.random() < 0.3:
        body |= {
            "format": "opaque",
            "metadata": {"cart": "x" * dice.randrange(2000)},
            "email": f"{ledger.user}@example.com",
        }
    answer = acknowledged(201, await connection.post("/v1/session-tokens", body))
    assert answer["externalUserId"] == ledger.user, f"a foreign answer: {answer}"
    ledger.living[answer["id"]] = answer["sessionToken"]


async def end_one(connection, ledger, session_id):
    ledger.unknown[session_id] = ledger.living.pop(session_id)
    answer = acknowledged(200, await connection.delete(f"/v1/session-tokens/{session_id}"))
    assert answer["id"] == session_id, f"a foreign answer: {answer}"
    ledger.ended[session_id] = ledger.unknown.pop(session_id)


async def end_user(connection, ledger):
    """End all that were acknowledged; an end that was not acknowledged before is so now."""
    ledger.unknown |= ledger.living
    ledger.living.clear()
    acknowledged(200, await connection.post("/v1/users/revoke", {"externalUserId": ledger.user}))
    ledger.ended |= ledger.unknown
    ledger.unknown.clear()


def acknowledged(expected, reply):
    status, _, answer = reply
    if status != expected:
        raise Refused(status, answer)
    return answer


def breach(kind, session_id, reply):
    """Say what of an answer to ``GET /v1/session`` is not as it was acknowledged, or return None."""
    status, _, answer = reply
    if status == 200 and kind != "ended" and answer["id"] == session_id:
        return None
    if status == 401 and kind != "living" and answer["code"] == "TOKEN_REVOKED":
        return None
    return f"{session_id} was acknowledged as {kind}, and is answered {status} {answer}"


async def broken_promises(server, ledgers):
    """Ask for every session; say what is not as it was acknowledged."""
    promised = [
        (kind, session_id, token)
        for ledger in ledgers
        for kind in ("living", "ended", "unknown")
        for session_id, token in getattr(ledger, kind).items()
    ]
    broken = []

    async def verify():
        async with server.connection() as connection:
            while promised:
                kind, session_id, token = promised.pop()
                if found := breach(kind, session_id, await connection.get("/v1/session", bearer=token)):
                    broken.append(found)

    await asyncio.gather(*(verify() for _ in range(VERIFIERS)))
    return broken

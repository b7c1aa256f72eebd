"""Session rows for tests of the storage: whatever a test does not name is of no interest to it."""

from __future__ import annotations

from guestpass.core import ids
from guestpass.core.revocation.cutoff import Ending
from guestpass.server.sessions import index
from guestpass.server.sessions.model import SessionRow
from guestpass.server.storage import migrate
from guestpass.server.storage.sqlite import MEMORY, SqliteStore

ISSUER = 2
NOW_MS = 1_893_456_000_000
BY_US = Ending(NOW_MS, "a test", reissue=False)


def key_of(name):
    """A customer's id, an organization's key, an API key's id."""
    return name.encode().rjust(16, b".")


def row(ms=NOW_MS, *, entropy=0, issuer=ISSUER, user="ada", organization=None, api_key="key", form="jwt"):
    return SessionRow(
        issuer=issuer,
        id=ids.time_ordered(ms, entropy.to_bytes(ids.ENTROPY_BYTES, "big")),
        api_key_id=key_of(api_key),
        customer_id=key_of(user),
        external_user_id=user,
        organization_key=None if organization is None else key_of(organization),
        external_organization_id=organization,
        scope="*",
        issued_at=ms // 1000,
        not_before=None,
        expires_at=ms // 1000 + 3600,
        max_uses=None,
        format=form,
        status_list=1,
        status_index=0,
    )


def migrated(path=MEMORY):
    store = SqliteStore(path)
    migrate.upgrade(store)
    return store


async def found_ids(tx, issuer, owner, **edges):
    """All ids of an owner that the index finds, newest first."""
    found = index.newest_first(tx, issuer, owner, **{"below": index.AFTER_ALL_IDS, **edges})
    return [session_id async for session_id in found]

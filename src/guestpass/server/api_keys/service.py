"""Find, make and revoke API keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from guestpass.core import ids
from guestpass.core.callers import api_key, secret_text
from guestpass.core.callers.api_key import ALL_CAN, Can
from guestpass.core.revocation.cutoff import Ending
from guestpass.core.tokens import operations
from guestpass.errors import NotFound, Unauthorized
from guestpass.server.api_keys import sql
from guestpass.server.api_keys.model import WORD, ApiKey, SigningSecret
from guestpass.server.clock import Clock, Entropy
from guestpass.server.projects.service import Issuer
from guestpass.server.revocation import service as revocation
from guestpass.server.revocation.service import Subject
from guestpass.server.storage.sealing import Sealer
from guestpass.server.storage.store import Store, Transaction

__all__ = ["WORD", "ApiKey", "ApiKeys", "NewKey", "SigningSecret", "is_of", "public_id", "revoked_among"]


# A key that was revoked through another process works here for so long yet; a mint is refused at once all the
# same, since its own transaction asks again.
REMEMBERED_SECONDS = 0.25
REMEMBERED_MAX = 10_000
_NOBODY = bytes(ids.ID_BYTES)  # an id that no key has


class NewKey(NamedTuple):
    """A key and its secret, which is shown this once; kept, sealed, only where the key signs."""

    key: ApiKey
    secret: str
    sealed_secret: bytes | None


class _Revoke(NamedTuple):
    key_id: bytes
    issuers: Sequence[int]
    keep_sessions: bool
    by: str


class ApiKeys:
    def __init__(self, store: Store, clock: Clock, entropy: Entropy, sealer: Sealer) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._sealer = sealer
        self._remembered: dict[bytes, tuple[ApiKey, float]] = {}
        self._signing: dict[str, tuple[SigningSecret, float]] = {}
        nobody = ApiKey(_NOBODY, 0, "", frozenset(ALL_CAN), operations.UNRESTRICTED, 0, None, signing=True)
        secret = api_key.make("test", entropy(secret_text.ENTROPY_BYTES))
        self._stand_in = sql.stand_in_row(nobody, self._seal(_NOBODY, secret))

    async def authenticate(self, secret: str) -> ApiKey:
        """Return the key that ``secret`` belongs to.

        Raises: Unauthorized. A mistyped secret is refused by its checksum, without a look-up.
        """
        secret_hash = api_key.hash_of(secret)
        now = self._clock()
        remembered = self._remembered.get(secret_hash)
        if remembered is not None and 0 <= now - remembered[1] < REMEMBERED_SECONDS:
            return remembered[0]
        if api_key.environment_of(secret) is None:
            raise Unauthorized(_what_is_wrong_with(secret))
        key = await sql.by_secret_hash(self._store, secret_hash)
        if key is None or key.revoked_at is not None:
            self._remembered.pop(secret_hash, None)
            # Unknown and revoked look alike: who holds an old secret learns nothing from it.
            raise Unauthorized("This API key is unknown here, or was revoked.")
        if len(self._remembered) >= REMEMBERED_MAX:
            self._remembered.clear()
        self._remembered[secret_hash] = (key, now)
        return key

    async def signing_secret(self, key_id: str) -> SigningSecret:
        """Return the key of that id with its secret, for a signature to be held against.

        Where there is none, it was revoked, or does not sign, a stand-in comes in its place after the same work, so
        that nobody learns from the answer or its time which ids there are.
        """
        now = self._clock()
        remembered = self._signing.get(key_id)
        if remembered is not None and 0 <= now - remembered[1] < REMEMBERED_SECONDS:
            return remembered[0]
        found = await self._find_signing_secret(key_id)
        if len(self._signing) >= REMEMBERED_MAX:
            self._signing.clear()
        self._signing[key_id] = (found, now)
        return found

    async def _find_signing_secret(self, key_id: str) -> SigningSecret:
        wanted = ids.decode(WORD, key_id) or _NOBODY
        key, sealed = await sql.with_sealed_secret(self._store, wanted, self._stand_in)
        secret = self._sealer.open(_purpose(key.id), sealed).decode()
        return SigningSecret(None if key.id == _NOBODY or key.revoked_at is not None else key, secret)

    def _seal(self, key_id: bytes, secret: str) -> bytes:
        return self._sealer.seal(_purpose(key_id), secret.encode())

    async def create(
        self, issuer: Issuer, name: str, *, can: Iterable[Can], ceiling: str, signing: bool = False
    ) -> NewKey:
        """Make a key. ``ceiling``: a scope, the most that tokens it mints may do.

        ``signing``: keep its secret, sealed, so that requests may be signed with it.
        """
        now = self._clock()
        secret = api_key.make(issuer.environment, self._entropy(secret_text.ENTROPY_BYTES))
        key_id = ids.time_ordered(int(now * 1000), self._entropy(ids.ENTROPY_BYTES))
        key = ApiKey(key_id, issuer.number, name, frozenset(can), ceiling, int(now), None, signing)
        new = NewKey(key, secret, self._seal(key_id, secret) if signing else None)

        async def act(tx: Transaction, items: list[NewKey]) -> list[NewKey]:
            for one in items:
                await sql.add(tx, one.key, api_key.hash_of(one.secret), one.sealed_secret)
            return items

        return await self._store.write(act, new)

    async def all_of(self, issuers: Sequence[Issuer]) -> list[ApiKey]:
        numbers = [issuer.number for issuer in issuers]
        return await self._store.read(lambda tx: sql.all_of(tx, numbers))

    async def revoke(self, key_id: str, issuers: Sequence[Issuer], *, by: str, keep_sessions: bool = False) -> ApiKey:
        """Revoke a key of these issuers and, unless ``keep_sessions``, end its sessions in the same transaction.

        Revoking it again changes nothing. Raises: NotFound.
        """
        found = ids.decode(WORD, key_id)
        if found is None:
            raise NotFound(f"There is no API key {key_id}.")
        revoke = _Revoke(found, [issuer.number for issuer in issuers], keep_sessions, by)
        key = await self._store.write(self._revoke, revoke)
        self._remembered.clear()
        self._signing.clear()
        return key

    async def _revoke(self, tx: Transaction, items: list[_Revoke]) -> list[ApiKey | Exception]:
        outcomes: list[ApiKey | Exception] = []
        await revocation.lock_issuers(tx, {issuer for item in items for issuer in item.issuers})
        for item in items:
            key = await sql.by_id(tx, item.key_id)
            if key is None or key.issuer not in item.issuers:
                outcomes.append(NotFound("There is no such API key."))
                continue
            if key.revoked_at is None:
                now = self._clock()
                await sql.set_revoked(tx, key.id, now=int(now))
                if not item.keep_sessions:
                    ending = Ending(int(now * 1000), item.by, reissue=False)
                    await revocation.cut(tx, key.issuer, Subject("api_key", key.id), ending)
            outcomes.append(await sql.by_id(tx, key.id) or key)
        return outcomes


def public_id(key_id: bytes) -> str:
    return ids.encode_again(WORD, key_id)


async def is_of(tx: Transaction, issuer: int, key_id: bytes) -> bool:
    """Say whether there is such a key of this issuer, revoked or not."""
    key = await sql.by_id(tx, key_id)
    return key is not None and key.issuer == issuer


async def revoked_among(tx: Transaction, key_ids: Iterable[bytes]) -> set[bytes]:
    """Return those that may no longer mint: asked inside the mint's own transaction."""
    return await sql.revoked_among(tx, key_ids)


def _purpose(key_id: bytes) -> str:
    return f"api_key:{key_id.hex()}"


def _what_is_wrong_with(secret: str) -> str:
    if "_session_test_" in secret or "_session_live_" in secret or secret.startswith("ey"):
        return "This is a session token; this route needs a secret API key (sk_…), from your backend."
    if secret.startswith("ck_"):
        return "This is a public client key; this route needs a secret API key (sk_…)."
    if secret.startswith(("sk_test_", "sk_live_")):
        return "The API key was cut or mistyped: its checksum does not hold."
    return "This is not an API key; it begins with sk_test_ or sk_live_."

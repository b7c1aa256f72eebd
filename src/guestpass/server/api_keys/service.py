"""Find, make, change and revoke API keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

from guestpass.core import ids
from guestpass.core.bounds import OVERLAP_SECONDS_DEFAULT
from guestpass.core.callers import api_key, secret_text
from guestpass.core.callers.grant import EVERYTHING, Grant
from guestpass.core.tokens.kinds import Environment
from guestpass.errors import Conflict, GuestpassError, NotFound, Unauthorized
from guestpass.server.api_keys import changes, policy, sql
from guestpass.server.api_keys.changes import Change, Create, Edit, Revoke, Rotate, Seal, own_grant
from guestpass.server.api_keys.model import (
    OPERATOR,
    SECRETS_HELD,
    WORD,
    Actor,
    ApiKey,
    Described,
    MadeSecret,
    Secret,
    SigningSecrets,
)
from guestpass.server.clock import Clock, Entropy
from guestpass.server.projects.model import environment_of
from guestpass.server.projects.service import Issuer
from guestpass.server.remembered import Remembered
from guestpass.server.storage import facts
from guestpass.server.storage.sealing import SealedColumn, Sealer
from guestpass.server.storage.store import Riders, Store, Transaction, noting

__all__ = [
    "OPERATOR", "SEALED_SECRETS", "WORD", "Actor", "ApiKey", "ApiKeys", "Described", "Edit", "Grant", "MadeSecret", "NewKey",
    "Secret", "SigningSecrets", "ceilings_of", "is_of", "own_grant", "public_id", "refusals",
]  # fmt: skip

# What another process did to a key is seen here so much later; a mint is refused at once all the same, since its own
# transaction asks again.
REMEMBERED_SECONDS = 0.25
USES_BATCH = 500  # keys of whose last use one act writes
_NOBODY = bytes(ids.ID_BYTES)  # an id that no key has


class NewKey(NamedTuple):
    """A key and its newest secret, which is shown this once; kept, sealed, only where the key signs."""

    described: Described
    secret: str

    @property
    def key(self) -> ApiKey:
        return self.described.key


class ApiKeys:
    def __init__(self, store: Store, clock: Clock, entropy: Entropy, sealer: Sealer) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._sealer = sealer
        self._by_hash = Remembered(self._look_up, clock, REMEMBERED_SECONDS)
        self._signing = Remembered(self._find_signing_secrets, clock, REMEMBERED_SECONDS)
        self._used_at: dict[bytes, int] = {}  # Unix seconds by key, of uses that are not written yet
        nobody = ApiKey(id=_NOBODY, issuer=0, name="", grant=EVERYTHING, created_at=0)
        secret, text = self._new_secret("test", 0)
        stand_in = secret._replace(sealed=sealer.key.seal(_purpose(_NOBODY), text.encode()))
        self._stand_in = sql.stand_in_row(nobody, stand_in)
        self._stand_ins = [(_NOBODY, stand_in)] * SECRETS_HELD

    async def authenticate(self, secret: str) -> ApiKey:
        """Return the key that ``secret`` belongs to.

        Raises: Unauthorized. A mistyped secret is refused by its checksum, without a look-up.
        """
        secret_hash = api_key.hash_of(secret)
        key = self._by_hash.young(secret_hash)
        if key is None:
            if api_key.environment_of(secret) is None:
                raise Unauthorized(_what_is_wrong_with(secret))
            key = await self._by_hash.get(secret_hash)
        if key is None or not key.works(self._clock()):
            raise Unauthorized(policy.NOT_KNOWN)
        return key

    async def _look_up(self, secret_hash: bytes) -> ApiKey | None:
        return await sql.by_hash(self._store, secret_hash)

    async def signing_secrets(self, key_id: str) -> SigningSecrets:
        """Return the key of that id with its secrets, for a signature to be held against.

        Where there is none, it has ended, or does not sign, a stand-in comes in its place after the same work, so
        that nobody learns from the answer or its time which ids there are.
        """
        found = await self._signing.get(key_id)
        assert found is not None  # noqa: S101 - there is always the stand-in
        return found

    async def _find_signing_secrets(self, key_id: str) -> SigningSecrets:
        now = self._clock()
        found = await sql.look_up_signing(self._store, ids.decode(WORD, key_id) or _NOBODY, self._stand_in, now)
        own = [(found.key.id, secret) for secret in found.secrets]
        secrets = tuple(
            (secret if owner != _NOBODY else None, self._sealer.open(_purpose(owner), secret.sealed or b"").decode())
            for owner, secret in (own + self._stand_ins)[: max(SECRETS_HELD, len(own))]
        )
        lives = found.key.lives(now)  # asked of the stand-in, too: the same work for whoever is asked about
        return SigningSecrets(found.key if lives and found.key.id != _NOBODY else None, secrets)

    def _new_secret(self, environment: Environment, now: float) -> tuple[Secret, str]:
        text = api_key.make(environment, self._entropy(secret_text.ENTROPY_BYTES))
        return Secret(api_key.hash_of(text), int(now), None, None), text

    def _seal(self, key_id: bytes, text: str) -> Seal:
        return partial(facts.seal, sealer=self._sealer, purpose=_purpose(key_id), plaintext=text.encode())

    def used(self, key: ApiKey) -> None:
        """Note that a key was used now; ``write_uses`` writes it."""
        self._used_at[key.id] = int(self._clock())

    async def write_uses(self) -> None:
        """Write when keys were used last, many in one transaction. Called every minute, and before the end."""

        async def act(tx: Transaction, items: list[list[tuple[bytes, int]]]) -> list[None]:
            for key_id, at in (use for uses in items for use in uses):
                await sql.set_last_used(tx, key_id, at=at)
            return [None] * len(items)

        pending, self._used_at = self._used_at, {}
        uses = sorted(pending.items())
        try:
            for start in range(0, len(uses), USES_BATCH):
                await self._store.write(act, uses[start : start + USES_BATCH])
        except GuestpassError:
            self._used_at = pending | self._used_at  # to be written when the store is back
            raise

    async def create(
        self,
        issuer: Issuer,
        name: str,
        grant: Grant = EVERYTHING,
        *,
        actor: Actor,
        signing: bool = False,
        riders: Riders = (),
    ) -> NewKey:
        """Make a key. ``signing``: keep its secret, sealed, so that requests may be signed with it.

        Raises: Forbidden where ``grant`` is more than the actor has.
        """
        now = self._clock()
        key_id = ids.time_ordered(int(now * 1000), self._entropy(ids.ENTROPY_BYTES))
        secret, text = self._new_secret(issuer.environment, now)
        key = ApiKey(id=key_id, issuer=issuer.number, name=name, grant=grant, created_at=int(now))
        seal = self._seal(key_id, text) if signing else None
        riders = noting(riders, lambda _: MadeSecret(key_id, text))
        return NewKey(await self._change(Create(actor=actor, key=key, secret=secret, seal=seal), riders), text)

    async def all_of(self, issuers: Sequence[Issuer]) -> list[Described]:
        """Return every key of these issuers, the oldest first."""

        async def query(tx: Transaction) -> list[Described]:
            key_ids = [key_id for issuer in issuers for key_id in await sql.ids_of(tx, issuer.number)]
            found = await sql.by_ids(tx, key_ids, self._clock()) if key_ids else {}
            return [found[key_id] for key_id in key_ids]

        return await self._store.read(query)

    async def page(self, issuer: int, *, below: bytes, limit: int) -> list[Described]:
        """Return up to ``limit`` keys whose ids are below ``below``, newest first."""
        return await self._store.read(lambda tx: sql.page(tx, issuer, below=below, limit=limit, now=self._clock()))

    async def get(self, key_id: str, actor: Actor) -> Described:
        """Return a key that the actor may see. Raises: NotFound."""
        found = await self._find(key_id)
        if found is None or (actor.key is not None and found.key.issuer != actor.key.issuer):
            raise NotFound(policy.NO_SUCH_KEY)
        return found

    async def edit(self, edit: Edit, riders: Riders = ()) -> Described:
        """Change what is named of a key.

        Raises: NotFound; Conflict where it has ended; Forbidden where it is, or would be, more than the actor has.
        """
        return await self._change(edit, riders)

    async def rotate(
        self, key_id: str, *, actor: Actor, overlap_seconds: int = OVERLAP_SECONDS_DEFAULT, riders: Riders = ()
    ) -> NewKey:
        """Give a key a new secret; every older one works for ``overlap_seconds`` more, or until it would have ended.

        Raises: NotFound; Conflict where it has ended, or has too many secrets; Forbidden where it is more than the
        actor has, who could then use it.
        """
        target, issuer = await self.target(key_id, actor)
        secret, text = self._new_secret(environment_of(issuer), self._clock())
        rotate = Rotate(
            actor=actor, issuer=issuer, key_id=target, secret=secret, seal=self._seal(target, text),
            overlap_seconds=overlap_seconds,
        )  # fmt: skip
        riders = noting(riders, lambda _: MadeSecret(target, text))
        return NewKey(await self._change(rotate, riders), text)

    async def again(self, made: MadeSecret, actor: Actor, issuer: int) -> NewKey:
        """Return a key as it is now, with the secret that was made for it.

        Raises: Conflict where the key has ended, or has another secret since; Forbidden where it is more than the
        actor has; Unauthorized, NotFound.
        """
        now = self._clock()

        async def query(tx: Transaction) -> Described:
            own = await own_grant(tx, actor, now)
            return policy.check_target(await sql.by_id(tx, made.key_id, now), issuer, own, now)

        described = await self._store.read(query)
        if described.secrets[0].hash != api_key.hash_of(made.text):
            raise Conflict("This API key was rotated since, so the secret that was made then is not told again.")
        return NewKey(described, made.text)

    async def revoke(self, key_id: str, *, actor: Actor, keep_sessions: bool = False, riders: Riders = ()) -> Described:
        """Revoke a key and, unless ``keep_sessions``, end its sessions in the same transaction.

        Revoking it again changes nothing. Raises: NotFound.
        """
        target, issuer = await self.target(key_id, actor)
        revoke = Revoke(actor=actor, issuer=issuer, key_id=target, keep_sessions=keep_sessions)
        return await self._change(revoke, riders)

    async def target(self, key_id: str, actor: Actor) -> tuple[bytes, int]:
        """Return (id, issuer) of the key that an actor names: one of his own issuer; the operator's, wherever it is.

        Raises: NotFound.
        """
        if actor.key is None:
            found = await self._find(key_id)
            if found is None:
                raise NotFound(policy.NO_SUCH_KEY)
            return found.key.id, found.key.issuer
        decoded = ids.decode(WORD, key_id)
        if decoded is None:
            raise NotFound(policy.NO_SUCH_KEY)
        return decoded, actor.key.issuer

    async def _find(self, key_id: str) -> Described | None:
        decoded = ids.decode(WORD, key_id)
        return await sql.look_up(self._store, decoded, self._clock()) if decoded else None

    async def _change(self, change: Change, riders: Riders) -> Described:
        described = await self._store.write(self._apply_each, change, riders)
        self._by_hash.forget()
        self._signing.forget()
        return described

    async def _apply_each(self, tx: Transaction, items: list[Change]) -> list[Described | Exception]:
        return await changes.apply_each(tx, items, self._clock())


def public_id(key_id: bytes) -> str:
    return ids.encode_again(WORD, key_id)


async def is_of(tx: Transaction, issuer: int, key_id: bytes) -> bool:
    """Say whether there is such a key of this issuer, revoked or not."""
    found = await sql.by_id(tx, key_id, 0)
    return found is not None and found.key.issuer == issuer


async def refusals(tx: Transaction, mints: Iterable[tuple[ApiKey, str]], now: float) -> list[GuestpassError | None]:
    """Say of each (key, scope) why it may no longer be minted: asked inside the mint's own transaction."""
    asked = list(mints)
    stored = await sql.by_ids(tx, list({key.id for key, _ in asked}), now)
    return [policy.refusal_of_mint(stored.get(key.id), key, scope, now) for key, scope in asked]


async def ceilings_of(tx: Transaction, key_ids: Iterable[bytes]) -> dict[bytes, str]:
    """Return what tokens of each key may do at most, as of now, whether or not it was revoked."""
    return await sql.ceilings_of(tx, list(key_ids))


def _purpose(key_id: bytes) -> str:
    return f"api_key:{key_id.hex()}"


SEALED_SECRETS = (
    SealedColumn("api_key_secrets", "sealed_secret", ("hash",), _purpose, named_by=("key_id",)),
    SealedColumn("api_keys", "sealed_secret", ("id",), _purpose),
)


def _what_is_wrong_with(secret: str) -> str:
    if "_session_test_" in secret or "_session_live_" in secret or secret.startswith("ey"):
        return "This is a session token; this route needs a secret API key (sk_…), from your backend."
    if secret.startswith("ck_"):
        return "This is a public client key; this route needs a secret API key (sk_…)."
    if secret.startswith(("sk_test_", "sk_live_")):
        return "The API key was cut or mistyped: its checksum does not hold."
    return "This is not an API key; it begins with sk_test_ or sk_live_."

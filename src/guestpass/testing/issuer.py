"""An issuer in memory: it mints, ends, suspends, and publishes."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from msgspec import UNSET

from guestpass.core import ids
from guestpass.core.callers import api_key
from guestpass.core.jose.jwk import SigningKey, hmac_key, signing_key_from_private
from guestpass.core.jose.jws import encode_header
from guestpass.core.revocation import cut_list, status_list
from guestpass.core.revocation.cutoff import Cut, CutKind, Ending, cut_before, ending_of
from guestpass.core.tokens import issue, kinds, opaque, operations
from guestpass.core.tokens.claims import SessionClaims, Status, StatusListEntry
from guestpass.core.tokens.kinds import Environment, Kind
from guestpass.testing.clock import FakeClock
from guestpass.verify import Verifier

if TYPE_CHECKING:
    from guestpass.testing.service import FakeGuestpass

Algorithm: TypeAlias = Literal["ES256", "EdDSA", "RS256", "HS256"]

LIST_ENTRIES = 65_536
LIST_LIFE_SECONDS = 7200
LIST_TTL_SECONDS = 5
RSA_BITS = 2048


@dataclass(slots=True, eq=False)
class Minted:
    """What was minted under one token. ``asked``: how often an active token was introspected."""

    claims: SessionClaims
    ending: Ending | None = None
    asked: int = 0


class FakeIssuer:
    """One project in one environment, in memory. ``FakeGuestpass.issuer()`` makes it.

    Attributes:
        url: The ``iss`` of its tokens; ``location``: where it publishes.
        key: Signs tokens now; ``published``: the public keys of its key set.
        secret_key: Of an API key that may verify.
        suspended_operations: What goes on while a session is suspended.
    """

    def __init__(
        self,
        service: FakeGuestpass,
        *,
        environment: Environment,
        project_id: str,
        url: str,
        location: str,
        algorithm: Algorithm,
        audience: str | None,
    ) -> None:
        self.service = service
        self.environment: Environment = environment
        self.project_id = project_id
        self.url = url
        self.location = location
        self.algorithm: Algorithm = algorithm
        self.audience = audience or url
        self.secret_key = api_key.make(environment, secrets.token_bytes(32))
        self.suspended_operations: Sequence[str] = ()
        self.key = new_key(algorithm)
        self.list_key = new_key("ES256") if algorithm == "HS256" else self.key
        self.next_key: SigningKey | None = None
        self.published = [self.list_key.verifying_key]
        self.minted: dict[str, Minted] = {}
        self.statuses = bytearray(LIST_ENTRIES // 4)
        self.cuts: list[tuple[str, Cut]] = []
        self._pepper = secrets.token_bytes(32)
        self._next_ms = 0
        self._kept: dict[str, tuple[object, str]] = {}

    @property
    def clock(self) -> FakeClock:
        return self.service.clock

    @property
    def secret(self) -> bytes | None:
        """The secret of an HS256 issuer, for ``Verifier(secret=…)``; None of any other."""
        key: Any = self.key
        return bytes(key.secret) if self.algorithm == "HS256" else None

    def verifier(self, **options: Any) -> Verifier:
        """Return a verifier of this issuer's tokens, on its clock and without a network; ``options`` are its own.

        Offline by default; in another mode it has this issuer's ``secret_key``.
        """
        given: dict[str, Any] = {
            "clock": self.clock,
            "http_client": self.service.http_client,
            "mode": "offline",
            "secret": self.secret,
        } | options
        if given["mode"] != "offline":
            given.setdefault("secret_key", self.secret_key)
        return self.service.closing(Verifier(self.url, **given))

    # Minting

    def mint(
        self,
        user_id: str = "user_1",
        *,
        organization_id: str | None = None,
        operations: Sequence[str] | None = None,
        expires_in: int = 3600,
        not_before: int | None = None,
        max_uses: int | None = None,
        format: Literal["jwt", "opaque"] = "jwt",  # noqa: A002 - the API's own name
        kind: Kind = kinds.SESSION,
        **claims: Any,
    ) -> str:
        """Return a token. ``operations``: None is unrestricted. ``claims`` stand in place of the right ones."""
        self._next_ms = max(self._next_ms, int(self.clock() * 1000))
        sid = ids.encode("sess", ids.time_ordered(self._next_ms, secrets.token_bytes(ids.ENTROPY_BYTES)))
        now = int(self.clock())
        right: dict[str, Any] = {
            "iss": self.url,
            "aud": self.audience,
            "sub": user_id,
            "iat": now,
            "exp": now + expires_in,
            "sid": sid,
            "jti": sid,
            "client_id": ids.encode("key", self._derived("api_key", "")),
            "project_id": self.project_id,
            "environment": self.environment,
            "scope": _scope_of(operations),
            "status": self._status(user_id, organization_id),
            "nbf": UNSET if not_before is None else not_before,
            "organization_id": UNSET if organization_id is None else organization_id,
            "max_uses": UNSET if max_uses is None else max_uses,
        }
        made = SessionClaims(**(right | claims))
        token = self._opaque(sid) if format == "opaque" else self._signed(made, kind)
        self.minted[token] = Minted(made)
        return token

    def session_id(self, token: str) -> str:
        """Return ``sess_…`` of a token that was minted here."""
        return self.minted[token].claims.sid

    def _signed(self, claims: SessionClaims, kind: Kind) -> str:
        prefix = kinds.prefix_of(kinds.SESSION, self.environment) if kind is kinds.SESSION else ""
        header = encode_header(self.key.algorithm, self.key.kid, kind.typ or "")
        return issue.issue(claims, prefix=prefix, header_segment=header, key=self.key)

    def _opaque(self, sid: str) -> str:
        return opaque.make(kinds.prefix_of(kinds.SESSION, self.environment), sid, secrets.token_bytes(32))

    def _status(self, user_id: str, organization_id: str | None) -> Status:
        tags = [self.tag("user", user_id), self.tag("api_key", "")]
        if organization_id is not None:
            tags.append(self.tag("organization", organization_id))
        entry = StatusListEntry(idx=secrets.randbelow(LIST_ENTRIES), uri=f"{self.location}/status-lists/1")
        return Status(status_list=entry, cuts=tuple(tags))

    def tag(self, kind: CutKind, name: str) -> str:
        """Return the tag by which the cut list names a subject."""
        return cut_list.tag_of(kind, self._derived(kind, name))

    def _derived(self, kind: CutKind, name: str) -> bytes:
        return hashlib.blake2b(name.encode(), key=self._pepper, person=kind.encode(), digest_size=16).digest()[:16]

    # Ending

    def revoke(self, token: str, *, reissue: bool = False) -> None:
        """End one session; verifiers see it with their next look at the list."""
        minted = self.minted[token]
        if minted.ending is not None:
            reissue = reissue and minted.ending.reissue
        minted.ending = Ending(int(self.clock() * 1000), "test", reissue)
        self._put(token, status_list.INVALID_REISSUE if reissue else status_list.INVALID)

    def revoke_all(
        self, *, user_id: str | None = None, organization_id: str | None = None, reissue: bool = False
    ) -> None:
        """End what was minted so far, for one user, one organization or, with neither, everybody; by one cut."""
        tag = cut_list.EVERYBODY
        if user_id is not None:
            tag = self.tag("user", user_id)
        elif organization_id is not None:
            tag = self.tag("organization", organization_id)
        now_ms = int(self.clock() * 1000)
        before_ms = cut_before(store_clock_ms=now_ms, highest_committed_ms=self._next_ms)
        self._next_ms = before_ms
        self.cuts.append((tag, Cut(before_ms, Ending(now_ms, "test", reissue))))

    def suspend(self, token: str) -> None:
        self._put(token, status_list.SUSPENDED)

    def resume(self, token: str) -> None:
        self._put(token, status_list.VALID)

    def _put(self, token: str, status: int) -> None:
        claims = self.minted[token].claims
        assert claims.status is not UNSET  # noqa: S101 - of a token that was minted with a place
        status_list.put(self.statuses, claims.status.status_list.idx, status)

    def ending(self, minted: Minted) -> Ending | None:
        """Return how a session was ended, if it was."""
        claims = minted.claims
        tags = {cut_list.EVERYBODY, *(claims.status.cuts or () if claims.status is not UNSET else ())}
        id_bytes = ids.decode("sess", claims.sid) or bytes(ids.ID_BYTES)
        return ending_of(ids.unix_ms_of(id_bytes), minted.ending, [cut for tag, cut in self.cuts if tag in tags])

    # Keys

    def announce(self) -> SigningKey:
        """Publish the key that ``rotate`` will sign with, as a server does in good time. Returns it."""
        self.next_key = new_key(self.algorithm)
        if self.algorithm != "HS256":
            self.published = [*self.published, self.next_key.verifying_key]
        return self.next_key

    def rotate(self) -> SigningKey:
        """Sign with the next key, announced or not; the old ones stay published. Returns the new one."""
        self.key, self.next_key = self.next_key or self.announce(), None
        if self.algorithm != "HS256":
            self.list_key = self.key
        return self.key

    def withdraw(self, kid: str) -> None:
        """Publish a key no more, as after a theft."""
        self.published = [key for key in self.published if key.kid != kid]

    # Publishing

    def document(self, path: str) -> str | None:
        """Return what stands at a path below ``location``; None where nothing does."""
        if path == "/.well-known/jwks.json":
            return json.dumps({"keys": [key.public_jwk() for key in self.published]})
        if path == "/.well-known/oauth-authorization-server":
            return json.dumps({"issuer": self.url, "suspendedOperations": list(self.suspended_operations)})
        if path == "/status-lists/1":
            return self._signed_when_changed(path, bytes(self.statuses), self.statuses, status_list.publish)
        if path == f"/status-lists/{cut_list.NAME}":
            marks = cut_list.marks_of(self.cuts)
            return self._signed_when_changed(path, dict(marks), marks, cut_list.publish)
        return None

    def _signed_when_changed(self, path: str, state: object, content: Any, publish: Callable[..., str]) -> str:
        """Sign anew when something changed, and in time before the last signature is over; like a server."""
        iat = int(self.clock())
        made_of = state, self.list_key.kid, iat // (LIST_LIFE_SECONDS // 2)
        kept = self._kept.get(path)
        if kept is None or kept[0] != made_of:
            uri, exp = self.location + path, iat + LIST_LIFE_SECONDS
            text = publish(content, uri=uri, iat=iat, exp=exp, ttl=LIST_TTL_SECONDS, key=self.list_key)
            kept = self._kept[path] = made_of, text
        return kept[1]

    # Being asked

    def introspect(self, token: str) -> dict[str, Any]:
        """Answer as ``POST /oauth/introspect`` does; a use is counted (RFC 7662 section 2.2)."""
        if self.why_not(token) is not None:
            return {"active": False}
        minted = self.minted[token]
        minted.asked += 1
        return {"active": True, **msgspec.to_builtins(minted.claims)}

    def why_not(self, token: str) -> str | None:
        """Return the code that a token is refused with, None for an active one."""
        minted = self.minted.get(token)
        if minted is None:
            return "TOKEN_SIGNATURE_INVALID"
        if self.clock() >= minted.claims.exp:
            return "TOKEN_EXPIRED"
        if self.ending(minted) is not None:
            return "TOKEN_REVOKED"
        uses = minted.claims.max_uses
        return "TOKEN_REPLAYED" if uses is not UNSET and minted.asked >= uses else None


def new_key(algorithm: Algorithm) -> SigningKey:
    """Return a signing key that nobody has seen before."""
    if algorithm == "HS256":
        return hmac_key(secrets.token_bytes(32), kid=secrets.token_hex(8))
    private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
    if algorithm == "RS256":
        private = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    elif algorithm == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
    else:
        private = ec.generate_private_key(ec.SECP256R1())
    return signing_key_from_private(private)


def _scope_of(names: Sequence[str] | None) -> str:
    fault = None if names is None else operations.fault_of_list(names)
    if fault is not None:
        raise ValueError(f"operations{fault[0]} {fault[1]}")
    return operations.scope_of(names)

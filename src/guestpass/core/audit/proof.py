"""Proofs: that an event stands in the log, checked with nothing but the proof, and offline.

{"leaf": "…", "personal": {"externalUserId": ["salt", "value"]}, "index": 3, "path": ["…"], "head": "…", "key": {…}}
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from guestpass.core import strict_json
from guestpass.core.audit import heads, tree
from guestpass.core.audit.commitments import SALT_BYTES, commitment
from guestpass.core.audit.heads import Head, HeadRefused

PROOF_BYTES_MAX = 65_536
_COMMITMENTS = {"externalUserId": "userCommitment", "externalOrganizationId": "organizationCommitment"}  # of a session


class ProofRefused(ValueError):
    """The proof does not hold; the text says where."""


class Proof(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One leaf, and all that leads from it to a signed head.

    Args:
        leaf: As it was hashed: JSON, exactly these characters.
        personal: By field, salt in hexadecimal and value, as far as they are to be shown; they can be left out.
        index: Of the leaf in its batch.
        path: The hashes beside it, bottom first, in hexadecimal.
        head: A compact JWS.
        key: The public JWK that signed it. Whether it is the store's is for the reader to know, by its kid.
    """

    leaf: str
    index: Annotated[int, Meta(ge=0)]
    path: Annotated[list[heads.Digest], Meta(max_length=64)]
    head: str
    key: dict[str, str]
    personal: dict[str, tuple[str, str]] = {}


class Proven(Struct, frozen=True, kw_only=True):
    """What a proof shows. ``personal``: the fields whose commitments opened. ``kid``: the thumbprint of its key."""

    event: dict[str, object]
    personal: dict[str, str]
    head: Head
    kid: str


def verify(text: bytes, *, kids: Collection[str] = ()) -> Proven:
    """Check a proof. ``kids``: of the keys that are the store's, as far as the reader knows them; empty: any.

    Raises: ProofRefused (ValueError).
    """
    proof = _read(text)
    try:
        head = heads.read(proof.head, proof.key)
        kid = heads.kid_of(proof.head) or ""
    except HeadRefused as fault:
        raise ProofRefused(str(fault)) from None
    if kids and kid not in kids:
        raise ProofRefused(f"the head is signed by {kid}, which is none of the keys that were named")
    path = [bytes.fromhex(beside) for beside in proof.path]
    root = tree.root_from(tree.leaf_hash(proof.leaf.encode()), proof.index, head.count, path)
    if root is None or root.hex() != head.root:
        raise ProofRefused("the leaf and its path do not lead to the root that the head names")
    event = _event(proof.leaf)
    for name, (salt, value) in proof.personal.items():
        if not _opens(event, name, salt, value):
            raise ProofRefused(f"the leaf was not made with this {name}")
    return Proven(
        event=event, personal={name: value for name, (_, value) in proof.personal.items()}, head=head, kid=kid
    )


def _read(text: bytes) -> Proof:
    if len(text) > PROOF_BYTES_MAX:
        raise ProofRefused(f"it is longer than {PROOF_BYTES_MAX} bytes")
    try:
        return msgspec.convert(strict_json.loads(text), Proof)
    except (ValueError, msgspec.ValidationError) as fault:
        raise ProofRefused(f"it is no proof: {fault}") from None


def _event(leaf: str) -> dict[str, object]:
    try:
        event = strict_json.loads(leaf.encode())
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise ProofRefused("its leaf is no JSON object")
    return event


def _opens(event: dict[str, object], name: str, salt: str, value: str) -> bool:
    commitments = event.get("commitments")
    named = commitments.get(name) if isinstance(commitments, dict) else event.get(_COMMITMENTS.get(name, ""))
    try:
        octets = bytes.fromhex(salt)
    except ValueError:
        return False
    return len(octets) == SALT_BYTES and named == commitment(octets, name, value)

"""Proofs, checked offline: what was sealed verifies, and nothing else does."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from guestpass.core.audit import heads, proof, tree
from guestpass.core.audit.commitments import commitment
from guestpass.core.audit.heads import Head, HeadRefused
from guestpass.core.audit.leaves import EventLeaf
from guestpass.core.audit.proof import ProofRefused
from guestpass.core.jose import jws
from guestpass.core.jose.jwk import hmac_key, signing_key_from_private

SALT = bytes(range(16))
KEY = signing_key_from_private(ec.generate_private_key(ec.SECP256R1()))
OTHER = signing_key_from_private(ec.generate_private_key(ec.SECP256R1()))
LEAF = EventLeaf(
    id="evt_1", project="proj_1", environment="test", action="session.revoked", actor="key_1", request_id=None,
    targets=["sess_1"], detail={}, commitments={"externalUserId": commitment(SALT, "externalUserId", "ada")},
).encode()  # fmt: skip
HASHES = [tree.leaf_hash(b"%d" % n) for n in range(3)] + [tree.leaf_hash(LEAF)]


def head(**changes):
    facts = {
        "issuer": "https://a.example/live", "number": 7, "previous": "ab" * 32, "root": tree.root_of(HASHES).hex(),
        "first": 100, "count": 4, "sealed_at": "2030-01-01T00:00:00.000Z",
    }  # fmt: skip
    return Head(**facts | changes)


def proof_of(signer=KEY, **changes):
    whole = {
        "leaf": LEAF.decode(),
        "index": 3,
        "path": [one.hex() for one in tree.path_of(HASHES, 3)],
        "head": heads.sign(head(), signer),
        "key": signer.verifying_key.public_jwk(),
        "personal": {"externalUserId": [SALT.hex(), "ada"]},
    }
    return json.dumps(whole | changes).encode()


KEYS = {
    "ES256": KEY,
    "EdDSA": signing_key_from_private(ed25519.Ed25519PrivateKey.generate()),
    "RS256": signing_key_from_private(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_proof_shows_its_event_and_whose_head_holds_it(key):
    proven = proof.verify(proof_of(key))
    assert proven.event["id"] == "evt_1"
    assert proven.personal == {"externalUserId": "ada"}
    assert (proven.head, proven.kid) == (head(), key.kid)
    assert proof.verify(proof_of(key), kids=[OTHER.kid, key.kid]).kid == key.kid


def test_what_names_a_person_can_be_left_out():
    assert proof.verify(proof_of(personal={})).personal == {}


FORGED = {
    "another leaf": {"leaf": LEAF.decode().replace("revoked", "created")},
    "a leaf that is said otherwise": {"leaf": LEAF.decode().replace(":", ": ", 1)},
    "another place": {"index": 2},
    "a place beyond the batch": {"index": 4},
    "a shorter path": {"path": [one.hex() for one in tree.path_of(HASHES, 3)][:1]},
    "a path with another node": {"path": ["00" * 32, "11" * 32]},
    "a head over another root": {"head": heads.sign(head(root="00" * 32), KEY)},
    "a head of a smaller batch": {"head": heads.sign(head(count=3), KEY)},
    "a head that another key signed": {"head": heads.sign(head(), OTHER)},
    "another key": {"key": OTHER.verifying_key.public_jwk()},
    "a key under another's kid": {"key": OTHER.verifying_key.public_jwk() | {"kid": KEY.kid}},
    "a head with a bit changed": {"head": heads.sign(head(), KEY)[:-6] + "AAAAAA"},
    "another person": {"personal": {"externalUserId": [SALT.hex(), "bob"]}},
    "another salt": {"personal": {"externalUserId": ["00" * 16, "ada"]}},
    "a longer salt": {"personal": {"externalUserId": [SALT.hex() + "00", "ada"]}},
    "a salt that is none": {"personal": {"externalUserId": ["zz", "ada"]}},
    "a field that was not committed to": {"personal": {"network": [SALT.hex(), "ada"]}},
    "an unknown member": {"note": "trust me"},
    "no path": {"path": None},
}


@pytest.mark.parametrize("changes", FORGED.values(), ids=FORGED)
def test_a_proof_with_anything_changed_is_refused(changes):
    with pytest.raises(ProofRefused):
        proof.verify(proof_of(**changes))


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b"\xff", b'{"leaf":"a","leaf":"b"}', b"[" * 100_000, b" " * 70_000]
)
def test_what_is_no_proof_is_refused(text):
    with pytest.raises(ProofRefused):
        proof.verify(text)


def test_a_key_that_is_not_among_those_that_are_known_is_refused():
    with pytest.raises(ProofRefused, match="none of the keys"):
        proof.verify(proof_of(), kids=[OTHER.kid])


def test_no_secret_signs_a_head():
    """Whoever checks it could write one."""
    secret = hmac_key(bytes(32), kid="x")
    with pytest.raises(HeadRefused):
        heads.sign(head(), secret)
    payload = json.dumps({"issuer": "i"}).encode()
    signed = jws.sign_compact(jws.encode_header("HS256", "x", heads.TYP), payload, secret)
    with pytest.raises(HeadRefused):
        heads.read(signed, {"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "kid": "x"})


def test_nothing_else_that_the_key_signs_is_a_head():
    """A token or a status list under the same key."""
    payload = heads._codec.encode(head())
    for typ in ("at+jwt", "guestpass-session+jwt", "statuslist+jwt"):
        signed = jws.sign_compact(jws.encode_header(KEY.algorithm, KEY.kid, typ), payload, KEY)
        with pytest.raises(HeadRefused, match="no head"):
            heads.read(signed, KEY.verifying_key.public_jwk())


def test_the_digest_is_of_what_is_said_not_of_how_it_was_signed():
    """ECDSA signs differently each time, and whoever verifies must not have to keep which one it was."""
    assert heads.digest_of(heads.sign(head(), KEY)) == heads.digest_of(heads.sign(head(), OTHER))
    assert heads.digest_of(heads.sign(head(number=8), KEY)) != heads.digest_of(heads.sign(head(), KEY))

"""Claims: what is written, what is read, and how they may grow."""

import json

import msgspec
import pytest
from token_making import NOW, claims_of
from token_vectors import GOOD, each

from guestpass.core.tokens import claims as claims_codec
from guestpass.core.tokens.claims import SessionClaims

PLAIN = json.loads(claims_codec.encode(claims_of()))
REQUIRED = ("iss", "aud", "sub", "iat", "exp", "sid", "jti", "client_id", "project_id", "environment")
OPTIONAL = ("scope", "status", "nbf", "organization_id", "max_uses")


def read(**changed):
    return claims_codec.decode(json.dumps(PLAIN | changed).encode())


def test_the_fields_are_those_of_the_contract():
    """The wire rule: they are only ever added, after the old ones, and with a default."""
    fields = msgspec.structs.fields(SessionClaims)
    assert tuple(field.name for field in fields if field.required) == REQUIRED
    assert tuple(field.name for field in fields if not field.required) == OPTIONAL
    assert all(field.default is msgspec.UNSET for field in fields if not field.required)


def test_what_does_not_apply_is_not_written():
    """An absent claim is absent, not null: a reader in another language asks only whether it is there."""
    written = json.loads(claims_codec.encode(claims_of(scope=msgspec.UNSET, status=msgspec.UNSET)))
    assert tuple(written) == REQUIRED


def test_all_that_applies_is_written_in_one_order():
    every = claims_of(nbf=NOW, organization_id="org_7", max_uses=2)
    assert tuple(json.loads(claims_codec.encode(every))) == REQUIRED + OPTIONAL


def test_an_empty_scope_is_written():
    """Nothing allowed is said aloud."""
    assert json.loads(claims_codec.encode(claims_of(scope="")))["scope"] == ""


@each(GOOD)
def test_what_is_read_is_written_again_to_the_same_claims(vector):
    claims = msgspec.convert(vector.claims, SessionClaims)
    assert claims_codec.decode(claims_codec.encode(claims)) == claims


def test_a_claim_of_a_later_version_is_ignored():
    """An old verifier reads a new token."""
    assert read(later={"deep": [1, None]}, another="x") == claims_of()


def test_an_absent_scope_is_absent_and_not_everything():
    assert claims_codec.decode(json.dumps({**PLAIN, "scope": ""}).encode()).scope == ""
    without = {name: value for name, value in PLAIN.items() if name != "scope"}
    assert claims_codec.decode(json.dumps(without).encode()).scope is msgspec.UNSET


@pytest.mark.parametrize("name", REQUIRED + OPTIONAL)
def test_null_is_not_absent(name):
    """Who writes null means something that we do not know."""
    with pytest.raises(ValueError, match="Expected"):
        read(**{name: None})


@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_claim_cannot_be_missing(name):
    without = {claim: value for claim, value in PLAIN.items() if claim != name}
    with pytest.raises(ValueError, match=f"required field `{name}`"):
        claims_codec.decode(json.dumps(without).encode())


@pytest.mark.parametrize("text", ['"exp":1,"exp":2', '"x":1,"x":1', '"x":{"y":1,"y":1}', '"\\u0078":1,"x":1'])
def test_a_member_cannot_stand_twice(text):
    """Two readers would read two tokens."""
    payload = json.dumps(PLAIN).encode()[:-1] + b"," + text.encode() + b"}"
    with pytest.raises(ValueError, match="twice"):
        claims_codec.decode(payload)


@pytest.mark.parametrize("depth", [33, 2000], ids=["33 deep", "2000 deep"])
def test_what_nests_too_deep_is_an_error_of_the_token_and_not_of_the_server(depth):
    payload = json.dumps(PLAIN).encode()[:-1] + b',"x":' + b"[" * depth + b"]" * depth + b"}"
    with pytest.raises(ValueError, match=r"inside each other|too deep"):
        claims_codec.decode(payload)


def test_claims_cannot_be_changed_after_they_were_verified():
    with pytest.raises(AttributeError):
        claims_of().sub = "admin"

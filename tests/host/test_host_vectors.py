"""The cookie, its proofs and its origins are those of spec/vectors/host-session.json, which every language is held to."""

import json
from pathlib import Path

import pytest

from guestpass._host import cookies
from guestpass._host.facts import Facts, is_own_page
from guestpass._host.proofs import CSRF_LABEL, OWNER_LABEL, Owner, Proofs, _derived

_DOCUMENT = json.loads((Path(__file__).parents[2] / "spec/vectors/host-session.json").read_text("utf-8"))
SECRETS = _DOCUMENT["secrets"]


def each(kind):
    vectors = [vector for vector in _DOCUMENT["vectors"] if vector["kind"] == kind]
    return pytest.mark.parametrize("vector", vectors, ids=[vector["name"] for vector in vectors])


def proofs_of(names):
    return Proofs([SECRETS[name] for name in names])


def owner_of(vector):
    return Owner(vector["externalUserId"], vector["externalOrganizationId"])


@pytest.mark.parametrize("name", SECRETS)
def test_the_keys_are_derived_as_told(name):
    derived = {"owner": _derived(SECRETS[name], OWNER_LABEL), "csrf": _derived(SECRETS[name], CSRF_LABEL)}
    assert {use: key.hex() for use, key in derived.items()} == _DOCUMENT["keys"][name]


@each("name")
def test_the_name_of_the_cookie(vector):
    found = cookies.name_for(vector["environment"], vector["scheme"], vector["host"])
    assert (found.name, found.secure) == (vector["cookie"], vector["secure"])


@each("seal")
def test_what_is_kept_in_the_cookie(vector):
    proofs = proofs_of(["now"])
    assert cookies.session_id_of(vector["refreshToken"]) == vector["sessionId"]
    proof = proofs.of_owner(vector["sessionId"], owner_of(vector))
    assert cookies.value_of(vector["refreshToken"], proof) == vector["value"]
    assert proofs.csrf_token(vector["sessionId"]) == vector["csrfToken"]


@each("owner")
def test_whose_a_cookie_is(vector):
    [kept] = cookies.read(f"c={vector['value']}", "c", "test")
    holds = proofs_of(vector["secrets"]).is_owner(kept.proof, kept.session_id, owner_of(vector))
    assert holds is vector["holds"]


@each("csrf")
def test_which_csrf_token_is_the_session_s(vector):
    holds = proofs_of(vector["secrets"]).is_csrf_token(vector["token"], vector["sessionId"])
    assert holds is vector["holds"]


@each("read")
def test_what_a_cookie_header_has(vector):
    header = vector.get("header")
    if header is None:
        header = "".join(text * times for text, times in vector["cookieParts"])
    found = cookies.read(header, vector["cookie"], vector["environment"])
    assert [
        {"sessionId": kept.session_id, "refreshToken": kept.refresh_token, "proof": kept.proof} for kept in found
    ] == vector["values"]


@each("origin")
def test_where_a_request_may_come_from(vector):
    facts = Facts(
        method=vector["method"], scheme=vector["scheme"], host=vector["host"],
        fetch_site=vector["secFetchSite"], origin=vector["origin"],
    )  # fmt: skip
    assert is_own_page(facts) is vector["allowed"]


def test_no_key_and_no_token_is_in_a_repr():
    vector = next(vector for vector in _DOCUMENT["vectors"] if vector["kind"] == "seal")
    [kept] = cookies.read(f"c={vector['value']}", "c", "test")
    facts = Facts(method="GET", scheme="https", host="h", cookie=vector["value"], csrf=vector["csrfToken"])
    for shown in (repr(kept), repr(facts), repr(proofs_of(["now"])._keys)):
        assert vector["refreshToken"] not in shown
        assert vector["csrfToken"] not in shown
        assert "b'" not in shown


def test_a_user_id_that_is_no_text_fits_no_cookie_and_fails_nowhere():
    proofs = proofs_of(["now"])
    session = "sess_01hf7yb2m8d2s9v4q6zj3k5n7p"
    assert not proofs.is_owner(proofs.of_owner(session, Owner("ada")), session, Owner("\ud800"))

"""What an issuer publishes: its keys and its metadata, at every path that a verifier may guess."""

from __future__ import annotations

import warnings

import jwt
import pytest
from joserfc import jwk
from joserfc import jwt as joserfc_jwt
from joserfc.errors import SecurityWarning

from world import World

BASE = "http://127.0.0.1:8787"
NAME = "/.well-known/oauth-authorization-server"


def locations(world):
    project = world.neighbour.issuer.project.id
    return {"/test": world.host, "/live": world.live, f"/test/{project}": world.neighbour}


async def test_each_issuer_publishes_its_own_public_keys(world):
    """EC P-256, for signing only; no private part, and no key that is another issuer's too."""
    kids = []
    for location in locations(world):
        reply = await world.http.get(f"{location}/.well-known/jwks.json")
        assert reply.status == 200
        assert reply.header("cache-control") == "public, max-age=60"
        assert reply.header("access-control-allow-origin") == "*"
        assert reply.json.keys() == {"keys"}
        [key] = reply.json["keys"]
        assert {name: key[name] for name in ("kty", "crv", "alg", "use")} == {
            "kty": "EC",
            "crv": "P-256",
            "alg": "ES256",
            "use": "sig",
        }
        assert not key.keys() & {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}
        kids.append(key["kid"])
    assert len(set(kids)) == 3


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
async def test_other_libraries_verify_with_what_is_published(algorithm):
    """PyJWT and joserfc, each from the JWKS alone."""
    async with World.opened(signing_algorithm=algorithm) as world:
        ada = await world.mint("ada", externalOrganizationId="acme")
        token = ada.token.removeprefix("gp_session_test_")
        published = (await world.http.get("/test/.well-known/jwks.json")).json
        key = jwt.PyJWKSet.from_dict(published)[jwt.get_unverified_header(token)["kid"]]
        options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}  # the world lives in another year
        claims = jwt.decode(token, key, [algorithm], audience=f"{BASE}/test", issuer=f"{BASE}/test", options=options)
        assert claims["sub"] == "ada"
        with warnings.catch_warnings(action="ignore", category=SecurityWarning):  # it would rather say Ed25519
            again = joserfc_jwt.decode(token, jwk.KeySet.import_key_set(published), algorithms=[algorithm])
        assert again.claims == claims
        assert await ada.lives()


async def test_discovery_stands_at_both_path_forms(world):
    """RFC 8414 section 3.1: the well-known name before the issuer's path; and behind it, where many look."""
    for location in locations(world):
        replies = [await world.http.get(path) for path in (location + NAME, NAME + location)]
        assert replies[0].status == 200
        assert replies[0].json == replies[1].json
        document = replies[0].json
        assert document["issuer"] == BASE + location
        assert document["jwks_uri"] == f"{BASE}{location}/.well-known/jwks.json"
        for reply in replies:
            assert reply.header("cache-control") == "public, max-age=60"
            assert reply.header("access-control-allow-origin") == "*"
        assert (await world.http.get(document["jwks_uri"].removeprefix(BASE))).status == 200


async def test_an_issuer_that_is_not_there_publishes_nothing(world):
    default, other = world.host.issuer.project.id, world.neighbour.issuer.project.id
    for location in (
        "/prod",
        "/TEST",
        "/test/proj_01q3dcbd00fkhb236cvbnzk61r",
        f"/test/{default}",
        f"/test/{other.upper()}",
        "/test/default",
        "/v1",
    ):
        for path in (f"{location}/.well-known/jwks.json", location + NAME, NAME + location):
            reply = await world.http.get(path)
            assert (reply.status, reply.code) == (404, "NOT_FOUND"), path


async def test_an_issuer_set_by_the_operator_is_named_and_stays_where_its_keys_are():
    """The setting replaces ``iss`` and ``aud`` in the token; keys stay under the base."""
    async with World.opened(issuer_live="https://id.shop.example", audience_live="shop-api") as world:
        ada = await world.live.mint("ada")
        token = ada.token.removeprefix("gp_session_live_")
        claims = jwt.decode(token, options={"verify_signature": False})
        assert (claims["iss"], claims["aud"]) == ("https://id.shop.example", "shop-api")
        document = (await world.http.get("/live" + NAME)).json
        assert document["issuer"] == "https://id.shop.example"
        assert document["jwks_uri"] == f"{BASE}/live/.well-known/jwks.json"
        assert await ada.lives()
        assert (await world.live.verify(ada.token))["valid"] is True

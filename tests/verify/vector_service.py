"""The issuers of spec/vectors, published so that a Verifier can hold each vector."""

import json
from pathlib import Path

import httpx2

from guestpass import Verifier
from guestpass.core.jose import base64url
from guestpass.core.jose.jwk import import_signing_key
from guestpass.core.revocation import cut_list, status_list
from guestpass.errors import GuestpassError
from guestpass.verify.settings import JWKS_PATH

FOLDER = Path(__file__).parents[2] / "spec/vectors"
LISTS = "https://id.example/test/status-lists"
LIST_LIFE_SECONDS = 3600


class Vectors:
    """One file of vectors, with the private keys of ``test-keys.json`` beside it."""

    def __init__(self, folder, name):
        keys = json.loads((folder / "test-keys.json").read_text("utf-8"))["keys"]
        self.list_key = import_signing_key(next(jwk for jwk in keys if jwk["kid"] == "es256"))
        document = json.loads((folder / f"{name}.json").read_text("utf-8"))
        self.all = [Vector(self, document, source) for source in document["vectors"]]


class Vector:
    """One vector, and what a Verifier needs to hold it."""

    def __init__(self, home, document, source):
        self.home = home
        self.name, self.now, self.code = source["name"], source["now"], source["code"]
        self.claims = source.get("claims")
        self.token = source.get("token") or "".join(text * times for text, times in source.get("tokenParts", ()))
        self.jwks = document["keys"][source["keys"]]
        self.expect = document["expect"][source["expect"]]
        self.asked = []

    def verifier(self, **options):
        """A verifier with the vector's expectation, on a network where there is its issuer and nothing else."""
        expect = self.expect
        location = expect["issuer"] if expect["base"] else f"https://id.example/{expect['environment']}"
        given = {
            "audience": expect["audience"],
            "algorithms": [name for name in expect["algorithms"] if name != "HS256"] or ("ES256",),
            "jwks_url": None if expect["base"] else location + JWKS_PATH,
            "leeway_seconds": expect["leewaySeconds"],
            "clock": lambda: self.now,
            "mode": "offline",
            "keys": None if expect["algorithms"] == ["HS256"] or not self.jwks["keys"] else self.jwks,
            "http_client": httpx2.Client(transport=httpx2.MockTransport(lambda r: self._answer(r, location))),
        } | options
        if "HS256" in expect["algorithms"]:
            given["secret"] = base64url.decode(self.jwks["keys"][0]["k"])
        return Verifier(expect["issuer"], **given)

    def verdict(self, **options):
        """The code that a Verifier refuses the token with, or the session."""
        with self.verifier(**options) as verifier, verifier._fetcher._given:
            try:
                return verifier.verify(self.token, max_age_seconds=self.expect["maxAgeSeconds"])
            except GuestpassError as error:
                return error.code

    def _answer(self, request, location):
        self.asked.append(str(request.url))
        path = str(request.url).removeprefix(location)
        life = {"iat": self.now, "exp": self.now + LIST_LIFE_SECONDS, "ttl": 5, "key": self.home.list_key}
        if path == JWKS_PATH:
            keys = [jwk for jwk in self.jwks["keys"] if jwk["kty"] != "oct"]
            own = self.home.list_key.verifying_key.public_jwk()
            return httpx2.Response(200, json={"keys": keys or ([own] if self.jwks["keys"] else [])})
        if path == "/status-lists/1":
            return httpx2.Response(200, text=status_list.publish(bytes(16_384), uri=f"{LISTS}/1", **life))
        if path == "/status-lists/cuts":
            return httpx2.Response(200, text=cut_list.publish({}, uri=f"{LISTS}/cuts", **life))
        raise AssertionError(f"{request.url} was asked for")

"""What an issuer publishes: its keys, and where everything is (RFC 7517, RFC 8414)."""

from __future__ import annotations

from typing import Any

from guestpass.core.tokens import operations
from guestpass.server.http.exchange import Answer, Exchange, Headers, answer
from guestpass.server.http.routes import Route
from guestpass.server.projects.service import Issuer, Issuers
from guestpass.server.signing_keys.policy import JWKS_MAX_AGE_SECONDS
from guestpass.server.signing_keys.service import Keyring

_CLIENT_METHODS = ["client_secret_basic", "client_secret_post"]
_PUBLIC: Headers = ((b"cache-control", b"public, max-age=%d" % JWKS_MAX_AGE_SECONDS),)
_ISSUER_PATHS = ("/{environment}", "/{environment}/{project}")


class SigningKeyRoutes:
    def __init__(self, issuers: Issuers, keyring: Keyring) -> None:
        self._issuers = issuers
        self._keyring = keyring

    async def jwks(self, call: Exchange) -> Answer:
        # As of now: whoever asks may have met a key that began to sign a moment ago.
        keys = await self._keyring.look_again(await self._issuer(call))
        return answer(keys.jwks, headers=_PUBLIC)

    async def discovery(self, call: Exchange) -> Answer:
        issuer = await self._issuer(call)
        document: dict[str, Any] = {
            "issuer": issuer.url,
            "jwks_uri": f"{issuer.location}/.well-known/jwks.json",
            "introspection_endpoint": f"{self._issuers.base_url}/oauth/introspect",
            "introspection_endpoint_auth_methods_supported": _CLIENT_METHODS,
            "revocation_endpoint": f"{self._issuers.base_url}/oauth/revoke",
            "revocation_endpoint_auth_methods_supported": [*_CLIENT_METHODS, "none"],
            "token_endpoint": f"{self._issuers.base_url}/oauth/token",
            "token_endpoint_auth_methods_supported": [*_CLIENT_METHODS, "none"],
            "response_types_supported": [],
            "grant_types_supported": ["refresh_token"],
            "suspendedOperations": operations.names_of(issuer.settings.suspended_operations),
            "service_documentation": f"{self._issuers.base_url}/docs",
        }
        return answer(document, headers=_PUBLIC)

    async def _issuer(self, call: Exchange) -> Issuer:
        return await self._issuers.at(call.parameters["environment"], call.parameters.get("project"))

    def table(self) -> list[Route]:
        """Return the routes of this room; discovery stands at both path forms of RFC 8414 section 3.1 and OpenID."""
        jwks = [
            Route(method="GET", path=f"{issuer}/.well-known/jwks.json", handler=self.jwks, tag="Keys and discovery",
                  summary="The keys that verify this issuer's tokens", caller="anyone", browser=True, bucket="browser",
                  answers={200: dict}, codes=("NOT_FOUND", "JWT_CONFIGURATION_ERROR"))
            for issuer in _ISSUER_PATHS
        ]  # fmt: skip
        name = "/.well-known/oauth-authorization-server"
        discovery = [
            Route(method="GET", path=path, handler=self.discovery, tag="Keys and discovery",
                  summary="Authorization server metadata", caller="anyone", browser=True, bucket="browser",
                  answers={200: dict}, codes=("NOT_FOUND",))
            for issuer in _ISSUER_PATHS for path in (issuer + name, name + issuer)
        ]  # fmt: skip
        return jwks + discovery

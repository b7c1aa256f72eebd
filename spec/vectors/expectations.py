"""What the verifiers of the vectors know and demand: named key sets, and named expectations."""

from __future__ import annotations

from typing import Any

from writer import BASE, ISSUER, OTHER_PROJECT, PROJECT, public

KEYS: dict[str, Any] = {
    "own": {"keys": [public("es256"), public("eddsa"), public("rs256")]},
    "secret": {"keys": [public("hs256")]},
    "none": {"keys": []},
}

_SERVER: dict[str, Any] = {
    "issuer": ISSUER,
    "audience": ISSUER,
    "environment": "test",
    "projectId": PROJECT,
    "algorithms": ["ES256", "EdDSA", "RS256"],
    "base": BASE,
    "prefixWord": "gp",
    "leewaySeconds": 0,
    "startLeewaySeconds": 5,
    "maxAgeSeconds": None,
}
_REPLACED = "https://accounts.customer.example"

EXPECT: dict[str, Any] = {
    "server": _SERVER,
    "sdk": _SERVER | {"leewaySeconds": 5},
    "fresh": _SERVER | {"maxAgeSeconds": 300},
    "secret": _SERVER | {"algorithms": ["HS256"]},
    "eddsa only": _SERVER | {"algorithms": ["EdDSA"]},
    "named audience": _SERVER | {"audience": "https://api.example"},
    "live": _SERVER | {"issuer": f"{BASE}/live", "audience": f"{BASE}/live", "environment": "live"},
    "other project": _SERVER
    | {
        "issuer": f"{ISSUER}/{OTHER_PROJECT}",
        "audience": f"{ISSUER}/{OTHER_PROJECT}",
        "projectId": OTHER_PROJECT,
    },
    "replaced issuer": _SERVER | {"issuer": _REPLACED, "audience": _REPLACED, "base": None},
}

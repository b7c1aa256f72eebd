"""Signs requests as an outsider would, from what the documentation says. Imports nothing of Guestpass."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json as json_text
from urllib.parse import urlencode

JSON_TYPE = "application/json"
_nonces = itertools.count(1)


def new_nonce():
    return f"a-test-s-nonce-{next(_nonces):06}"


def signed(
    host, method, target, body=b"", *, now, nonce="new", key=None, content_type=JSON_TYPE, secret=None, key_id=None
):
    """Return the headers of a signed request. ``nonce``: by default a new one; None: there is none."""
    nonce = new_nonce() if nonce == "new" else nonce
    third_line = ".".join(part for part in (str(int(now)), nonce, key) if part is not None)
    head = "\n".join((method, target, third_line, content_type if body else "", ""))
    mac = hmac.new((secret or host.secret).encode(), head.encode() + body, hashlib.sha256)
    headers = [
        ("X-API-Key", key_id or host.id),
        ("X-API-Timestamp", str(int(now))),
        ("X-API-Signature", mac.hexdigest()),
    ]
    if nonce is not None:
        headers.append(("X-API-Nonce", nonce))
    if key is not None:
        headers.append(("Idempotency-Key", key))
    if body:
        headers.append(("Content-Type", content_type))
    return headers


class SigningHost:
    """A backend whose secret stays at home. Each call is signed anew; ``prepare`` makes one that can be sent twice."""

    def __init__(self, world, host):
        self.world = world
        self.host = host

    def prepare(self, method, target, json=None, *, form=None, sent_instead=None, **how):
        """Return a request that is signed now, as a coroutine function that sends it.

        ``form``: in place of JSON. ``sent_instead``: another body than the one that is signed.
        """
        body = b"" if json is None else json_text.dumps(json).encode()
        if form is not None:
            body, how["content_type"] = urlencode(form).encode(), "application/x-www-form-urlencoded"
        headers = signed(self.host, method, target, body, now=how.pop("now", self.world.clock()), **how)
        body = sent_instead or body
        path, _, query = target.partition("?")

        async def send(http=None):
            return await (http or self.world.http).request(
                method, path, body=body or None, headers=headers, query=query
            )

        return send

    async def call(self, method, target, json=None, **how):
        return await self.prepare(method, target, json, **how)()

    def mint(self, user="ada", **how):
        """Return a signed mint, which can be sent more than once."""
        return self.prepare("POST", "/v1/session-tokens", {"externalUserId": user}, **how)

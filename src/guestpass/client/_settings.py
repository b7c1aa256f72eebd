"""Where the service is and which key opens it: read from arguments, then from the environment."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from guestpass.core.addresses import fault_of_address
from guestpass.errors import Detail, Unauthorized, ValidationFailed

DEFAULT_URL = "http://127.0.0.1:8787"
SECRET_KEY = re.compile(r"sk_(test|live)_[A-Za-z0-9_-]{16,240}")
KEY_ID = re.compile(r"key_[A-Za-z0-9_-]{1,60}")

# What people paste by mistake, by how it begins, and what it is.
OTHER_CREDENTIALS = (
    (re.compile(r"pk_"), "a publishable key, which is meant for browsers and opens nothing here"),
    (re.compile(r"ck_"), "the client key of a partner app"),
    (re.compile(r"key_"), "the id of an API key, not its secret"),
    (re.compile(r"[a-z]+_refresh_"), "a refresh token, which belongs to one user"),
    (re.compile(r"[a-z]+_session_|eyJ"), "a session token, which belongs to one user"),
)
HOW_TO_GET_ONE = (
    "Pass secret_key= or set GUESTPASS_SECRET_KEY to a secret key (sk_test_… or sk_live_…); "
    "`guestpass keys create --env test --name backend` makes one."
)


@dataclass(frozen=True, slots=True)
class Connection:
    """One server and one key to it. The key is left out of ``repr``.

    Attributes:
        signing_key_id: The key's id, where it signs and never travels.
    """

    base_url: str
    secret_key: str = field(repr=False)
    signing_key_id: str | None = None

    @property
    def environment(self) -> str:
        """``test`` or ``live``, as the key says."""
        return self.secret_key.split("_", 2)[1]


def read_connection(secret_key: str | None, base_url: str | None, signing_key_id: str | None) -> Connection:
    """Return the connection that the arguments, else the environment, describe.

    Raises: Unauthorized for a missing or wrong kind of key, ValidationFailed for an unusable address or key id.
    """
    key = secret_key if secret_key is not None else os.environ.get("GUESTPASS_SECRET_KEY", "")
    url = base_url or os.environ.get("GUESTPASS_URL") or DEFAULT_URL
    return Connection(checked_url(url.strip()), checked_key(key.strip()), checked_key_id(signing_key_id))


def checked_key(key: str) -> str:
    """Return the key, or say what was given instead, without repeating it."""
    if not key:
        raise Unauthorized(f"There is no secret key. {HOW_TO_GET_ONE}")
    for beginning, what in OTHER_CREDENTIALS:
        if beginning.match(key):
            raise Unauthorized(f"This is {what}. {HOW_TO_GET_ONE}")
    if not SECRET_KEY.fullmatch(key):
        raise Unauthorized(f"This does not have the shape of a secret key; was it cut when copied? {HOW_TO_GET_ONE}")
    return key


def checked_key_id(key_id: str | None) -> str | None:
    """Return the id, or say what is wrong with it; what was given may be the secret and is not repeated."""
    if key_id is None or KEY_ID.fullmatch(key_id):
        return key_id
    rule = "must be the id of an API key, like key_…; its secret goes into secret_key"
    raise ValidationFailed(f"signing_key_id {rule}.", details=(Detail("signing_key_id", rule),))


def checked_url(url: str) -> str:
    """Return the address without its trailing slash, or say what is wrong with it."""
    fault = fault_of_address(url)
    if fault:
        raise refused_url(fault)
    return url.rstrip("/")


def refused_url(rule: str) -> ValidationFailed:
    return ValidationFailed(
        f"The address of the service (base_url or GUESTPASS_URL) {rule}.", details=(Detail("base_url", rule),)
    )

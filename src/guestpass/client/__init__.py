"""The SDK half that calls the service: ``Guestpass``, ``AsyncGuestpass``, and what they answer.

Importing this loads no HTTP library; making the first client does.
"""

from guestpass.client._async import AsyncGuestpass
from guestpass.client._requests import ApiKeyOptions, SessionTokenOptions
from guestpass.client._sync import Guestpass
from guestpass.client.results import (
    ApiKey,
    ApiKeySecret,
    Check,
    CustomerBlock,
    NewApiKey,
    Revocation,
    RevokedSessionToken,
    SessionDetails,
    SessionToken,
    UserRevocation,
    Verification,
)

__all__ = [
    "ApiKey",
    "ApiKeyOptions",
    "ApiKeySecret",
    "AsyncGuestpass",
    "Check",
    "CustomerBlock",
    "Guestpass",
    "NewApiKey",
    "Revocation",
    "RevokedSessionToken",
    "SessionDetails",
    "SessionToken",
    "SessionTokenOptions",
    "UserRevocation",
    "Verification",
]

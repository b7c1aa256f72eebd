"""The SDK half that calls the service: ``Guestpass``, ``AsyncGuestpass``, and what they answer.

Importing this loads no HTTP library; making the first client does.
"""

from guestpass.client._async import AsyncGuestpass
from guestpass.client._requests import ApiKeyOptions, LoginOptions, SessionTokenOptions
from guestpass.client._sync import Guestpass
from guestpass.client.results import (
    AccessToken,
    Anomaly,
    ApiKey,
    ApiKeySecret,
    Check,
    CustomerBlock,
    Logout,
    NewApiKey,
    Revocation,
    RevokedSessionToken,
    SessionDetails,
    SessionToken,
    TokenPair,
    UserRevocation,
    Verification,
)

__all__ = [
    "AccessToken",
    "Anomaly",
    "ApiKey",
    "ApiKeyOptions",
    "ApiKeySecret",
    "AsyncGuestpass",
    "Check",
    "CustomerBlock",
    "Guestpass",
    "LoginOptions",
    "Logout",
    "NewApiKey",
    "Revocation",
    "RevokedSessionToken",
    "SessionDetails",
    "SessionToken",
    "SessionTokenOptions",
    "TokenPair",
    "UserRevocation",
    "Verification",
]

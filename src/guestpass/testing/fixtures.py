"""Fixtures for pytest: ``pytest_plugins = ["guestpass.testing.fixtures"]``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guestpass.testing.issuer import FakeIssuer
from guestpass.testing.service import FakeGuestpass


@pytest.fixture
def guestpass_issuer() -> Iterator[FakeIssuer]:
    """An issuer in memory, with a clock that stands still until it is moved. Its verifiers are closed after the test."""
    with FakeGuestpass() as service:
        yield service.issuer()

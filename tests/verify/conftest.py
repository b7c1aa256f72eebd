"""Every verification of these tests is made twice: blocking, and awaited."""

import pytest
from verifying import ASYNC, SYNC, Api

from guestpass.testing import FakeGuestpass


@pytest.fixture
def service():
    """A Guestpass in memory; its verifiers are closed after the test."""
    with FakeGuestpass() as service:
        yield service


@pytest.fixture
def issuer(service):
    """The default project in test."""
    return service.issuer()


@pytest.fixture(params=[SYNC, ASYNC])
def api(request, issuer):
    """An API that verifies tokens offline."""
    return Api(issuer, request.param)

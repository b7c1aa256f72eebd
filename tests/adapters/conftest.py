"""An API in each framework, in front of an issuer in memory."""

import logging

import adapter_apps
import pytest

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


@pytest.fixture(params=sorted(adapter_apps.MAKERS))
def made(request, issuer):
    """(auth, caller) of the API in one framework, which verifies offline."""
    return adapter_apps.MAKERS[request.param](issuer.verifier())


@pytest.fixture
def auth(made):
    return made[0]


@pytest.fixture
def api(made):
    return made[1]


@pytest.fixture
def log(caplog):
    """The lines of the logger ``guestpass``."""
    caplog.set_level(logging.INFO, "guestpass")
    return caplog

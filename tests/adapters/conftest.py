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


class Log(logging.Handler):
    """The lines of the logger ``guestpass``; frameworks write their own elsewhere."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)

    @property
    def text(self):
        return "\n".join(record.getMessage() for record in self.records)


@pytest.fixture
def log():
    logger, log = logging.getLogger("guestpass"), Log()
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(log)
    yield log
    logger.removeHandler(log)
    logger.setLevel(before)

import pytest
from scripted_service import MINTED, Host, ScriptedService, reply


@pytest.fixture(autouse=True)
def no_settings_from_the_machine(monkeypatch):
    monkeypatch.delenv("GUESTPASS_SECRET_KEY", raising=False)
    monkeypatch.delenv("GUESTPASS_URL", raising=False)


@pytest.fixture
def service():
    """A scripted server that mints, until a test scripts it otherwise."""
    scripted = ScriptedService()
    scripted.will(reply(201, MINTED))
    return scripted


@pytest.fixture(params=["sync", "async"])
def host(request, service):
    """A host with ``Guestpass``, then one with ``AsyncGuestpass``: every guarantee holds for both."""
    return Host(request.param, service)

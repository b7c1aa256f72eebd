"""Each adapter is importable by the name that one would guess, and costs nobody who does not ask for it."""

import subprocess
import sys

import pytest

FRAMEWORKS = {"django", "fastapi", "flask", "litestar", "rest_framework", "starlette", "werkzeug"}
NEEDS = {
    "asgi": set(),
    "django": {"django"},
    "drf": {"django", "rest_framework"},
    "fastapi": {"fastapi", "starlette"},
    "flask": {"flask", "werkzeug"},
    "litestar": {"litestar"},
    "wsgi": set(),
}


def loaded_by(statement):
    code = f"{statement}\nimport sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


@pytest.mark.parametrize("name", NEEDS)
def test_an_adapter_loads_its_own_framework_and_no_other(name):
    loaded = loaded_by(f"import guestpass.{name}")
    assert loaded & FRAMEWORKS == NEEDS[name]
    assert not [module for module in loaded if module.startswith(("guestpass.client", "guestpass.server", "httpx"))]


def test_the_package_loads_none():
    assert loaded_by("import guestpass; guestpass.Verifier; guestpass.Guestpass").isdisjoint(FRAMEWORKS)

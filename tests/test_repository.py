"""What holds for the repository as a whole: sizes, layers, generated files, the public surface."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import generated
import guestpass

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
TABLES = {"migrations/versions"}  # exempt from sizes: rows, not logic


@pytest.mark.parametrize("path", generated.FILES)
def test_generated_file_is_what_the_code_says(path):
    """`./dev docs` was run after the last change."""
    assert (ROOT / path).read_text() == generated.FILES[path]()


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(source):
    if any(table in str(source) for table in TABLES):
        return
    text = source.read_text()
    assert len(text.splitlines()) <= FILE_LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            documented = node.body[0].end_lineno - node.body[0].lineno + 1 if ast.get_docstring(node) else 0
            assert node.end_lineno - node.lineno + 1 - documented <= FUNCTION_LINES_MAX, node.name


def test_public_names_are_exactly_these():
    assert guestpass.__all__ == [
        "AsyncGuestpass",
        "Guestpass",
        "GuestpassError",
        "MemoryReplayGuard",
        "OperationNotAllowed",
        "RedisReplayGuard",
        "ReplayGuard",
        "Session",
        "SqliteReplayGuard",
        "TokenError",
        "Unavailable",
        "Verifier",
    ]
    assert all(getattr(guestpass, name) for name in guestpass.__all__)


def test_the_sdk_loads_neither_server_nor_http_library():
    """`import guestpass` costs what its user needs: no server, no HTTP client before the first call."""
    code = "import guestpass.client, guestpass.verify, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in loaded if name.startswith(("guestpass.server", "httpx2", "uvicorn", "alembic"))]


def test_every_code_of_the_contract_is_in_the_spec():
    table = json.loads((ROOT / "spec/errors.json").read_text())
    assert len({row["code"] for row in table}) == len(table) == 40
    assert {row["status"] for row in table} == {400, 401, 403, 404, 405, 409, 413, 415, 429, 500, 503}


def _tracked_text():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    for name in filter(None, listed):
        path = ROOT / name
        if path.is_file() and path.suffix not in {".png", ".ico"} and "tests/vectors" not in name:
            yield name, path.read_text(errors="replace")


def test_lock_files_hold_hashes_and_no_host_names():
    for name, text in _tracked_text():
        if name.endswith((".txt", "package-lock.json")) and ("requirements/" in name or "lock" in name):
            assert not re.search(r"https?://", text), name
            assert "sha256" in text or "sha512" in text, name


def test_no_file_names_a_machine_or_a_registry():
    """The project speaks of itself alone."""
    told = re.compile(
        "|".join(["/wor" + "k/", "registry" + r"\.npmjs", "files\\.python" + "hosted", "deb\\.deb" + "ian"])
    )
    assert [name for name, text in _tracked_text() if told.search(text)] == []

"""Peers in Python: each in an environment of its own, made once from its lock."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def python_of(home: Path) -> str:
    """Return the interpreter of the peer in ``home``, with all that its lock names."""
    python = home / ".venv/bin/python"
    if not python.exists():
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run([uv, "venv", "--quiet", str(home / ".venv")], check=True)
        lock = ["--require-hashes", "--requirement", str(home / "requirements.txt")]
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), *lock], check=True)
    return str(python)


def versions(home: Path, wanted: set[str]) -> dict[str, str]:
    """Return the versions of the packages that are ``wanted``."""
    asked = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    said = subprocess.run([python_of(home), "-c", asked], capture_output=True, text=True, check=True)
    names = {name.lower() for name in wanted}
    return {name: version for name, version in json.loads(said.stdout).items() if name.lower() in names}

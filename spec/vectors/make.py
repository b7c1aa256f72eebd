"""Write attacks.json and tokens.json, the vectors that every verifier of ours is tested against, signatures.json,
those of whoever signs requests, and host-session.json, those of the host's session routes.

    python spec/vectors/make.py [--check]

The same bytes every time; ``--check`` writes nothing and says whether the files are what would be written.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import attacks
import host_sessions
import signatures
import tokens
from expectations import EXPECT, KEYS
from writer import Vector

FOLDER = Path(__file__).parent
FORM = (
    " Each vector: hold `token` against the key set `keys` and the expectation `expect` at the Unix second `now`;"
    " the answer is `code`, or for `ok` the `claims`. `tokenParts` stands in place of a long token: a list of"
    " [text, times], each text repeated so often, all joined. Written by make.py with the keys of test-keys.json."
)


def of_tokens(about: str, vectors: list[Vector]) -> str:
    used_keys = {vector["keys"] for vector in vectors}
    used_expect = {vector["expect"] for vector in vectors}
    head = {
        "about": about + FORM,
        "keys": {name: value for name, value in KEYS.items() if name in used_keys},
        "expect": {name: value for name, value in EXPECT.items() if name in used_expect},
    }
    return document(head, vectors)


def document(head: dict[str, Any], vectors: list[Vector]) -> str:
    names = [vector["name"] for vector in vectors]
    if len(set(names)) != len(names):
        raise SystemExit("two vectors have one name")
    lines = ",\n".join("    " + json.dumps(vector, ensure_ascii=True) for vector in vectors)
    return json.dumps(head, indent=2)[:-2] + f',\n  "vectors": [\n{lines}\n  ]\n}}\n'


def main() -> None:
    stale = []
    files = {f"{module.__name__}.json": of_tokens(module.ABOUT, module.vectors()) for module in (attacks, tokens)}
    head = {"about": signatures.ABOUT, "keys": signatures.KEYS}
    files["signatures.json"] = document(head, signatures.vectors())
    host_head = {"about": host_sessions.ABOUT, "secrets": host_sessions.SECRETS, "keys": host_sessions.KEYS}
    files["host-session.json"] = document(host_head, host_sessions.vectors())
    for name, text in files.items():
        path = FOLDER / name
        if "--check" not in sys.argv[1:]:
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            stale.append(name)
    if stale:
        raise SystemExit(f"not what make.py writes: {', '.join(stale)}")


if __name__ == "__main__":
    main()

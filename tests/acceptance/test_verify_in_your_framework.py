"""``docs/verify-in-your-framework.md``: its files are written, its servers started, its commands typed."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

import transcript
from servers.processes import stable_port

PAGE = transcript.ROOT / "docs" / "verify-in-your-framework.md"
PORTS_IN_PAGE = [str(port) for port in range(8001, 8008)]
BLOCKS = [block for block in transcript.blocks_of(PAGE.read_text()) if block.language == "python"]
FILES = {block.title: block.text for block in BLOCKS if block.title}
README = [
    block for block in transcript.blocks_of((transcript.ROOT / "README.md").read_text()) if "SessionAuth" in block.text
]
OTHERS = [pytest.param(block.text, id=f"line {block.line}") for block in [*BLOCKS, *README] if not block.title]
COMMANDS_MIN = 20  # a page that lost its blocks would pass otherwise


class Terminals(transcript.Terminals):
    """With the page's files before them; a server that stays says so on either stream, on a port of its own."""

    def __init__(self, directory):
        super().__init__(directory)
        self._ports = {transcript.PORT_IN_PAGES: str(self.port)} | {port: str(stable_port()) for port in PORTS_IN_PAGE}
        for name, text in FILES.items():
            (directory / name).write_text(self._mapped(text))

    def _mapped(self, text):
        return re.sub(rf"\b(?:{'|'.join(self._ports)})\b", lambda port: self._ports[port[0]], text)

    def leave_running(self, command, expected):
        return super().leave_running(f"{command} 2>&1", expected)


def test_every_api_of_the_page_does_what_the_page_shows(tmp_path):
    assert len(FILES) == 10
    terminals = Terminals(tmp_path)
    try:
        assert terminals.replay(PAGE) >= COMMANDS_MIN
    finally:
        terminals.close()


@pytest.mark.parametrize("code", OTHERS)
def test_every_other_block_runs(code):
    """Nothing is fetched before the first token, so the issuer need not be there."""
    environment = os.environ | {"GUESTPASS_ISSUER": "http://127.0.0.1:8787/test"}
    ran = subprocess.run(
        [sys.executable, "-"], input=code, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr

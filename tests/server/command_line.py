"""The command line in a test's hand."""

from __future__ import annotations

import io
import json

from guestpass.server import main

OK, FAILED, USAGE, REFUSED, NOT_FOUND, UNREACHABLE = range(6)


class CommandLine:
    """Runs commands against one data directory."""

    def __init__(self, data_dir, capsys, monkeypatch):
        self.data_dir = data_dir
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *words, stdin=""):
        self._monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = main.call([*words, "--data-dir", str(self.data_dir)])
        self.out, self.err = self._capsys.readouterr()
        return code

    def json(self, *words, stdin=""):
        """Run with --json, which must succeed and print one JSON value and nothing else."""
        assert self(*words, "--json", stdin=stdin) == OK, self.err
        assert self.err == ""
        return json.loads(self.out)

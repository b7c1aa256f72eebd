"""``docs/runbooks.md``, typed as it stands there."""

from __future__ import annotations

from transcript import ROOT, Terminals


def test_what_the_runbooks_show_is_what_happens(tmp_path):
    terminals = Terminals(tmp_path)
    try:
        assert terminals.replay(ROOT / "docs" / "runbooks.md") >= 14
    finally:
        terminals.close()

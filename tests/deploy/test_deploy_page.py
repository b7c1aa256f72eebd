"""``docs/deploy.md``: two servers on one PostgreSQL, typed as the page shows them."""

from __future__ import annotations

from pathlib import Path

from servers.processes import stable_port
from transcript import ROOT, Terminals

PAGE = ROOT / "docs" / "deploy.md"


class TwoMachines(Terminals):
    """Two ports, and the database of a test in place of the page's."""

    def __init__(self, directory: Path, database_url: str) -> None:
        super().__init__(directory)
        self._other_port = stable_port()
        self._database_url = database_url

    def _mapped(self, text):
        text = text.replace("postgresql://guestpass@127.0.0.1:5432/guestpass", self._database_url)
        return super()._mapped(text.replace("8788", str(self._other_port)))


def test_two_servers_on_one_store_as_the_page_shows_them(tmp_path, database_url):
    terminals = TwoMachines(tmp_path, database_url)
    try:
        assert terminals.replay(PAGE) == 12
    finally:
        terminals.close()

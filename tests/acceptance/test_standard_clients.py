"""``docs/standard-clients.md``: what it types against a server; its Python runs with that of the other pages."""

import transcript

PAGE = transcript.ROOT / "docs" / "standard-clients.md"
COMMANDS_MIN = 15  # a page that lost its blocks would pass otherwise


def test_standard_clients_are_answered_as_the_page_shows(tmp_path):
    terminals = transcript.Terminals(tmp_path)
    try:
        assert terminals.replay(PAGE) >= COMMANDS_MIN
    finally:
        terminals.close()

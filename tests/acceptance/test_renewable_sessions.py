"""``docs/renewable-sessions.md``: what it types against a server."""

import transcript

PAGE = transcript.ROOT / "docs" / "renewable-sessions.md"
COMMANDS_MIN = 9  # a page that lost its blocks would pass otherwise


def test_renewable_sessions_are_answered_as_the_page_shows(tmp_path):
    terminals = transcript.Terminals(tmp_path)
    try:
        assert terminals.replay(PAGE) >= COMMANDS_MIN
    finally:
        terminals.close()

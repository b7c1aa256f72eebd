"""The first hour of a new user, as the page tells it, against a real server."""

import transcript

PAGE = transcript.ROOT / "docs/first-hour.md"
COMMANDS_MIN = 25  # a page that lost its blocks would pass otherwise


def test_the_first_hour_goes_as_the_page_tells(tmp_path):
    terminals = transcript.Terminals(tmp_path)
    try:
        assert terminals.replay(PAGE) >= COMMANDS_MIN
    finally:
        terminals.close()


def test_an_ellipsis_stands_for_text_within_a_line_and_alone_for_lines():
    """The wildcard is no wider than that: a page may not be true by accident."""
    assert transcript.fits('{"id":"sess_…","n":1}', '{"id":"sess_01","n":1}\n')
    assert transcript.fits("a\n…\nz", "a\nb\nc\nz\n")
    assert not transcript.fits("a…", "a\nb")
    assert not transcript.fits("a", "a\nb")
    assert not transcript.fits('{"id":"sess_…"}', '{"id":"key_01"}')


def test_a_command_goes_on_after_a_backslash():
    block = transcript.blocks_of("```console\n$ echo a \\\n    b\na b\n$ true\n```\n")[0]
    assert transcript.steps_of(block) == [transcript.Step("echo a \\\n    b", "a b\n"), transcript.Step("true", "")]

"""A short form of ``herd.py``: ``./dev herd`` has the long one."""

from __future__ import annotations

from herd import come_back


async def test_hundreds_that_come_back_at_once_are_all_answered_and_none_is_signed_out(tmp_path):
    """Also those whose answer was lost when the server died."""
    seconds, signed_out, unanswered = await come_back(tmp_path, clients=400, rounds=2)
    assert signed_out == []
    assert unanswered == 0
    assert len(seconds) == 800

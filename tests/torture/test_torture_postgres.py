"""PostgreSQL's bad days; the long form, with figures, is ``./dev torture-postgres``."""

from __future__ import annotations

from bad_days import torture


async def test_nothing_acknowledged_is_lost_and_nothing_revoked_comes_back(home, tmp_path):
    """Restarted, killed, and failed over to the synchronous standby: each time service resumes by itself, and nobody is
    refused from then on.
    """
    _, load = await torture(home, tmp_path, days=["restart", "kill", "frozen"])
    assert load.broken == []
    assert len(load.written) > 500

"""PostgreSQL's bad days; the long form, with figures, is ``./dev torture-postgres``."""

from __future__ import annotations

import kill
from bad_days import settings_for, torture


async def test_nothing_acknowledged_is_lost_and_nothing_revoked_comes_back(home, tmp_path):
    """Restarted, killed, and failed over to the synchronous standby: each time service resumes by itself, and nobody is
    refused from then on.
    """
    _, load = await torture(home, tmp_path, days=["restart", "kill", "frozen"])
    assert load.broken == []
    assert len(load.written) > 500


async def test_a_server_that_is_killed_under_load_keeps_its_word(databases, tmp_path):
    """What it had begun is taken back by PostgreSQL; what it acknowledged was committed."""
    with databases.fresh() as url:
        acknowledged, broken = await kill.torture(tmp_path, rounds=3, workers=2, settings=settings_for(url))
    assert broken == []
    assert acknowledged["living"] > 10
    assert acknowledged["ended"] > 0

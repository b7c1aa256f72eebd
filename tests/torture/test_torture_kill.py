"""kill -9 under load; the long form is ``./dev torture``."""

from __future__ import annotations

import pytest
from kill import torture


@pytest.mark.parametrize(("workers", "rounds"), [(1, 8), (2, 2)])
async def test_nothing_acknowledged_is_lost_and_nothing_revoked_comes_back(tmp_path, workers, rounds):
    acknowledged, broken = await torture(tmp_path, rounds=rounds, workers=workers)
    assert broken == []
    assert acknowledged["living"] > 50
    assert acknowledged["ended"] > 50

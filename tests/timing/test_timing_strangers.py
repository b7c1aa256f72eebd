"""The timing of refusals in short: it is measured as ``./dev timing`` does, and no time is asserted."""

from __future__ import annotations

import random
import time

import pytest

from guestpass.server.app import open_configured
from guestpass.server.operate.settings import Settings
from timing.strangers import inside, make_keys, measured, requests_of, tell
from timing.welch import cropped, t_of


@pytest.fixture
async def service(tmp_path):
    service = await open_configured(Settings(data_dir=str(tmp_path), failures_per_minute=0))
    yield service
    await service.close()


async def test_every_kind_is_refused_and_timed(service, capsys):
    requests = requests_of(await make_keys(service, 3), time.time())
    assert len({len(str(headers)) for some in requests.values() for headers in some}) == 1, "all of one length"
    times = await measured(inside(service), requests, 60)
    assert sum(len(some) for some in times.values()) == 60
    assert tell("in short", times) >= 0
    assert "unknown key / wrong signature" in capsys.readouterr().out


def test_the_statistic_is_welchs():
    """Against figures that were worked out by hand."""
    assert t_of([1, 2, 3], [1, 2, 3]) == 0
    assert t_of([2, 4, 6], [1, 2, 3]) == pytest.approx(2 / (4 / 3 + 1 / 3) ** 0.5)
    assert t_of([5, 5], [5, 5]) == 0


def test_it_sees_a_twentieth_of_the_spread_in_sixty_thousand_times():
    """And nothing where there is nothing to see."""
    dice = random.Random(1)
    one, other = ([dice.gauss(100, 10) for _ in range(30_000)] for _ in range(2))
    assert abs(t_of(one, other)) < 4.5
    assert t_of([time + 0.5 for time in one], other) > 4.5


def test_the_slowest_are_left_out_of_both_by_one_bound():
    kept = cropped({"one": list(range(50)), "other": list(range(50, 100))})
    assert kept == {"one": list(range(50)), "other": list(range(50, 90))}

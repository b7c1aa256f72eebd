"""What is remembered of the store is never older than its bound, and never older than a change made here."""

from __future__ import annotations

from guestpass.server.remembered import Remembered
from world import Clock


class Store:
    def __init__(self):
        self.value = "first"
        self.asked = 0

    async def ask(self, key):
        self.asked += 1
        return self.value and f"{self.value} of {key}"


def remember(store, clock=None):
    return Remembered(store.ask, clock or Clock(), 0.5)


async def test_it_is_asked_for_once_in_its_time_and_then_again():
    store, clock = Store(), Clock()
    values = remember(store, clock)
    assert await values.get("a") == "first of a"
    store.value = "second"
    clock.advance(milliseconds=499)
    assert await values.get("a") == "first of a"
    clock.advance(milliseconds=1)
    assert await values.get("a") == "second of a"
    assert store.asked == 2


async def test_a_clock_that_is_stepped_back_makes_nothing_young():
    store, clock = Store(), Clock()
    values = remember(store, clock)
    await values.get("a")
    clock.advance(seconds=-3600)
    await values.get("a")
    assert store.asked == 2


async def test_nothing_is_asked_for_each_time():
    store = Store()
    values = remember(store)
    store.value = None
    assert await values.get("a") is None
    store.value = "made"
    assert await values.get("a") == "made of a"


async def test_an_answer_that_says_the_same_is_the_same_object():
    """What was built on it need not be built again."""
    store, clock = Store(), Clock()
    values = remember(store, clock)
    first = await values.get("a")
    clock.advance(seconds=1)
    assert await values.get("a") is first


async def test_an_answer_from_before_a_change_that_arrives_after_it_is_not_kept():
    """Else the one who changed something would be shown the old for a while yet."""
    store = Store()

    async def changed_meanwhile(key):
        answer = await store.ask(key)
        store.value = "second"
        values.forget()
        return answer

    values = Remembered(changed_meanwhile, Clock(), 0.5)
    assert await values.get("a") == "first of a"
    assert await values.get("a") == "second of a"


async def test_what_is_remembered_is_bounded():
    values = Remembered(Store().ask, Clock(), 0.5, most=3)
    for key in range(100):
        await values.get(key)
    assert len(values._values) <= 3

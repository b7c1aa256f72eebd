"""What is known of a customer: what a mint said last, and whether he may come in, whatever it says."""

from __future__ import annotations

from stored_sessions import ISSUER, key_of

from engines import EVERY_ENGINE
from guestpass.server.customers import service as customers
from guestpass.server.customers.model import Derivation, Sighting

ENGINES = EVERY_ENGINE
ADA = key_of("ada")


async def written(tx):
    """What changes with every write, though it may write what was there before."""
    if tx.dialect == "sqlite":
        return await tx.fetch_one("SELECT total_changes()")
    return await tx.fetch("SELECT ctid::text, cmin::text FROM customers")


def sighting(*, email="ada@example.com", verified=False, seen_at=1):
    return Sighting(ISSUER, ADA, "ada", email, verified, seen_at)


async def known(tx):
    return await tx.fetch("SELECT email, email_verified, first_seen_at FROM customers")


async def test_a_customer_is_recorded_once_and_keeps_the_day_he_was_first_seen(tx):
    for seen_at in (1, 2):
        await customers.record(tx, sighting(seen_at=seen_at))
    assert await known(tx) == [("ada@example.com", 0, 1)]


async def test_the_newest_email_is_kept(tx):
    await customers.record(tx, sighting())
    await customers.record(tx, sighting(email="lovelace@example.com", seen_at=2))
    assert await known(tx) == [("lovelace@example.com", 0, 1)]


async def test_an_email_once_verified_stays_so_until_it_changes(tx):
    """A mint that says nothing of it does not take it back; another address has to be verified anew."""
    await customers.record(tx, sighting(verified=True))
    await customers.record(tx, sighting(verified=False))
    assert await known(tx) == [("ada@example.com", 1, 1)]
    await customers.record(tx, sighting(email="lovelace@example.com", verified=False))
    assert await known(tx) == [("lovelace@example.com", 0, 1)]


async def test_a_mint_that_says_nothing_new_writes_nothing(tx):
    """A returning user costs a read."""
    await customers.record(tx, sighting(verified=True))
    before = await written(tx)
    await customers.record(tx, sighting(verified=True, seen_at=9))
    assert await written(tx) == before


async def test_a_block_outlives_what_is_known_of_the_customer(tx):
    await customers.record(tx, sighting())
    await customers.block(tx, ISSUER, ADA, now=1, by="us")
    await customers.record(tx, sighting(email="new@example.com"))
    await tx.execute("DELETE FROM customers")
    assert await customers.is_blocked(tx, ISSUER, ADA)
    assert await customers.blocked_among(tx, [(ISSUER, ADA), (ISSUER, key_of("bob"))]) == {(ISSUER, ADA)}
    await customers.unblock(tx, ISSUER, ADA)
    assert await customers.blocked_among(tx, [(ISSUER, ADA)]) == set()


async def test_a_block_is_of_one_issuer(tx):
    """test and live never meet."""
    await customers.block(tx, ISSUER, ADA, now=1, by="us")
    assert not await customers.is_blocked(tx, ISSUER + 1, ADA)


async def test_a_second_block_does_not_change_who_made_the_first(tx):
    for by in ("us", "others"):
        await customers.block(tx, ISSUER, ADA, now=1, by=by)
    assert await tx.fetch("SELECT blocked_by FROM customer_blocks") == [("us",)]


def test_ids_are_derived_alike_on_every_server_and_apart_from_all_others():
    """A user and an organization of one name, two issuers, names that look alike: none share an id."""
    one, other = Derivation(b"secret"), Derivation(b"another")
    derived = [
        one.customer_id(2, "7"), one.customer_id(3, "7"), one.organization_key(2, "7"), other.customer_id(2, "7"),
        one.customer_id(2, "07"), one.customer_id(2, " 7"), one.customer_id(2, "7.0"), one.customer_id(27, ""),
        one.customer_id(2, "K"), one.customer_id(2, "\u212a"), one.customer_id(2, "\u00e9"), one.customer_id(2, "e\u0301"),
    ]  # fmt: skip
    assert len(set(derived)) == len(derived)
    assert Derivation(b"secret").customer_id(2, "7") == derived[0]
    assert "secret=b" not in repr(one)

"""Idempotency: what was answered under a key, to be answered again."""

from guestpass.server.storage.migrations import ddl

revision = "0009"
down_revision = "0008"

# Appended to, and dropped from its other end.
LOG = """CREATE TABLE idempotency_log (
    number INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,              -- of whose request it is, and which (16 bytes)
    written_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    sealed BLOB NOT NULL             -- hash of the body, and what was made
) STRICT"""
# By generations, ranges of numbers: what is written together is found together, and goes together.
INDEX = """CREATE TABLE idempotency_index (
    generation INTEGER NOT NULL,
    hash BLOB NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (generation, hash, number)
) WITHOUT ROWID, STRICT"""


def upgrade() -> None:
    ddl.run(LOG, INDEX)
    ddl.servers_from("0001")

"""Publish endings: places of status lists, and the cuts that are not in them yet."""

from guestpass.server.storage.migrations import ddl

revision = "0004"
down_revision = "0003"

TABLES = (
    # Read whole, list by list; a session that was never ended by itself has none.
    """CREATE TABLE status_entries (
        list INTEGER NOT NULL,
        place INTEGER NOT NULL,
        reissue INTEGER NOT NULL,
        PRIMARY KEY (list, place)
    ) WITHOUT ROWID, STRICT""",
    "CREATE INDEX status_lists_by_age ON status_lists (leased_at)",
    # Cuts as verifiers are told of them; one of few sessions goes over into their status lists, and then goes away.
    """CREATE TABLE published_cuts (
        issuer INTEGER NOT NULL,
        kind TEXT NOT NULL,
        subject BLOB NOT NULL,
        before_ms INTEGER NOT NULL,
        reissue INTEGER NOT NULL,
        made_at_ms INTEGER NOT NULL,
        listed_at_ms INTEGER,            -- since when its sessions are in their status lists
        PRIMARY KEY (issuer, kind, subject, before_ms, reissue)
    ) WITHOUT ROWID, STRICT""",
)


def upgrade() -> None:
    ddl.run(*TABLES)
    ddl.servers_from("0001")

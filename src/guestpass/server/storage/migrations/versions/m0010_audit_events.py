"""The audit log: what was done, to whom, by whom."""

from guestpass.server.storage.migrations import ddl

revision = "0010"
down_revision = "0009"

EVENTS = """CREATE TABLE audit_events (
    id BLOB NOT NULL PRIMARY KEY,    -- time-ordered, by the store's clock
    issuer INTEGER NOT NULL,         -- 0: the store as a whole
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    request_id TEXT,
    targets TEXT NOT NULL,           -- JSON
    detail TEXT NOT NULL,            -- JSON
    commitments TEXT NOT NULL,       -- JSON: by field of personal, the hash that the chain holds
    personal TEXT                    -- JSON: by field, [salt, value]; NULL once it was erased
) WITHOUT ROWID, STRICT"""
BY_ISSUER = "CREATE INDEX audit_events_by_issuer ON audit_events (issuer, id)"
TARGETS = """CREATE TABLE audit_targets (
    issuer INTEGER NOT NULL,
    target TEXT NOT NULL,            -- a public id
    id BLOB NOT NULL,                -- of an event
    PRIMARY KEY (issuer, target, id)
) WITHOUT ROWID, STRICT"""


def upgrade() -> None:
    ddl.run(EVENTS, BY_ISSUER, TARGETS)
    ddl.servers_from("0001")

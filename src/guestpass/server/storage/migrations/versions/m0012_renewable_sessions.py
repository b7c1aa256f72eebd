"""Sessions that are renewed: what of them changes, and the salts that successors are derived with."""

from guestpass.server.storage.migrations import ddl

revision = "0012"
down_revision = "0011"

# One row a renewable session, whatever the number of its refreshes. What is final stands in ``sessions``.
RENEWALS = """CREATE TABLE renewals (
    issuer INTEGER NOT NULL,
    id BLOB NOT NULL,                -- the session's
    generation INTEGER NOT NULL,     -- of the current refresh token; the first is 1
    token_hash BLOB NOT NULL,        -- SHA-256 of the current refresh token
    rotated_at_ms INTEGER NOT NULL,  -- when it was made, by the store's clock
    salt INTEGER,                    -- that it was derived with: a number of refresh_salts, perhaps gone by now
    idle_ends_at INTEGER NOT NULL,
    recent BLOB NOT NULL,            -- the last refreshes: time, truncated network, agent
    PRIMARY KEY (issuer, id)
) WITHOUT ROWID, STRICT"""
# A row is there as long as a grace that it serves: some of ten seconds and the grace.
SALTS = """CREATE TABLE refresh_salts (
    number INTEGER PRIMARY KEY,
    salt BLOB NOT NULL,
    ends_at_ms INTEGER NOT NULL
) STRICT"""


def upgrade() -> None:
    ddl.run(RENEWALS, SALTS)
    ddl.leave_room("renewals")
    ddl.servers_from("0001")

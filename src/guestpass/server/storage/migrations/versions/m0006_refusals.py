"""Keep for a day why tokens were refused."""

from guestpass.server.storage.migrations import ddl

revision = "0006"
down_revision = "0005"

REFUSALS = """CREATE TABLE refusals (
    hour INTEGER NOT NULL,           -- of Unix time
    name TEXT NOT NULL,              -- the request's id, or the session's
    at_ms INTEGER NOT NULL,
    number BLOB NOT NULL,            -- random
    request_id TEXT NOT NULL,
    session_id TEXT,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    route TEXT NOT NULL,
    PRIMARY KEY (hour, name, at_ms, number)
) WITHOUT ROWID, STRICT"""


def upgrade() -> None:
    ddl.run(REFUSALS)
    ddl.servers_from("0001")

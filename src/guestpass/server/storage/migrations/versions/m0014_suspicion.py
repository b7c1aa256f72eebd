"""What was odd about refreshes, and sessions that are suspended for it."""

from guestpass.server.storage.migrations import ddl

revision = "0014"
down_revision = "0013"

ANOMALIES = """CREATE TABLE anomalies (
    issuer INTEGER NOT NULL,
    id BLOB NOT NULL,                -- time-ordered
    session_id BLOB NOT NULL,
    kind TEXT NOT NULL,              -- reuse, rate, origin, pause
    outcome TEXT NOT NULL,           -- recorded, suspended, revoked
    evidence TEXT NOT NULL,          -- JSON
    PRIMARY KEY (issuer, id)
) WITHOUT ROWID, STRICT"""
# Few, and read by who logs in again and by whom a list is published for: so it has an index for each.
SUSPENSIONS = """CREATE TABLE suspensions (
    issuer INTEGER NOT NULL,
    id BLOB NOT NULL,                -- the session's
    customer_id BLOB NOT NULL,
    list INTEGER NOT NULL,
    place INTEGER NOT NULL,
    suspended_at_ms INTEGER NOT NULL,
    PRIMARY KEY (issuer, id)
) WITHOUT ROWID, STRICT"""
BY_CUSTOMER = "CREATE INDEX suspensions_by_customer ON suspensions (issuer, customer_id)"
BY_LIST = "CREATE INDEX suspensions_by_list ON suspensions (list)"


def upgrade() -> None:
    ddl.run(ANOMALIES, SUSPENSIONS, BY_CUSTOMER, BY_LIST)
    ddl.servers_from("0001")

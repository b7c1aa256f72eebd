"""Count the uses of tokens that have only so many."""

from guestpass.server.storage.migrations import ddl

revision = "0003"
down_revision = "0002"

# Apart from the session's row, which never changes; only sessions with maxUses have one.
USES = """CREATE TABLE session_uses (
    issuer INTEGER NOT NULL,
    id BLOB NOT NULL,
    uses INTEGER NOT NULL,
    PRIMARY KEY (issuer, id)
) WITHOUT ROWID, STRICT"""


def upgrade() -> None:
    ddl.run(USES)
    ddl.servers_from("0001")

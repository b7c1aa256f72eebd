"""Settings of a project in one environment."""

from guestpass.server.storage.migrations import ddl

revision = "0005"
down_revision = "0004"

# One row a setting that differs from its default, so that a new one needs no migration, and a server that does not
# know it leaves it alone.
ISSUER_SETTINGS = """CREATE TABLE issuer_settings (
    issuer INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,             -- JSON
    PRIMARY KEY (issuer, name)
) WITHOUT ROWID, STRICT"""


def upgrade() -> None:
    ddl.run(ISSUER_SETTINGS)
    ddl.servers_from("0001")

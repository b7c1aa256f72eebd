"""Signing keys that rotate: from when each signs, and how it ended."""

from guestpass.server.storage.migrations import ddl

revision = "0007"
down_revision = "0006"

# All in Unix milliseconds by the store's clock.
COLUMNS = (
    # 0: from its creation on, as a server of the version before means it.
    "ALTER TABLE signing_keys ADD COLUMN signs_from_ms INTEGER NOT NULL DEFAULT 0",
    # Null: some time after the next key begins to sign.
    "ALTER TABLE signing_keys ADD COLUMN retires_at_ms INTEGER",
    "ALTER TABLE signing_keys ADD COLUMN revoked_at_ms INTEGER",
)


def upgrade() -> None:
    ddl.run(*COLUMNS)
    ddl.servers_from("0001")

"""Signed requests: the secrets of keys that sign, and the signatures that were used."""

from guestpass.server.storage.migrations import ddl

revision = "0002"
down_revision = "0001"

# Of a key that signs; what a signature is checked with cannot be a hash.
KEYS_THAT_SIGN = "ALTER TABLE api_keys ADD COLUMN sealed_secret BLOB"
# By the second that was signed: whatever comes is near the right edge, and what is over goes as a range.
SIGNED_REQUESTS = """CREATE TABLE signed_requests (
    signed_at INTEGER NOT NULL,      -- Unix seconds, the client's
    signature BLOB NOT NULL,         -- its first 16 bytes
    request BLOB NOT NULL,           -- who used it: its transaction may have to be tried again
    PRIMARY KEY (signed_at, signature)
) WITHOUT ROWID, STRICT"""


def upgrade() -> None:
    ddl.run(KEYS_THAT_SIGN, SIGNED_REQUESTS)
    ddl.servers_from("0001")

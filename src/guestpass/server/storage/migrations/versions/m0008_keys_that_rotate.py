"""API keys that end, rotate and know where they are used from.

``api_keys.secret_hash`` and ``sealed_secret`` stay for servers of the versions before. They know one secret a key, and
neither ends nor IP ranges: so of a key that has one these columns hold nothing, and such a server refuses it rather than
let it do more than it may.
"""

from guestpass.server.storage.migrations import ddl

revision = "0008"
down_revision = "0007"

STATEMENTS = (
    "ALTER TABLE api_keys ADD COLUMN ip_ranges TEXT",  # networks joined by spaces; NULL is anywhere
    "ALTER TABLE api_keys ADD COLUMN expires_at INTEGER",
    "ALTER TABLE api_keys ADD COLUMN last_used_at INTEGER",
    "CREATE INDEX api_keys_by_issuer ON api_keys (issuer, id)",
    """CREATE TABLE api_key_secrets (
        hash BLOB PRIMARY KEY,           -- SHA-256 of the whole secret
        key_id BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        ends_at INTEGER,                 -- NULL of the newest, which lasts as long as its key
        sealed_secret BLOB               -- of a key that signs; what a signature is checked with cannot be a hash
    ) WITHOUT ROWID, STRICT""",
    "CREATE INDEX api_key_secrets_by_key ON api_key_secrets (key_id)",
    """INSERT INTO api_key_secrets (hash, key_id, created_at, sealed_secret)
        SELECT secret_hash, id, created_at, sealed_secret FROM api_keys""",
)


def upgrade() -> None:
    ddl.run(*STATEMENTS)
    ddl.servers_from("0001")

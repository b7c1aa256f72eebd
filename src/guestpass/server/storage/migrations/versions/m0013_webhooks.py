"""Webhooks: endpoints, their secrets, and what is to be sent to them."""

from guestpass.server.storage.migrations import ddl

revision = "0013"
down_revision = "0012"

STATEMENTS = (
    """CREATE TABLE webhook_endpoints (
        issuer INTEGER NOT NULL,
        id BLOB NOT NULL,
        url TEXT NOT NULL,
        description TEXT NOT NULL,
        events TEXT NOT NULL,            -- names and families, joined by spaces
        created_at INTEGER NOT NULL,
        position INTEGER NOT NULL,       -- in the audit log: what was sealed before it is not sent
        failing_since_ms INTEGER,        -- since when no attempt has succeeded; NULL: the last one did
        disabled_at INTEGER,
        disabled_why TEXT,
        deleted_at INTEGER,              -- the row goes when its deliveries have gone
        PRIMARY KEY (issuer, id)
    ) WITHOUT ROWID, STRICT""",
    """CREATE TABLE webhook_secrets (
        issuer INTEGER NOT NULL,
        endpoint_id BLOB NOT NULL,
        id BLOB NOT NULL,                -- time-ordered
        created_at INTEGER NOT NULL,
        ends_at INTEGER,                 -- NULL of the newest, which lasts as long as its endpoint
        sealed_secret BLOB NOT NULL,
        PRIMARY KEY (issuer, endpoint_id, id)
    ) WITHOUT ROWID, STRICT""",
    """CREATE TABLE webhook_deliveries (
        issuer INTEGER NOT NULL,
        endpoint_id BLOB NOT NULL,
        event_id BLOB NOT NULL,          -- time-ordered
        type TEXT NOT NULL,
        body TEXT NOT NULL,              -- what is signed and sent, the same bytes at every attempt
        attempts INTEGER NOT NULL,
        due_ms INTEGER,                  -- when it is attempted next; NULL: it is done
        claim BLOB,                      -- of the attempt under way, which has until due_ms
        last_status INTEGER,
        last_error TEXT,
        delivered_at INTEGER,
        PRIMARY KEY (issuer, endpoint_id, event_id)
    ) WITHOUT ROWID, STRICT""",
    "CREATE INDEX webhook_deliveries_due ON webhook_deliveries (issuer, endpoint_id, due_ms) WHERE due_ms IS NOT NULL",
    "CREATE INDEX webhook_deliveries_claimed ON webhook_deliveries (issuer, endpoint_id) WHERE claim IS NOT NULL",
)


def upgrade() -> None:
    ddl.run(*STATEMENTS)
    ddl.servers_from("0001")

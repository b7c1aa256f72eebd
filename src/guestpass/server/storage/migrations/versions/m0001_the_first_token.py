"""The first token: projects, API keys, signing keys, sessions and how they end.

Tables that a mint writes are append-ordered: their key begins with the issuer and goes on with a
time-ordered id, so an insert stays at the right edge of the tree however large it grows (ADR 0003).
"""

from guestpass.server.storage.migrations import ddl

revision = "0001"
down_revision = None

TABLES = (
    # One value a name: the public URL, the sealed secrets of the store as a whole.
    """CREATE TABLE store_facts (
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL
    ) WITHOUT ROWID, STRICT""",
    """CREATE TABLE projects (
        number INTEGER PRIMARY KEY,  -- small and internal; an issuer's number is made from it
        id TEXT NOT NULL UNIQUE,     -- proj_…
        name TEXT NOT NULL UNIQUE,
        created_at INTEGER NOT NULL  -- Unix seconds, as every *_at that does not say _ms
    ) STRICT""",
    """CREATE TABLE api_keys (
        id BLOB PRIMARY KEY,
        issuer INTEGER NOT NULL,
        name TEXT NOT NULL,
        secret_hash BLOB NOT NULL UNIQUE,  -- SHA-256 of the whole secret
        can TEXT NOT NULL,                 -- names joined by spaces
        ceiling TEXT NOT NULL,             -- a scope: the most that its tokens may do
        created_at INTEGER NOT NULL,
        revoked_at INTEGER
    ) WITHOUT ROWID, STRICT""",
    """CREATE TABLE signing_keys (
        issuer INTEGER NOT NULL,
        kid TEXT NOT NULL,
        algorithm TEXT NOT NULL,
        public_jwk TEXT NOT NULL,
        sealed_private_jwk BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        PRIMARY KEY (issuer, kid)
    ) WITHOUT ROWID, STRICT""",
    # The row of a mint, final from the moment it is written: it is also the mint's audit event.
    """CREATE TABLE sessions (
        issuer INTEGER NOT NULL,
        id BLOB NOT NULL,
        api_key_id BLOB NOT NULL,
        customer_id BLOB NOT NULL,       -- derived from the user's id (ADR 0003)
        external_user_id TEXT NOT NULL,
        organization_key BLOB,           -- derived from the organization's id
        external_organization_id TEXT,
        scope TEXT NOT NULL,
        issued_at INTEGER NOT NULL,
        not_before INTEGER,
        expires_at INTEGER NOT NULL,
        max_uses INTEGER,
        format TEXT NOT NULL,            -- jwt, opaque
        status_list INTEGER NOT NULL,
        status_index INTEGER NOT NULL,
        PRIMARY KEY (issuer, id)
    ) WITHOUT ROWID, STRICT""",
    # An opaque token names a session and no issuer, so it is found by its session's id alone.
    """CREATE TABLE opaque_tokens (
        session_id BLOB PRIMARY KEY,
        issuer INTEGER NOT NULL,
        token_hash BLOB NOT NULL         -- SHA-256 of the whole token
    ) WITHOUT ROWID, STRICT""",
    """CREATE TABLE session_metadata (
        issuer INTEGER NOT NULL,
        id BLOB NOT NULL,
        metadata TEXT NOT NULL,          -- the JSON as it was sent
        PRIMARY KEY (issuer, id)
    ) WITHOUT ROWID, STRICT""",
    # Sorted runs: who owns which sessions. Each run covers a range of ids and is only ever appended or dropped.
    """CREATE TABLE session_runs (
        issuer INTEGER NOT NULL,
        last_id BLOB NOT NULL,
        PRIMARY KEY (issuer, last_id)
    ) WITHOUT ROWID, STRICT""",
    """CREATE TABLE session_owners (
        issuer INTEGER NOT NULL,
        run BLOB NOT NULL,               -- the run's last_id
        owner BLOB NOT NULL,             -- a customer_id or an organization_key
        id BLOB NOT NULL,
        PRIMARY KEY (issuer, run, owner, id)
    ) WITHOUT ROWID, STRICT""",
    """CREATE TABLE revocations (
        issuer INTEGER NOT NULL,
        id BLOB NOT NULL,                -- the session's
        revoked_at_ms INTEGER NOT NULL,
        revoked_by TEXT NOT NULL,
        reissue INTEGER NOT NULL,
        PRIMARY KEY (issuer, id)
    ) WITHOUT ROWID, STRICT""",
    """CREATE TABLE cuts (
        issuer INTEGER NOT NULL,
        kind TEXT NOT NULL,              -- all, user, organization, api_key
        subject BLOB NOT NULL,           -- empty for all
        before_ms INTEGER NOT NULL,
        revoked_at_ms INTEGER NOT NULL,
        revoked_by TEXT NOT NULL,
        reissue INTEGER NOT NULL,
        PRIMARY KEY (issuer, kind, subject, before_ms, revoked_at_ms, reissue)
    ) WITHOUT ROWID, STRICT""",
    # For the purge, which would else read every cut of an issuer while no mint can commit.
    "CREATE INDEX cuts_by_age ON cuts (issuer, before_ms)",
    # The highest before_ms of an issuer's cuts: most sessions are younger, and need no look at the cuts at all.
    """CREATE TABLE cut_horizons (
        issuer INTEGER PRIMARY KEY,
        before_ms INTEGER NOT NULL
    ) STRICT""",
    # Customers of whom more is known than their sessions say.
    """CREATE TABLE customers (
        issuer INTEGER NOT NULL,
        id BLOB NOT NULL,
        external_user_id TEXT NOT NULL,
        email TEXT,
        email_verified INTEGER NOT NULL,
        first_seen_at INTEGER NOT NULL,
        PRIMARY KEY (issuer, id)
    ) WITHOUT ROWID, STRICT""",
    # By derived id alone, so that a block outlives the customer's erasure.
    """CREATE TABLE customer_blocks (
        issuer INTEGER NOT NULL,
        customer_id BLOB NOT NULL,
        blocked_at INTEGER NOT NULL,
        blocked_by TEXT NOT NULL,
        PRIMARY KEY (issuer, customer_id)
    ) WITHOUT ROWID, STRICT""",
    # Leased whole by one server process, so that many mint without a shared counter.
    """CREATE TABLE status_lists (
        number INTEGER PRIMARY KEY,
        issuer INTEGER NOT NULL,
        leased_at INTEGER NOT NULL
    ) STRICT""",
)


def upgrade() -> None:
    ddl.run(*TABLES)

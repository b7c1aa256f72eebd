"""The audit log's chain: sealed batches, their leaves, and the keys that signed their heads."""

from guestpass.server.storage.migrations import ddl

revision = "0011"
down_revision = "0010"

BATCHES = """CREATE TABLE audit_batches (
    number INTEGER NOT NULL,
    first_leaf INTEGER NOT NULL,     -- its position in the whole log
    leaves INTEGER NOT NULL,
    sealed_at_ms INTEGER NOT NULL,   -- by the store's clock
    sealer BLOB NOT NULL,            -- the process that sealed it
    head TEXT NOT NULL,              -- compact JWS
    PRIMARY KEY (number)
) WITHOUT ROWID, STRICT"""
# A batch's leaves of one source: sessions of an issuer by its number, or the events of all, 0. Packed, in the order of
# their ids: 16 bytes of id, 32 of hash, 32 of salts each; salts of what was erased are zeros.
LEAVES = """CREATE TABLE audit_leaves (
    source INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    first_leaf INTEGER NOT NULL,
    first_id BLOB NOT NULL,
    last_id BLOB NOT NULL,
    ids BLOB NOT NULL,
    hashes BLOB NOT NULL,
    salts BLOB NOT NULL,
    PRIMARY KEY (source, first_leaf)
) STRICT"""
LEAVES_BY_ID = "CREATE INDEX audit_leaves_by_id ON audit_leaves (source, last_id)"
LEAVES_BY_POSITION = "CREATE INDEX audit_leaves_by_position ON audit_leaves (first_leaf)"
# Ids of a source whose milliseconds lie below its edge are all sealed, and looked at no more.
EDGES = """CREATE TABLE audit_edges (
    source INTEGER NOT NULL,
    edge_ms INTEGER NOT NULL,
    PRIMARY KEY (source)
) WITHOUT ROWID, STRICT"""
# Kept when the key itself is long gone: heads outlive those who signed them.
KEYS = """CREATE TABLE audit_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    public_jwk TEXT NOT NULL
) WITHOUT ROWID, STRICT"""
# What stands in for the salts and the values of a session whose person was forgotten.
ERASED = """CREATE TABLE audit_erased (
    issuer INTEGER NOT NULL,
    id BLOB NOT NULL,
    commitments TEXT NOT NULL,       -- JSON
    PRIMARY KEY (issuer, id)
) WITHOUT ROWID, STRICT"""


def upgrade() -> None:
    ddl.run(BATCHES, LEAVES, LEAVES_BY_ID, LEAVES_BY_POSITION, EDGES, KEYS, ERASED)
    ddl.servers_from("0001")

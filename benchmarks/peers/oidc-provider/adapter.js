// The storage contract of oidc-provider on one SQLite file: WAL, synchronous=FULL, an answer only after the fsync.
//
// As friendly to the peer as an adapter can be: prepared statements, one narrow table, no index but the key, no
// look-up by grant, and a write ahead log that is folded back as rarely as Guestpass folds its own.

import { DatabaseSync } from 'node:sqlite'

const WAL_CHECKPOINT_PAGES = 8_000
const GROUP_MAX = 512 // writes in one transaction

/** Open the file and return the `Adapter` class that oidc-provider asks for. */
export function sqliteAdapter(path, { commit }) {
  const database = open(path)
  const put = database.prepare(
    'INSERT INTO payloads (model, id, payload, expires_at) VALUES (?, ?, ?, ?)' +
      ' ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload, expires_at = excluded.expires_at',
  )
  const get = database.prepare('SELECT payload FROM payloads WHERE model = ? AND id = ?')
  const remove = database.prepare('DELETE FROM payloads WHERE model = ? AND id = ?')
  const write = commit === 'group' ? groupCommit(database) : async (statement, row) => void statement.run(...row)

  return class SqliteAdapter {
    constructor(model) {
      this.model = model
    }

    upsert(id, payload, expiresIn) {
      const expiresAt = expiresIn ? Math.floor(Date.now() / 1000) + expiresIn : null
      return write(put, [this.model, id, JSON.stringify(payload), expiresAt])
    }

    async find(id) {
      const row = get.get(this.model, id)
      return row && JSON.parse(row.payload)
    }

    destroy(id) {
      return write(remove, [this.model, id])
    }

    async consume() {
      throw new Error('the benchmark grants nothing that is consumed')
    }

    async revokeByGrantId() {
      throw new Error('the benchmark grants nothing that has a grant')
    }
  }
}

function open(path) {
  const database = new DatabaseSync(path)
  database.exec('PRAGMA journal_mode = WAL')
  database.exec('PRAGMA synchronous = FULL')
  database.exec(`PRAGMA wal_autocheckpoint = ${WAL_CHECKPOINT_PAGES}`)
  database.exec(
    'CREATE TABLE IF NOT EXISTS payloads' +
      ' (model TEXT NOT NULL, id TEXT NOT NULL, payload TEXT NOT NULL, expires_at INTEGER,' +
      ' PRIMARY KEY (model, id)) WITHOUT ROWID',
  )
  return database
}

/** What no published adapter does and Guestpass does: writes of one turn of the event loop share an fsync. */
function groupCommit(database) {
  let waiting = []

  function flush() {
    const group = waiting.splice(0, GROUP_MAX)
    if (waiting.length > 0) setImmediate(flush)
    try {
      database.exec('BEGIN IMMEDIATE')
      for (const { statement, row } of group) statement.run(...row)
      database.exec('COMMIT')
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK')
      for (const { reject } of group) reject(error)
      return
    }
    for (const { resolve } of group) resolve()
  }

  return (statement, row) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ statement, row, resolve, reject }) === 1) setImmediate(flush)
    })
}

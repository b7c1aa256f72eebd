// node server.js --port PORT --db FILE [--tokens opaque|jwt] [--commit each|group]
//
// The client secret comes in CLIENT_SECRET. Listens on 127.0.0.1 and ends on SIGTERM.

import { parseArgs } from 'node:util'
import Provider from 'oidc-provider'
import { sqliteAdapter } from './adapter.js'
import { configuration } from './configuration.js'

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    db: { type: 'string' },
    tokens: { type: 'string', default: 'opaque' },
    commit: { type: 'string', default: 'each' },
  },
})
const clientSecret = process.env.CLIENT_SECRET
const wellFormed = ['opaque', 'jwt'].includes(values.tokens) && ['each', 'group'].includes(values.commit)
if (!values.port || !values.db || !clientSecret || !wellFormed) {
  console.error('usage: CLIENT_SECRET=… node server.js --port PORT --db FILE [--tokens opaque|jwt] [--commit each|group]')
  process.exit(2)
}

const provider = new Provider(
  `http://127.0.0.1:${values.port}`,
  configuration({ adapter: sqliteAdapter(values.db, values), tokens: values.tokens, clientSecret }),
)
provider.on('server_error', (_ctx, error) => console.error(error))

const server = provider.listen(Number(values.port), '127.0.0.1')
process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeAllConnections()
})

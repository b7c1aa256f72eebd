import type { IncomingMessage, ServerResponse } from 'node:http'
import { requireSession, sessionOf } from '@guestpass/node'
import { verifier } from '../../lib/guestpass.js'

export default requireSession(
  verifier,
  { operation: 'read_invoices' },
  (req: IncomingMessage, res: ServerResponse) => {
    res.setHeader('Content-Type', 'application/json')
    res.end(JSON.stringify({ invoicesOf: sessionOf(req).userId }))
  },
)

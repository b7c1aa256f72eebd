import { requireSession, sessionOf } from '@guestpass/node'
import { verifier } from '../../../lib/guestpass.js'

export const GET = requireSession(verifier, { operation: 'read_invoices' }, async (request: Request) => {
  return Response.json({ invoicesOf: sessionOf(request).userId })
})

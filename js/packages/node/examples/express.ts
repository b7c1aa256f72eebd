import { Guestpass, requireSession, sessionOf, sessionRoute, Verifier } from '@guestpass/node'
import express, { type Request } from 'express'
import { signedInUser } from './auth.js' // your own login

const gp = new Guestpass()
const verifier = new Verifier()
export const app = express()

// The browser fetches its token here.
app.get(
  '/api/session',
  sessionRoute(gp, async (req: Request) => {
    const user = await signedInUser(req.headers.cookie)
    return user && { externalUserId: user.id, email: user.email, emailVerified: true }
  }),
)

// Your API: only with a token that allows the operation.
app.get('/api/invoices', requireSession(verifier, { operation: 'read_invoices' }), (req, res) => {
  res.json({ invoicesOf: sessionOf(req).userId })
})

import { Guestpass, requireSession, sessionOf, sessionRoute, Verifier } from '@guestpass/node'
import { type Context, Hono } from 'hono'
import { signedInUser } from './auth.js' // your own login

const gp = new Guestpass()
const verifier = new Verifier()
export const app = new Hono()

// The browser fetches its token here.
app.get(
  '/api/session',
  sessionRoute(gp, async (c: Context) => {
    const user = await signedInUser(c.req.header('cookie'))
    return user && { externalUserId: user.id, email: user.email, emailVerified: true }
  }),
)

// Your API: only with a token that allows the operation.
app.get('/api/invoices', requireSession(verifier, { operation: 'read_invoices' }), (c) => {
  return c.json({ invoicesOf: sessionOf(c).userId })
})

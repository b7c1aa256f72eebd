import { Guestpass, sessionRoutes } from '@guestpass/node'
import { type Context, Hono } from 'hono'
import { signedInUser } from './auth.js' // your own login

const gp = new Guestpass() // its key can mint and revoke
const { session, refresh, end } = sessionRoutes(gp, async (c: Context) => {
  const user = await signedInUser(c.req.header('cookie'))
  return user && { externalUserId: user.id, email: user.email, emailVerified: true }
})

export const app = new Hono()
app.get('/session', session)
app.post('/session/refresh', refresh)
app.post('/session/end', end)

import { Guestpass, sessionRoutes } from '@guestpass/node'
import express, { type Request } from 'express'
import { signedInUser } from './auth.js' // your own login

const gp = new Guestpass() // its key can mint and revoke
const { session, refresh, end } = sessionRoutes(gp, async (req: Request) => {
  const user = await signedInUser(req.headers.cookie)
  return user && { externalUserId: user.id, email: user.email, emailVerified: true }
})

export const app = express()
app.set('trust proxy', 'loopback') // if a proxy ends TLS: say which, so that the cookie gets its name
app.get('/session', session)
app.post('/session/refresh', refresh)
app.post('/session/end', end)

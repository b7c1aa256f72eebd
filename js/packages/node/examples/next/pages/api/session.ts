import type { IncomingMessage } from 'node:http'
import { sessionRoute } from '@guestpass/node'
import { signedInUser } from '../../../auth.js' // your own login
import { gp } from '../../lib/guestpass.js'

export default sessionRoute(gp, async (req: IncomingMessage) => {
  const user = await signedInUser(req.headers.cookie)
  return user && { externalUserId: user.id, email: user.email, emailVerified: true }
})

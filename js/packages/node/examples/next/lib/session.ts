import { sessionRoutes } from '@guestpass/node'
import { signedInUser } from '../../auth.js' // your own login
import { gp } from './guestpass.js'

export const { session, refresh, end } = sessionRoutes(gp, async (request: Request) => {
  const user = await signedInUser(request.headers.get('cookie'))
  return user && { externalUserId: user.id, email: user.email, emailVerified: true }
})

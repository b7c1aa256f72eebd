import { sessionRoute } from '@guestpass/node'
import { signedInUser } from '../../../../auth.js' // your own login
import { gp } from '../../../lib/guestpass.js'

export const GET = sessionRoute(gp, async (request: Request) => {
  const user = await signedInUser(request.headers.get('cookie'))
  return user && { externalUserId: user.id, email: user.email, emailVerified: true }
})

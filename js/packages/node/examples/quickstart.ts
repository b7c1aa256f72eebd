import { Guestpass } from '@guestpass/node'

const gp = new Guestpass()
export const minted = await gp.createSessionToken({ externalUserId: 'user_42', expiresIn: 600 })

export const before = await gp.tokens.verify({ token: minted.sessionToken })
await gp.revokeSessionToken(minted.id)
export const after = await gp.tokens.verify({ token: minted.sessionToken })
// before.valid is true, after.valid is false

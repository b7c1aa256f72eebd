import { Guestpass } from '@guestpass/node'

const gp = new Guestpass({ signingKeyId: process.env.GUESTPASS_KEY_ID })
export const minted = await gp.createSessionToken({ externalUserId: 'user_42' })

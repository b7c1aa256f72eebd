import { Guestpass, Verifier } from '@guestpass/node'

export const gp = new Guestpass()
export const verifier = new Verifier()

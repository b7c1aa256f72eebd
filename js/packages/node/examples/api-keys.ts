import { Guestpass } from '@guestpass/node'

const gp = new Guestpass()

// A key for one backend, with no more than it needs. Its secret is answered this once.
const { id } = await gp.apiKeys.create({
  name: 'billing',
  can: ['mint'],
  operations: ['read_invoices'],
  ipRanges: ['192.0.2.0/24'],
})

// A new secret; the old one works for an hour more.
export const { secret } = await gp.apiKeys.rotate(id, { overlapSeconds: 3600 })

// From anywhere, from now on.
export const edited = await gp.apiKeys.edit(id, { ipRanges: null })

// Ended, and with it every session that it minted.
export const { revokedAt } = await gp.apiKeys.revoke(id)

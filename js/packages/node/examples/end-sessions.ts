import { Guestpass } from '@guestpass/node'

const gp = new Guestpass()

// A stolen laptop: end every session of one user, and open no new one until unblocked.
const { customerId } = await gp.users.revoke({ externalUserId: 'user_42', block: true })
await gp.customers.unblock(customerId)

// New rights for a whole organization: end its sessions, and let browsers fetch new tokens at once.
export const ended = await gp.sessions.revoke({ externalOrganizationId: 'org_7', reissue: true })

// What is there, page by page as you go.
export const active: string[] = []
for await (const session of gp.sessions.list({ externalUserId: 'user_42', status: 'active' })) {
  active.push(session.id)
}

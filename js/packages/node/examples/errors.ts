import { Guestpass, GuestpassError } from '@guestpass/node'

const gp = new Guestpass()

export async function tokenFor(userId: string): Promise<string> {
  try {
    return (await gp.createSessionToken({ externalUserId: userId })).sessionToken
  } catch (error) {
    if (error instanceof GuestpassError && error.code === 'CUSTOMER_BLOCKED') {
      return 'blocked'
    }
    throw error // code, status, requestId and, where they apply, details and retryAfterSeconds
  }
}

import { type Session, TokenError, Verifier } from '@guestpass/node'

const verifier = new Verifier()

export async function sessionFor(token: string): Promise<Session | string> {
  try {
    const session = await verifier.verify(token, { maxAgeSeconds: 300 })
    session.require('pay_invoices')
    return session
  } catch (error) {
    if (error instanceof TokenError) return error.code // TOKEN_EXPIRED, TOKEN_TOO_OLD, …
    throw error // OperationNotAllowed (403), ServiceError (503)
  }
}

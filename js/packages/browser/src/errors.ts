/*
 * SessionError: one class, one stable `code` per cause.
 *   SIGNED_OUT                    nobody is signed in, or the session has ended
 *   CUSTOMER_BLOCKED              the host's endpoint answered 403
 *   USER_CHANGED                  `userId` changed while the caller was waiting
 *   RATE_LIMITED                  429; wait `retryAfterSeconds`
 *   UNAVAILABLE                   offline, timed out, or the endpoint answered neither a token nor a refusal
 *   TOKEN_EXPIRED                 the token is over, or nothing says how long it lives
 *   TOKEN_MALFORMED               not a session token
 *   TOKEN_ENVIRONMENT_MISMATCH    `apiUrls` names no API for the token's environment
 *   SECRET_KEY_REFUSED            an `sk_…` key or a refresh token reached the browser
 *   VALIDATION_ERROR              an option is missing or contradicts another
 */

import type { SignedOutReason } from './state.js'

/** Why a call failed. A code never changes its meaning; new ones may be added. */
export type SessionErrorCode =
  | 'SIGNED_OUT'
  | 'CUSTOMER_BLOCKED'
  | 'USER_CHANGED'
  | 'RATE_LIMITED'
  | 'UNAVAILABLE'
  | 'TOKEN_EXPIRED'
  | 'TOKEN_MALFORMED'
  | 'TOKEN_ENVIRONMENT_MISMATCH'
  | 'SECRET_KEY_REFUSED'
  | 'VALIDATION_ERROR'

/** The only error that this package throws on purpose. Its message never contains a token. */
export class SessionError extends Error {
  /** Stable; switch on this, never on the message. */
  declare readonly code: SessionErrorCode
  /** HTTP status of the host's endpoint, when it answered. */
  declare readonly status: number | undefined
  /** Whole seconds that the host's endpoint asked to wait; 0 when it did not. */
  declare readonly retryAfterSeconds: number
  /** With `SIGNED_OUT`: why there is no session, where the answer alone tells; the state always does. */
  declare readonly reason: SignedOutReason | undefined

  constructor(
    code: SessionErrorCode,
    message: string,
    status?: number,
    retryAfterSeconds = 0,
    reason?: SignedOutReason,
  ) {
    super(message)
    Object.assign(this, { name: 'SessionError', code, status, retryAfterSeconds, reason })
  }
}

/** What callers are told after the session has ended. */
export function signedOut(reason: SignedOutReason): SessionError {
  return new SessionError('SIGNED_OUT', `Signed out: ${reason}.`, undefined, 0, reason)
}

import type { SessionError } from './errors.js'

/** A session token and how long it is good for. */
export interface Session {
  readonly sessionToken: string
  /** Seconds the token lived when it was handed to us. */
  readonly lifeSeconds: number
  /** Its end in ms since 1970 **by this machine's clock**, right or wrong: for a countdown, not for a server. */
  readonly localExpiresAt: number
  /**
   * An API has answered this token with `SESSION_SUSPENDED`: only what the project lets suspended sessions do goes
   * on, until the user signs in again. A renewed token does not bear the mark until an API says so again.
   */
  readonly suspended?: boolean
}

/**
 * Why there is no session: `none` the host says nobody is signed in (401, or `userId` is null); `blocked` it answered
 * 403; `revoked` an API answered `TOKEN_REVOKED` without inviting a retry; `otherUser` a renewed token was somebody
 * else's; `ended` by `end()` here or in another tab; `expired` in manual mode, with nobody to ask.
 *
 * A renewable session (`@guestpass/browser/refresh`) ends as its refresh token did: `expired`, `revoked`, `reused`
 * (an old one was used again, so it may be stolen), `invalid` (no server knows it); or `suspended`, when the host's
 * route says so.
 */
export type SignedOutReason =
  | 'none'
  | 'blocked'
  | 'revoked'
  | 'otherUser'
  | 'ended'
  | 'expired'
  | 'reused'
  | 'invalid'
  | 'suspended'

/**
 * What a page can show. `restoring`: no living token yet, one is being fetched (`error` tells of a failed try; it is
 * tried again). `offline`: the last renewal failed, the token still lives. Only `signedOut` is final until the
 * user signs in again.
 */
export type SessionState =
  | { readonly status: 'restoring'; readonly error?: SessionError }
  | { readonly status: 'active' | 'refreshing'; readonly session: Session }
  | { readonly status: 'offline'; readonly session: Session; readonly error: SessionError }
  | { readonly status: 'signedOut'; readonly reason: SignedOutReason }

/** What happens to a session; also what `on` tells of. */
export type SessionEvent =
  | { readonly type: 'issued'; readonly session: Session }
  | { readonly type: 'refreshDue' }
  | { readonly type: 'refreshFailed'; readonly error: SessionError }
  | { readonly type: 'ended'; readonly reason: SignedOutReason }

/** The state before anything happened, and on a server. */
export const RESTORING: SessionState = { status: 'restoring' }

/**
 * The only place a session changes state. No timer, no fetch, no storage.
 *
 * @param alive - Whether the token held at this moment may still be used.
 */
export function next(state: SessionState, event: SessionEvent, alive: boolean): SessionState {
  const session = 'session' in state ? state.session : undefined
  switch (event.type) {
    case 'issued':
      return { status: 'active', session: event.session }
    case 'refreshDue':
      return session && alive ? { status: 'refreshing', session } : RESTORING
    case 'refreshFailed':
      if (state.status === 'signedOut') return state
      return session && alive
        ? { status: 'offline', session, error: event.error }
        : { status: 'restoring', error: event.error }
    case 'ended':
      if (state.status === 'signedOut') return state // the first reason is the true one
      return { status: 'signedOut', reason: event.reason }
  }
}

import { SessionError } from './errors.js'
import type { Session } from './state.js'

/** What the host's endpoint answers. `sessionToken` with one other field is enough; a JWT needs none. */
export interface SessionTokenAnswer {
  readonly sessionToken: string
  /** Seconds the token still lives. Preferred: it needs no clock of ours to be right. */
  readonly expiresIn?: number | undefined
  /** RFC 3339 text or a `Date`. Used when neither `expiresIn` nor the token itself tells its life. */
  readonly expiresAt?: string | Date | undefined
}

/** Sandbox or production. */
export type Environment = 'test' | 'live'

/** Claims of a token, read **without verifying** anything: for display, never for a decision. */
export interface TokenClaims {
  readonly sub?: string
  readonly sid?: string
  /** Unix seconds. */
  readonly iat?: number
  /** Unix seconds; the token is over from this second on. */
  readonly exp?: number
  readonly environment?: string
  /** Operations separated by spaces; `*` is unrestricted; absent or empty is none. */
  readonly scope?: string
  readonly organization_id?: string
  readonly [claim: string]: unknown
}

/**
 * Read the claims of a session token (a JWT, with or without the `gp_session_…_` prefix).
 *
 * The signature is **not** checked.
 * @throws SessionError `TOKEN_MALFORMED` for an opaque token or anything else that is no JWT.
 */
export function decodeToken(token: string): TokenClaims {
  try {
    // The prefix holds no dot, so the claims are the middle part with or without it.
    const binary = atob(token.split('.')[1]?.replace(/-/g, '+').replace(/_/g, '/') ?? '!')
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0))
    const claims = JSON.parse(new TextDecoder().decode(bytes))
    if (Object(claims) === claims) return claims
  } catch {}
  throw new SessionError('TOKEN_MALFORMED', 'Not a JWT.')
}

/** Claims where there are any; an opaque token has none to read. */
export function claimsOf(token: string): TokenClaims {
  try {
    return decodeToken(token)
  } catch {
    return {}
  }
}

/**
 * Seconds until a session or token is over, with fraction; 0 when it is, or does not say when.
 *
 * A {@link Session} counts on this machine's own clock, so it is right even when that clock is wrong. A bare token
 * is compared with `now` and is as right as that.
 * @param now - Milliseconds since 1970, by default this machine's clock.
 * @throws SessionError `TOKEN_MALFORMED` for an opaque token.
 */
export function secondsLeft(of: string | Session, now: number = Date.now()): number {
  const end = typeof of === 'string' ? Number(decodeToken(of).exp) : of.localExpiresAt / 1000
  return Math.max(0, end - now / 1000) || 0
}

/** Whether a session or token is over; see {@link secondsLeft} for which clock decides. */
export function isExpired(of: string | Session, now?: number): boolean {
  return !secondsLeft(of, now)
}

/** Refuse what must not be in a browser, and what cannot be sent as a header. */
export function checkToken(token: unknown): void {
  if (typeof token !== 'string' || !/^[!-~]+$/.test(token)) {
    throw new SessionError('TOKEN_MALFORMED', 'The answer has no sessionToken.')
  }
  if (/^sk_|_refresh_(test|live)_/.test(token)) {
    throw new SessionError('SECRET_KEY_REFUSED', 'A secret must never reach a browser.')
  }
}

/**
 * Seconds an answer's token lives: `expiresIn`, else what the JWT says, else `expiresAt` against the answer's own
 * `Date` (`answeredAt`, ms), so that this machine's clock decides only when nothing better is there. NaN: unknown.
 */
export function lifeSecondsOf(
  { sessionToken, expiresIn, expiresAt }: SessionTokenAnswer,
  answeredAt: number,
): number {
  const { exp, iat } = claimsOf(sessionToken)
  return expiresIn ?? (Number(exp) - Number(iat) || (Number(new Date(expiresAt ?? '')) - answeredAt) / 1000)
}

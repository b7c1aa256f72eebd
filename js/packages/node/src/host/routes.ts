import type { Auth } from '../client/auth.js'
import type { AccessToken, Environment, LoginParams, TokenPair } from '../client/model.js'
import { type AnyErrorCode, CallerError, GuestpassError, RefreshTokenError, ServiceError } from '../errors.js'
import { type Answer, refusal, retryAfter } from '../http/answer.js'
import { type CookieName, cookieName, type Kept, readCookies, sessionIdOf, setCookie } from './cookies.js'
import { type Facts, isOwnPage } from './facts.js'
import type { HostProofs } from './proofs.js'

/** Asks the host who is signed in. */
export type Ask = () => Promise<LoginParams | null>

/** What a host route needs of its host. */
export interface Host {
  readonly auth: Pick<Auth, 'login' | 'refresh' | 'accessToken' | 'logout'>
  readonly environment: Environment
  readonly proofs: HostProofs
}

/** One route: answers a request, or throws what broke. */
export type HostRoute = (host: Host, facts: Facts, ask: Ask) => Promise<Answer>

/** One of these routes itself says no; what the service says travels as its own errors. */
class Refused extends Error {
  constructor(
    readonly code: AnyErrorCode,
    readonly status: number,
    message?: string,
  ) {
    super(message)
  }
}

/** What the service says of a session that has ended, or that it does not know (any more). */
const OVER: ReadonlySet<string> = new Set(['TOKEN_REVOKED', 'TOKEN_EXPIRED', 'NOT_FOUND'])

/** `GET /session`: an access token. Nothing is rotated; who is signed in and has no living session is logged in. */
export const getSession: HostRoute = async (host, facts, ask) => {
  check(facts, 'GET')
  const user = await signedIn(ask)
  const { name, sent } = cookiesOf(host, facts)
  const own = sent.find((kept) => host.proofs.isOwner(kept.proof, kept.sessionId, user))
  const living = own && (await accessTokenOf(host, own.sessionId))
  if (living?.suspended) throw new Refused('SESSION_SUSPENDED', 401) // until the host itself calls login
  if (own && living) return answerOf(host, facts, own.sessionId, living)
  if (!own && sent[0]) await ended(host, sent[0])
  return keeping(host, facts, name, user, await host.auth.login(user))
}

/** `POST /session/refresh`: rotates the refresh token in the cookie. */
export const refreshSession: HostRoute = async (host, facts, ask) => {
  check(facts, 'POST')
  const user = await signedIn(ask)
  const { name, sent } = cookiesOf(host, facts)
  if (sent.length === 0) throw new Refused('REFRESH_TOKEN_INVALID', 401, 'There is no session in the cookie.')
  const own = fitting(host, facts, sent)
  if (!host.proofs.isOwner(own.proof, own.sessionId, user))
    throw new Refused('UNAUTHORIZED', 401, 'The session in the cookie is not that of who is signed in.')
  try {
    return keeping(host, facts, name, user, await host.auth.refresh({ refreshToken: own.refreshToken }))
  } catch (error) {
    if (!(error instanceof RefreshTokenError)) throw error
    return { ...refused(error, facts), setCookie: setCookie(name, '', 0) }
  }
}

/** `POST /session/end`: ends the session in the cookie. Asks for no user: the host's own sign-out may come first. */
export const endSession: HostRoute = async (host, facts) => {
  check(facts, 'POST')
  const { name, sent } = cookiesOf(host, facts)
  if (sent.length === 0) return ok(facts, { tokensRevoked: 0 })
  const tokensRevoked = await ended(host, fitting(host, facts, sent))
  return { ...ok(facts, { tokensRevoked }), setCookie: setCookie(name, '', 0) }
}

/**
 * What a route answers where it threw. What says something of the user or of the moment is passed on; all else is the
 * host's to mend: a 401 for a wrong API key would sign its user out.
 */
export function answerFor(error: unknown, facts: Facts): Answer {
  if (isRefusal(error)) return refused(error, facts)
  if (error instanceof CallerError && error.code === 'CUSTOMER_BLOCKED')
    return refusal(error.code, 403, facts.requestId, 'This account may not open a session.')
  if (error instanceof ServiceError) {
    const limited = error.code === 'RATE_LIMITED'
    const answer = refusal(limited ? 'RATE_LIMITED' : 'UNAVAILABLE', limited ? 429 : 503, facts.requestId)
    return { ...answer, headers: { ...answer.headers, ...retryAfter(error) } }
  }
  return refusal('INTERNAL_ERROR', 500, facts.requestId, 'Something broke; the log of this site has it.')
}

/** Whether it is an answer of every day about the user, and nothing that the host has to hear of. */
export function isEveryday(error: unknown): boolean {
  return isRefusal(error) || (error instanceof CallerError && error.code === 'CUSTOMER_BLOCKED')
}

function isRefusal(error: unknown): error is Refused | GuestpassError {
  if (error instanceof Refused || error instanceof RefreshTokenError) return true
  return error instanceof GuestpassError && error.code === 'SESSION_SUSPENDED'
}

function refused({ code, status, message }: Refused | GuestpassError, { requestId, method }: Facts): Answer {
  const answer = refusal(code, status, requestId, message || undefined)
  const more: Record<string, string> = status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}
  if (status === 405) more.Allow = method
  return { ...answer, headers: { ...answer.headers, ...more } }
}

function ok({ requestId }: Facts, body: Answer['body']): Answer {
  return { status: 200, body, headers: { 'Cache-Control': 'no-store', 'X-Request-Id': requestId } }
}

function check(facts: Facts, method: 'GET' | 'POST'): void {
  if (facts.method !== method) throw new Refused('METHOD_NOT_ALLOWED', 405)
  if (!isOwnPage(facts) || (method === 'POST' && !facts.csrf)) throw new Refused('CSRF_FAILED', 403)
}

async function signedIn(ask: Ask): Promise<LoginParams> {
  const user = await ask()
  if (user === null) throw new Refused('UNAUTHORIZED', 401, 'Nobody is signed in.')
  return user
}

function cookiesOf({ environment }: Host, facts: Facts): { name: CookieName; sent: readonly Kept[] } {
  const name = cookieName(environment, facts.scheme, facts.host)
  return { name, sent: readCookies(facts.cookie, name.name, environment) }
}

/** The cookie that the page's CSRF token belongs to. */
function fitting({ proofs }: Host, { csrf = '' }: Facts, sent: readonly Kept[]): Kept {
  const own = sent.find(({ sessionId }) => proofs.isCsrfToken(csrf, sessionId))
  if (!own) throw new Refused('CSRF_FAILED', 403)
  return own
}

/** Undefined where the session is over: the host knows its user, so that is no reason to sign anybody out. */
async function accessTokenOf({ auth }: Host, sessionId: string): Promise<AccessToken | undefined> {
  try {
    return await auth.accessToken({ sessionId })
  } catch (error) {
    if (error instanceof RefreshTokenError) return undefined
    if (error instanceof GuestpassError && OVER.has(error.code)) return undefined
    throw error
  }
}

/** Ends a session by its refresh token, which the service believes or not; how many have ended. */
async function ended({ auth }: Host, { refreshToken }: Kept): Promise<number | null> {
  try {
    return (await auth.logout({ refreshToken })).tokensRevoked
  } catch (error) {
    if (error instanceof RefreshTokenError) return 0 // over already, or never a session
    throw error
  }
}

/** The access token to the page, the refresh token to the cookie. */
function keeping(host: Host, facts: Facts, name: CookieName, owner: LoginParams, pair: TokenPair): Answer {
  const sessionId = sessionIdOf(pair.refreshToken)
  if (sessionId === undefined)
    throw new TypeError('The service answered a refresh token of a shape that this version does not know.')
  const value = `${pair.refreshToken}.${host.proofs.ofOwner(sessionId, owner)}`
  return {
    ...answerOf(host, facts, sessionId, pair),
    setCookie: setCookie(name, value, secondsLeft(pair)),
  }
}

function answerOf({ proofs }: Host, facts: Facts, sessionId: string, token: AccessToken): Answer {
  return ok(facts, {
    sessionToken: token.accessToken,
    expiresAt: token.accessTokenExpiresAt.toISOString(),
    expiresIn: token.accessTokenExpiresIn,
    csrfToken: proofs.csrfToken(sessionId),
  })
}

/** Counted from the service's own clock, which its answer shows: the host's may be wrong. */
function secondsLeft(pair: TokenPair): number {
  const now = pair.accessTokenExpiresAt.getTime() / 1000 - pair.accessTokenExpiresIn
  return Math.max(1, Math.floor(pair.refreshTokenExpiresAt.getTime() / 1000 - now))
}

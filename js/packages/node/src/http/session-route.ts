import type { Guestpass } from '../client/guestpass.js'
import type { CreateSessionTokenParams } from '../client/model.js'
import { CallerError, ServiceError } from '../errors.js'
import { type Answer, refusal, requestIdOf, retryAfter } from './answer.js'
import {
  answerTo,
  type HonoContext,
  headerOf,
  incomingOf,
  methodOf,
  type NodeRequest,
  type NodeResponse,
} from './frameworks.js'

/** Who is signed in: what to mint for them. */
export type SessionUser = CreateSessionTokenParams

/** A route for any of the three styles; each framework calls it the way it calls its own. */
export interface SessionRoute {
  /** Express, Next.js pages router. */
  (req: NodeRequest, res: NodeResponse, next?: unknown): Promise<void>
  /** Hono. */
  (context: HonoContext, next?: unknown): Promise<Response>
  /** Next.js app router. */
  (request: Request, context?: unknown): Promise<Response>
}

export interface SessionRouteOptions {
  /**
   * Hears what broke: `getUser` threw, or the mint failed for a reason that is the host's (a wrong secret
   * key, a field that breaks a rule). The browser is told nothing of it. By default it goes to `console.error`.
   */
  onError?: ((error: unknown) => void) | undefined
}

// Typed as a record, so that a field added to the mint cannot be forgotten here.
const FIELDS: Readonly<Record<keyof SessionUser, true>> = {
  externalUserId: true,
  email: true,
  emailVerified: true,
  externalOrganizationId: true,
  expiresIn: true,
  notBefore: true,
  allowedOperations: true,
  metadata: true,
  format: true,
  maxUses: true,
}
/** What an answer to a page depends on. */
export const VARY = 'Cookie, Authorization'

/**
 * The endpoint that a browser fetches its session token from: authenticates with your `getUser`, mints, and
 * answers `{"sessionToken","expiresAt","expiresIn"}`.
 *
 * | | answer |
 * |---|---|
 * | `getUser` returns null | 401 `UNAUTHORIZED` |
 * | the customer is blocked | 403 `CUSTOMER_BLOCKED` |
 * | the service limits, or cannot be reached | 429 or 503 with `Retry-After`: browsers keep their session |
 * | `getUser` throws, or the mint fails otherwise | 500 `INTERNAL_ERROR`, no details |
 *
 * GET and POST only: a HEAD would mint for nobody.
 *
 * @param getUser - Gets what your framework hands to a route (Express `req`, `Request`, Hono's context) and
 * returns what to mint, or null for a signed-out visitor. Annotate its parameter to have it checked.
 */
// biome-ignore lint/suspicious/noExplicitAny: without an annotation, `req` is whatever the framework hands over
export function sessionRoute<Req = any>(
  gp: Guestpass,
  getUser: (req: Req) => SessionUser | null | undefined | Promise<SessionUser | null | undefined>,
  options: SessionRouteOptions = {},
): SessionRoute {
  const route = async (...args: unknown[]): Promise<Response | undefined> => {
    const incoming = incomingOf(args)
    const requestId = requestIdOf(headerOf(incoming, 'X-Request-Id'))
    const ask = async (): Promise<SessionUser | null | undefined> => getUser(incoming.request as Req)
    const answer = await answerFor(gp, methodOf(incoming), requestId, ask, options.onError ?? logError)
    return answerTo(incoming, { ...answer, vary: VARY, expose: 'Retry-After, X-Request-Id' })
  }
  return route as SessionRoute
}

async function answerFor(
  gp: Guestpass,
  method: string,
  requestId: string,
  ask: () => Promise<SessionUser | null | undefined>,
  onError: (error: unknown) => void,
): Promise<Answer> {
  if (method !== 'GET' && method !== 'POST') {
    const answer = refusal('METHOD_NOT_ALLOWED', 405, requestId)
    return { ...answer, headers: { ...answer.headers, Allow: 'GET, POST' } }
  }
  try {
    const user = await ask()
    if (!user) return signedOut(requestId)
    const { sessionToken, expiresAt, expiresIn } = await gp.createSessionToken(checked(user))
    const headers = { 'Cache-Control': 'no-store', 'X-Request-Id': requestId }
    return { status: 200, body: { sessionToken, expiresAt: expiresAt.toISOString(), expiresIn }, headers }
  } catch (error) {
    if (isForTheFramework(error)) throw error
    onError(error)
    return failed(error, requestId)
  }
}

function signedOut(requestId: string): Answer {
  const answer = refusal('UNAUTHORIZED', 401, requestId, 'Nobody is signed in.')
  return { ...answer, headers: { ...answer.headers, 'WWW-Authenticate': 'Bearer' } }
}

/** Only what says something about the user or the moment reaches the browser; a 401 there would sign the user out. */
function failed(error: unknown, requestId: string): Answer {
  if (error instanceof CallerError && error.code === 'CUSTOMER_BLOCKED') {
    return refusal('CUSTOMER_BLOCKED', 403, requestId, 'This account may not open a session.')
  }
  if (error instanceof ServiceError && (error.status === 429 || error.status === 503)) {
    const code = error.status === 429 ? 'RATE_LIMITED' : 'UNAVAILABLE'
    const answer = refusal(code, error.status, requestId)
    return { ...answer, headers: { ...answer.headers, ...retryAfter(error) } }
  }
  return refusal('INTERNAL_ERROR', 500, requestId, 'Something broke; the log of this site has it.')
}

function checked(user: SessionUser): SessionUser {
  checkFields(user, FIELDS)
  return user
}

/** A whole user record would hand its every field to the service, and a misspelt limit would be no limit. */
export function checkFields<T extends object>(user: T, fields: Readonly<Record<keyof T, true>>): void {
  for (const name of Object.keys(user)) {
    if (Object.hasOwn(fields, name)) continue
    throw new TypeError(
      `getUser returned an unknown field "${name}"; return null or { ${Object.keys(fields).join(', ')} }`,
    )
  }
}

/** Next.js steers by throwing errors with a `digest` (redirects, "this page is dynamic"); swallowed, its build breaks. */
export function isForTheFramework(error: unknown): boolean {
  const digest = (error as { digest?: unknown } | null | undefined)?.digest
  return typeof digest === 'string' && /^(?:NEXT_|DYNAMIC_SERVER_USAGE|HANGING_PROMISE|BAILOUT_)/.test(digest)
}

function logError(error: unknown): void {
  // biome-ignore lint/suspicious/noConsole: an error that nobody hears is worse; onError replaces it
  console.error('Guestpass sessionRoute:', error)
}

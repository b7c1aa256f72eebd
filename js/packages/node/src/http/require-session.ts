import {
  asksForANewToken,
  type GuestpassError,
  OperationNotAllowed,
  ServiceError,
  TokenError,
} from '../errors.js'
import type { Session } from '../verify/session.js'
import { checkMaxAge, type Verifier } from '../verify/verifier.js'
import { type Answer, refusal, requestIdOf, retryAfter } from './answer.js'
import {
  answerTo,
  type HonoContext,
  headerOf,
  type Incoming,
  incomingOf,
  type NodeRequest,
  type NodeResponse,
} from './frameworks.js'

export interface RequireSessionOptions {
  /** The operation that the token must allow; else 403 `OPERATION_NOT_ALLOWED`. */
  operation?: string | undefined
  /** Refuse a good token that was issued longer ago, with `TOKEN_TOO_OLD`. */
  maxAgeSeconds?: number | undefined
  /** Hears every refusal: write it to your log. It never holds anything of the token. */
  onRefusal?: ((refusal: Refusal) => void) | undefined
}

/** One refusal, for one log line. */
export interface Refusal {
  readonly code: string
  readonly status: number
  /** Where the token was good, and only the operation was not in it. */
  readonly sessionId: string | undefined
  /** As answered in `X-Request-Id`. */
  readonly requestId: string
  readonly error: unknown
}

/** Middleware for Express and Hono. */
export interface SessionMiddleware {
  (req: NodeRequest, res: NodeResponse, next: (error?: unknown) => void): Promise<void>
  (context: HonoContext, next: () => Promise<void>): Promise<Response | undefined>
}

const SESSION = Symbol.for('@guestpass/node session')
const EXPOSED = 'Guestpass-Retry, Retry-After, WWW-Authenticate, X-Request-Id'
const BEARER = /^Bearer(?: +(.*))?$/i

/**
 * Lets a request through only with a good token in `Authorization: Bearer …`; the handler finds it with
 * `sessionOf`. Else it answers itself: 401 with the token's code, 403, or 503 while the issuer's keys cannot
 * be had, with `WWW-Authenticate` (RFC 6750 section 3), and `Guestpass-Retry: token` where a fresh token helps.
 *
 * Without a handler it is a middleware for Express and Hono; with one, it returns that handler guarded,
 * which is what both routers of Next.js want.
 */
export function requireSession(verifier: Verifier, options?: RequireSessionOptions): SessionMiddleware
export function requireSession<Args extends readonly unknown[], Result>(
  verifier: Verifier,
  options: RequireSessionOptions,
  handler: (...args: Args) => Result,
): (...args: Args) => Promise<Awaited<Result> | GuardedAnswer<Args>>
export function requireSession(
  verifier: Verifier,
  options: RequireSessionOptions = {},
  handler?: (...args: never[]) => unknown,
): (...args: never[]) => Promise<unknown> {
  // Now, and not at the first request: there Express would answer the error's own status.
  checkMaxAge(options.maxAgeSeconds)
  return async (...args) => {
    const incoming = incomingOf(args)
    const next: unknown = args.at(incoming.style === 'node' ? 2 : 1)
    if (handler === undefined && typeof next !== 'function') {
      throw new TypeError('requireSession() needs a handler as its third argument here.')
    }
    const go = (handler === undefined ? next : () => handler(...args)) as (error?: unknown) => unknown
    let refused: Answer | undefined
    try {
      refused = await refusalOf(incoming, verifier, options)
    } catch (fault) {
      // Express 4 does not look at what a middleware's promise becomes.
      if (incoming.style === 'node' && handler === undefined) return go(fault)
      throw fault
    }
    return refused === undefined ? go() : answerTo(incoming, refused)
  }
}

/** A refusal is a `Response` for handlers that take a `Request`; Node's have been answered already. */
export type GuardedAnswer<Args extends readonly unknown[]> = Args extends readonly [Request, ...unknown[]]
  ? Response
  : undefined

/**
 * The session that `requireSession` found on this request (Express `req`, `Request`, Hono's context).
 *
 * @throws TypeError where no `requireSession` stands before this handler: an absent check must not pass for a guest.
 */
export function sessionOf(request: object): Session {
  const session = (request as { [SESSION]?: Session })[SESSION]
  if (session === undefined) throw new TypeError('sessionOf() needs requireSession() before this handler.')
  return session
}

async function refusalOf(
  incoming: Incoming,
  verifier: Verifier,
  { operation, maxAgeSeconds, onRefusal }: RequireSessionOptions,
): Promise<Answer | undefined> {
  let session: Session | undefined
  try {
    session = await verifier.verify(bearerOf(incoming), { maxAgeSeconds })
    if (operation !== undefined) session.require(operation)
    // What names no operation is none of those that go on.
    else if (session.suspended) throw new TokenError('SESSION_SUSPENDED')
    Object.defineProperty(incoming.request, SESSION, { value: session, configurable: true })
    return undefined
  } catch (error) {
    if (!isAboutTheToken(error)) throw error
    const requestId = requestIdOf(headerOf(incoming, 'X-Request-Id'))
    onRefusal?.({ code: error.code, status: error.status, sessionId: session?.id, requestId, error })
    return answerOf(error, requestId)
  }
}

function isAboutTheToken(error: unknown): error is GuestpassError {
  return error instanceof TokenError || error instanceof OperationNotAllowed || error instanceof ServiceError
}

function bearerOf(incoming: Incoming): string {
  return BEARER.exec(headerOf(incoming, 'Authorization') ?? '')?.[1] ?? ''
}

function answerOf(error: GuestpassError, requestId: string): Answer {
  // What the way to the issuer looks like is not for strangers.
  const message = error instanceof ServiceError ? undefined : error.message
  const { status, body, headers } = refusal(error.code, error.status, requestId, message)
  return { status, body, headers: { ...headers, ...challengeOf(error) }, expose: EXPOSED }
}

/** RFC 6750 section 3: no `error` where no token was sent. */
function challengeOf(error: GuestpassError): Readonly<Record<string, string>> {
  if (error instanceof ServiceError) return retryAfter(error)
  if (error instanceof OperationNotAllowed) {
    const scope = error.operation === undefined ? '' : `, scope="${error.operation}"`
    return { 'WWW-Authenticate': `Bearer error="insufficient_scope"${scope}` }
  }
  if (error.code === 'TOKEN_MISSING') return { 'WWW-Authenticate': 'Bearer' }
  const retry = asksForANewToken(error) ? { 'Guestpass-Retry': 'token' } : {}
  return { 'WWW-Authenticate': 'Bearer error="invalid_token"', ...retry }
}

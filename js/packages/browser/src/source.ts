import { SessionError, type SessionErrorCode, signedOut } from './errors.js'
import type { AutomaticOptions, Expiring, SessionClientOptions } from './options.js'
import type { Platform } from './platform.js'
import type { SessionTokenAnswer } from './token.js'

/** An answer and the time it bears, ms since 1970. */
export interface Answered {
  readonly answer: SessionTokenAnswer
  readonly answeredAt: number
}

/** Ask for a token once; rejects with a {@link SessionError} when refused. */
export type TokenSource = (signal: AbortSignal) => Promise<Answered>

/** How these options say to get a token; undefined in manual mode without `onExpiring`. */
export function tokenSource(platform: Platform, options: SessionClientOptions): TokenSource | undefined {
  const ask =
    options.sessionToken === undefined
      ? (options.fetchToken ?? getFrom(platform, options.sessionTokenUrl))
      : options.onExpiring
  return ask && (async (signal) => read(platform, await ask({ signal })))
}

function getFrom(platform: Platform, url: string | URL): NonNullable<AutomaticOptions['fetchToken']> {
  const headers = { Accept: 'application/json' }
  return ({ signal }) =>
    platform.fetch(
      new Request(new URL(url, platform.baseUrl), {
        cache: 'no-store',
        credentials: 'same-origin',
        headers,
        signal,
      }),
    )
}

async function read(platform: Platform, given: Expiring | Response): Promise<Answered> {
  if (given === null) throw signedOut('none')
  // Nothing: setSessionToken() will bring it and ends this wait, else the time limit does.
  if (!given) return new Promise(() => {})
  if (!(given instanceof Response)) return { answer: given, answeredAt: platform.now() }
  const { headers, ok, status } = given
  const answeredAt = Date.parse(headers.get('Date') ?? '') || platform.now()
  // What is no JSON, a sign-in page after a redirect perhaps, holds no token and is refused for that.
  if (ok) return { answer: (await given.json().catch(() => null)) ?? {}, answeredAt }
  throw new SessionError(
    REFUSALS[status] ?? 'UNAVAILABLE',
    `The endpoint answered ${status}.`,
    status,
    retryAfterSecondsOf(headers, answeredAt),
  )
}

/** Whole seconds to wait, however they are written (RFC 9110 section 10.2.3); 0: nothing was asked. */
export function retryAfterSecondsOf(headers: Headers, answeredAt: number): number {
  const wait = headers.get('Retry-After')
  return Math.ceil(Number(wait) || (Date.parse(wait ?? '') - answeredAt) / 1000) || 0
}

const REFUSALS: Partial<Record<number, SessionErrorCode>> = {
  401: 'SIGNED_OUT',
  403: 'CUSTOMER_BLOCKED',
  429: 'RATE_LIMITED',
}

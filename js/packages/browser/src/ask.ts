import { codeOf } from './fetch.js'
import { type Platform, SessionError, type SignedOutReason } from './index.js'
import { sleep } from './platform.js'
import { retryAfterSecondsOf } from './source.js'

/** One attempt may take so long, ms: three of them, with the pauses between, fit into the server's grace. */
export const ATTEMPT_MS = 8_000

/** Codes after which there is no session, whoever answers them. */
const OVER: Readonly<Record<string, SignedOutReason>> = {
  REFRESH_TOKEN_INVALID: 'invalid',
  REFRESH_TOKEN_EXPIRED: 'expired',
  REFRESH_TOKEN_REVOKED: 'revoked',
  REFRESH_TOKEN_REUSED: 'reused',
}

/** @returns the error after which there is no session. */
export function signedOut(reason: SignedOutReason, status?: number): SessionError {
  return new SessionError('SIGNED_OUT', `Signed out: ${reason}.`, status, 0, reason)
}

/** Do `work`, and give up after {@link ATTEMPT_MS} or when `stopped`. @throws SessionError `UNAVAILABLE`. */
export async function inTime<T>(
  platform: Platform,
  work: (signal: AbortSignal) => Promise<T>,
  stopped?: AbortSignal,
): Promise<T> {
  const attempt = new AbortController()
  const { signal } = attempt
  const over = () => attempt.abort()
  stopped?.addEventListener('abort', over)
  try {
    return await Promise.race([
      work(signal),
      sleep(platform, ATTEMPT_MS, signal).then(() => {
        throw new SessionError('UNAVAILABLE', 'No answer in 8 s.')
      }),
    ])
  } finally {
    over()
    stopped?.removeEventListener('abort', over)
  }
}

/** The answer's body. @throws SessionError `UNAVAILABLE` where it broke off: what it said is not known. */
export async function bodyOf(response: Response): Promise<Readonly<Record<string, unknown>>> {
  const body = await response.json().catch(() => undefined)
  if (Object(body) === body) return body
  throw new SessionError('UNAVAILABLE', 'The answer is no JSON.', response.status)
}

/**
 * What a refusal means.
 *
 * @param host - The host's routes answered: their 401 says that nobody is signed in. Anybody else's may come from a
 * proxy on the way, so only the codes above end a session.
 */
export async function refusalOf(
  platform: Platform,
  response: Response,
  host?: 'host',
): Promise<SessionError> {
  const { status, headers } = response
  const code = `${await codeOf(response)}`
  const reason =
    status === 401
      ? (OVER[code] ?? (host && (code === 'SESSION_SUSPENDED' ? 'suspended' : 'none')))
      : undefined
  if (reason) return signedOut(reason, status)
  if (status === 403 && code === 'CUSTOMER_BLOCKED')
    return new SessionError(code, 'The customer is blocked.', status, 0, 'blocked')
  const answeredAt = Date.parse(headers.get('Date') ?? '') || platform.now()
  return new SessionError(
    status === 429 ? 'RATE_LIMITED' : 'UNAVAILABLE',
    `The refresh was answered ${status}.`,
    status,
    retryAfterSecondsOf(headers, answeredAt),
  )
}

/** @throws SessionError what the refusal means, unless it says that what was to be ended has ended already. */
export async function checkEnded(platform: Platform, response: Response, host?: 'host'): Promise<void> {
  const refusal = response.ok ? undefined : await refusalOf(platform, response, host)
  if (refusal && refusal.code !== 'SIGNED_OUT') throw refusal
}

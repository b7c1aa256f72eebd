/** How often and how long to wait: pure, so that it can be read as a table. */

export const RETRIES_DEFAULT = 2
export const RETRIES_MAX = 10
const BACKOFF_SECONDS_FIRST = 0.5
const BACKOFF_SECONDS_MAX = 8
/** A longer wait is the caller's to plan; the error says how long it is. */
export const RETRY_AFTER_SECONDS_MAX = 10

export function isWorthAnotherTry(status: number): boolean {
  return status === 408 || status === 429 || status >= 500
}

/**
 * Seconds to wait before the next try, or undefined where waiting is left to the caller.
 *
 * @param tries - Tries made so far, from 1.
 * @param random - 0 up to 1: spreads callers that failed together, so that they do not return together.
 */
export function pauseSeconds(
  tries: number,
  retryAfterSeconds: number | undefined,
  random: number,
): number | undefined {
  const backoff = Math.min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_FIRST * 2 ** (tries - 1)) * (0.5 + random / 2)
  if (retryAfterSeconds === undefined) return backoff
  if (retryAfterSeconds > RETRY_AFTER_SECONDS_MAX) return undefined
  // All who were refused in one second would return in one second: a little later each.
  return Math.max(retryAfterSeconds + BACKOFF_SECONDS_FIRST * random, backoff)
}

/** Reads `Retry-After`: whole seconds, or an HTTP date (RFC 9110 section 10.2.3). */
export function retryAfterSecondsOf(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined
  if (/^[0-9]{1,9}$/.test(header.trim())) return Number(header)
  const at = Date.parse(header)
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - nowMs) / 1000))
}

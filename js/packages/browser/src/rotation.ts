import { inTime } from './ask.js'
import { type Platform, SessionError, type SessionTokenAnswer, type Timer } from './index.js'

/** The first pause, ms; each is twice the one before. Longer than the client's own, which makes this one needless. */
export const PAUSE_MS = 1_200
/** From the beginning of one attempt to the next, ms: three of them fit into the 30 s in which the server repeats its answer. */
export const APART_MS_MAX = 11_000
/** So long (ms) it is asked again though nobody has asked meanwhile. */
export const PATIENCE_MS = 600_000

/**
 * Ask for the next token once; rejects with a {@link SessionError}, `UNAVAILABLE` where no answer came.
 *
 * @param sent - Called as soon as the server may have moved on, whatever comes back.
 */
export type Exchange = (signal: AbortSignal, sent: () => void) => Promise<SessionTokenAnswer>

/**
 * Exchanges that change the token they are made with, one at a time.
 *
 * When an answer is missing the server may have moved on, and it repeats that answer for its grace only. So the exchange
 * is repeated before that is over, until one is answered, even if nobody waits for it and nobody looks at the page. Any
 * attempt may be the one that got through, so each has two after it in time.
 */
export class Rotation {
  readonly #platform: Platform
  readonly #exchange: Exchange
  readonly #deliver: (answer: SessionTokenAnswer) => void
  #attempt: Promise<SessionTokenAnswer> | undefined
  #abort = new AbortController()
  #timer: Timer
  #pauseMs = PAUSE_MS
  /** When somebody last asked, on the monotonic clock. */
  #askedAt = 0

  /** @param deliver - Takes an answer that came after everybody had given up waiting. */
  constructor(platform: Platform, exchange: Exchange, deliver: (answer: SessionTokenAnswer) => void) {
    this.#platform = platform
    this.#exchange = exchange
    this.#deliver = deliver
  }

  /** The next token. Whoever asks meanwhile joins. */
  run(): Promise<SessionTokenAnswer> {
    this.#askedAt = this.#platform.monotonic()
    return this.#joined()
  }

  /** Nobody wants an answer any more; whoever waits is told so. */
  stop(): void {
    this.#abort.abort()
    this.#abort = new AbortController()
    this.#platform.clearTimeout(this.#timer)
    this.#attempt = undefined
    this.#pauseMs = PAUSE_MS
  }

  #joined(): Promise<SessionTokenAnswer> {
    if (this.#attempt) return this.#attempt
    this.#platform.clearTimeout(this.#timer)
    const attempt = this.#once(this.#abort.signal).finally(() => {
      if (this.#attempt === attempt) this.#attempt = undefined
    })
    this.#attempt = attempt
    return attempt
  }

  async #once(stopped: AbortSignal): Promise<SessionTokenAnswer> {
    const startedAt = this.#platform.monotonic()
    let isSent = false
    const sent = () => {
      isSent = true
    }
    try {
      const answer = await inTime(this.#platform, (signal) => this.#exchange(signal, sent), stopped)
      stopped.throwIfAborted()
      this.#pauseMs = PAUSE_MS
      return answer
    } catch (thrown) {
      stopped.throwIfAborted()
      const error =
        thrown instanceof SessionError ? thrown : new SessionError('UNAVAILABLE', `No answer: ${thrown}`)
      if (isSent && error.code === 'UNAVAILABLE') this.#askAgain(startedAt, error.retryAfterSeconds * 1000)
      throw error
    }
  }

  #askAgain(startedAt: number, leastMs: number): void {
    const platform = this.#platform
    const mostMs = startedAt + APART_MS_MAX - platform.monotonic()
    const wait = Math.max(Math.min(this.#pauseMs, mostMs), PAUSE_MS, leastMs)
    this.#pauseMs = Math.min(this.#pauseMs * 2, APART_MS_MAX)
    if (platform.monotonic() + wait - this.#askedAt > PATIENCE_MS) return
    this.#timer = platform.setTimeout(() => {
      this.#joined()
        .then(this.#deliver)
        .catch(() => {}) // the next attempt has been set, or nobody has asked for long
    }, wait)
  }
}

import { ATTEMPT_MS, inTime } from './ask.js'
import { type Platform, SessionError, type SessionTokenAnswer, type Timer } from './index.js'

/** So long (ms) the server answers the token used last with the same successor, unless the project has set less. */
export const GRACE_MS = 30_000
/** The first pause, ms; each is twice the one before. Longer than the client's own, which makes this one needless. */
export const PAUSE_MS = 1_200

/** Ask for the next token once; rejects with a {@link SessionError}, `UNAVAILABLE` where no answer came. */
export type Exchange = (signal: AbortSignal) => Promise<SessionTokenAnswer>

/**
 * Exchanges that change the token they are made with, one at a time.
 *
 * When an answer is lost the server may have moved on, and it answers the old token for its grace only. So the
 * exchange is repeated in that time even if nobody waits for it, and nobody looks at the page.
 */
export class Rotation {
  readonly #platform: Platform
  readonly #exchange: Exchange
  readonly #deliver: (answer: SessionTokenAnswer) => void
  #attempt: Promise<SessionTokenAnswer> | undefined
  #abort = new AbortController()
  #timer: Timer
  #pauseMs = PAUSE_MS
  /** When the first attempt began whose answer is missing; on the monotonic clock. */
  #lostAt: number | undefined

  /** @param deliver - Takes an answer that came after everybody had given up waiting. */
  constructor(platform: Platform, exchange: Exchange, deliver: (answer: SessionTokenAnswer) => void) {
    this.#platform = platform
    this.#exchange = exchange
    this.#deliver = deliver
  }

  /** The next token. Whoever asks meanwhile joins. */
  run(): Promise<SessionTokenAnswer> {
    if (this.#attempt) return this.#attempt
    this.#platform.clearTimeout(this.#timer)
    const attempt = this.#once(this.#abort.signal).finally(() => {
      if (this.#attempt === attempt) this.#attempt = undefined
    })
    this.#attempt = attempt
    return attempt
  }

  /** Nobody wants an answer any more; whoever waits is told so. */
  stop(): void {
    this.#abort.abort()
    this.#abort = new AbortController()
    this.#platform.clearTimeout(this.#timer)
    this.#attempt = undefined
    this.#found()
  }

  async #once(stopped: AbortSignal): Promise<SessionTokenAnswer> {
    const startedAt = this.#platform.monotonic()
    try {
      const answer = await inTime(this.#platform, this.#exchange, stopped)
      stopped.throwIfAborted()
      this.#found()
      return answer
    } catch (thrown) {
      stopped.throwIfAborted()
      const error =
        thrown instanceof SessionError ? thrown : new SessionError('UNAVAILABLE', `No answer: ${thrown}`)
      if (error.code === 'UNAVAILABLE') this.#lost(startedAt, error.retryAfterSeconds * 1000)
      throw error
    }
  }

  #lost(startedAt: number, askedMs: number): void {
    const platform = this.#platform
    // Later than that the server answers no old token any more: whatever is tried now is a new beginning.
    if (startedAt - (this.#lostAt ?? startedAt) > GRACE_MS) this.#found()
    this.#lostAt ??= startedAt
    const wait = Math.max(this.#pauseMs, askedMs)
    this.#pauseMs *= 2
    if (platform.monotonic() + wait - this.#lostAt > GRACE_MS - ATTEMPT_MS) return
    this.#timer = platform.setTimeout(() => this.#again(), wait)
  }

  #again(): void {
    this.run()
      .then(this.#deliver)
      .catch(() => {}) // the next attempt has been set, or somebody asks
  }

  #found(): void {
    this.#lostAt = undefined
    this.#pauseMs = PAUSE_MS
  }
}

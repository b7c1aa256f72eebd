import { SessionError } from './errors.js'
import type { Platform } from './platform.js'
import { next, RESTORING, type Session, type SessionEvent, type SessionState } from './state.js'
import { checkToken } from './token.js'

/** A session with its end on the clock that never jumps. */
export interface Held extends Session, End {}

/** A moment on both clocks, ms. */
export interface End {
  readonly localExpiresAt: number
  readonly monotonicExpiresAt: number
}

/** The moment `milliseconds` from now. */
export function endIn(platform: Platform, milliseconds: number): End {
  return {
    localExpiresAt: platform.now() + milliseconds,
    monotonicExpiresAt: platform.monotonic() + milliseconds,
  }
}

/** A token with `leftMs` to live from now on. Throws what is no session token, a secret, or already over. */
export function hold(platform: Platform, sessionToken: string, lifeSeconds: number, leftMs: number): Held {
  checkToken(sessionToken)
  if (!(leftMs > 0)) {
    throw new SessionError('TOKEN_EXPIRED', 'The token is over, or has no expiresIn.')
  }
  return { sessionToken, lifeSeconds, ...endIn(platform, leftMs) }
}

/** The one session of a client, its visible state, and who listens. */
export class Current {
  /** The token as it was last issued, dead or alive; undefined once signed out. */
  held: Held | undefined
  state: SessionState = RESTORING
  /** Counts the sessions: a request of an earlier one must not be repeated in a later. */
  era = 0
  readonly #platform: Platform
  readonly #listeners = new Set<(event: SessionEvent) => void>()

  constructor(platform: Platform) {
    this.#platform = platform
  }

  /**
   * Milliseconds until then; negative after it. The monotonic clock may stand still during sleep, the wall clock may be set
   * back: the one that has gone further counts, so a jump costs an early renewal and never hands out a dead token.
   */
  left({ monotonicExpiresAt, localExpiresAt }: End): number {
    return Math.min(monotonicExpiresAt - this.#platform.monotonic(), localExpiresAt - this.#platform.now())
  }

  /** The token held, if it may still be used. */
  get living(): Held | undefined {
    return this.held && this.left(this.held) > 0 ? this.held : undefined
  }

  issue(held: Held): void {
    this.held = held
    this.happen({ type: 'issued', session: held })
  }

  happen(event: SessionEvent): void {
    const before = this.state
    this.state = next(before, event, !!this.living)
    if (this.state.status === 'signedOut') this.drop()
    if (this.state === before) return
    for (const listener of [...this.#listeners]) {
      try {
        listener(event)
      } catch (thrown) {
        // It must not stop the renewal, nor the other listeners.
        this.#platform.warn(`Guestpass: a listener threw ${thrown}`)
      }
    }
  }

  /** Nothing of this session is used any more. */
  drop(): void {
    this.held = undefined
    this.era++
  }

  /** `listener` must be a new function every time, so that each is taken back alone. */
  subscribe(listener: (event: SessionEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }
}

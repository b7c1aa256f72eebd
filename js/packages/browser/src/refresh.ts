import { type Current, endIn, type Held, hold } from './current.js'
import { SessionError, signedOut } from './errors.js'
import type { Platform, Sleep, Timer } from './platform.js'
import type { Share } from './share.js'
import type { TokenSource } from './source.js'
import type { SignedOutReason } from './state.js'
import { claimsOf, lifeSecondsOf } from './token.js'

/** A timer never runs longer than this, ms: timers stand still during sleep, and overflow after 24.8 days. */
export const TIMER_MS_MAX = 60_000
/** Renewal is due when this part of the life is left, at most {@link MARGIN_MS_MAX} ms. */
export const MARGIN_PART = 0.2
export const MARGIN_MS_MAX = 1_800_000
export const BACKOFF_MS_MIN = 1_000
export const BACKOFF_MS_MAX = 60_000
/** Longest wait for the host's answer, ms. */
export const ANSWER_WAIT_MS = 10_000

/** Whether a token serves the caller. */
export type Accept = (held: Held) => boolean

interface Flight {
  readonly promise: Promise<Held>
  readonly accept: Accept
  readonly abort: AbortController
  settle(held: Held): void
}

/** What the refresher is given and told. */
export interface RefreshPorts {
  readonly platform: Platform
  readonly sleep: Sleep
  readonly current: Current
  readonly source: TokenSource | undefined
  /** The other tabs and storage; undefined where nothing may be shared. */
  share(): Promise<Share | undefined>
  ended(reason: SignedOutReason): void
}

/** Gets tokens: one flight at a time, at the right moment, with growing pauses after failures. */
export class Refresher {
  readonly #ports: RefreshPorts
  #flight: Flight | undefined
  #timer: Timer
  #running = false
  #failures = 0
  #failure: SessionError | undefined
  /** On the monotonic clock; the timer tries nothing before. */
  #notBefore = 0
  #jitter = 1

  constructor(ports: RefreshPorts) {
    this.#ports = ports
  }

  /**
   * A token that `accept` takes, from another tab or the host. Whoever asks meanwhile joins. A fresh one is returned
   * even when it lives too short for `accept`: there is no better.
   */
  async obtain(accept: Accept, force?: boolean): Promise<Held> {
    for (;;) {
      const joined = this.#flight
      const held = await (joined ?? this.#depart(accept, force)).promise
      if (!joined || accept(held)) return held
    }
  }

  /** Another token than the present one, not due for renewal itself; a tab that was faster may have it. */
  renew(force?: boolean): Promise<Held> {
    const { current } = this.#ports
    const before = current.held?.sessionToken
    return this.obtain(
      (held) => held.sessionToken !== before && current.left(held) > this.#marginMs(held),
      force,
    )
  }

  /**
   * A token that came without our asking: from another tab, or `given` by the page. The freshest wins, unless we are
   * looking for just this one; a session that has ended is not revived by another tab.
   */
  arrived(held: Held, given?: boolean): void {
    const { living, state } = this.#ports.current
    const flight = this.#flight
    const wanted = given || flight?.accept(held)
    const older = living && held.localExpiresAt <= living.localExpiresAt
    if (!wanted && (older || state.status === 'signedOut')) return
    if (this.take(held) && wanted) {
      this.#flight = undefined
      flight?.settle(held)
    }
    this.arm()
  }

  /** Abort what is in flight; those who wait get `reason`. Pauses after failures are forgotten. */
  cancel(reason: SessionError): void {
    const flight = this.#flight
    this.#flight = undefined
    flight?.abort.abort(reason)
    this.#recover()
  }

  run(running: boolean): void {
    this.#running = running
    this.tick()
  }

  /**
   * Renew if it is time, and set the timer for the next look. When the network is `back`, the pauses that we chose
   * ourselves are forgotten; those we were asked for are kept.
   */
  tick(back?: boolean): void {
    const { source, ended } = this.#ports
    if (back && !this.#failure?.retryAfterSeconds) this.#recover()
    if (this.#idle() || this.#dueInMs() > 0) this.arm()
    else if (source) this.renew().catch(() => {})
    else ended('expired')
  }

  /** Set the one timer, or none: a hidden page, a stopped client and a signed-out user need none. */
  arm(): void {
    const { platform } = this.#ports
    platform.clearTimeout(this.#timer)
    if (this.#idle() || this.#flight) return
    this.#timer = platform.setTimeout(() => this.tick(), Math.min(this.#dueInMs(), TIMER_MS_MAX))
  }

  #idle(): boolean {
    const { platform, current } = this.#ports
    return !this.#running || !platform.visible() || current.state.status === 'signedOut'
  }

  #marginMs({ lifeSeconds }: Held): number {
    return Math.min(lifeSeconds * 1000 * MARGIN_PART, MARGIN_MS_MAX) * this.#jitter
  }

  #dueInMs(): number {
    const { platform, current, source } = this.#ports
    const { held, state } = current
    // A renewal that failed is due until one succeeds, however long the token still lives.
    const later = held && state.status !== 'offline'
    const due = later ? current.left(held) - (source ? this.#marginMs(held) : 0) : 0
    return Math.max(due, this.#notBefore - platform.monotonic())
  }

  /** Throw why nothing may be asked now. */
  #checkMayAsk(force?: boolean): void {
    const { platform, current, source } = this.#ports
    const { state } = current
    if (state.status === 'signedOut' && !force) throw signedOut(state.reason)
    if (!source) throw new SessionError('TOKEN_EXPIRED', 'The token is ending.')
    const failure = this.#failure
    if (failure && platform.monotonic() < this.#notBefore && (!force || failure.retryAfterSeconds))
      throw failure
  }

  #depart(accept: Accept, force?: boolean): Flight {
    this.#checkMayAsk(force)
    const abort = new AbortController()
    const { signal } = abort
    let settle!: Flight['settle']
    const promise = new Promise<Held>((resolve, reject) => {
      settle = resolve
      signal.onabort = () => reject(signal.reason)
    }).finally(() => {
      if (this.#flight === flight) this.#flight = undefined
      abort.abort() // whatever still waits or sleeps for this flight
      this.arm()
    })
    const flight: Flight = { promise, accept, abort, settle }
    this.#flight = flight
    this.#ports.current.happen({ type: 'refreshDue' })
    this.#exchange(accept, signal).then(settle, (thrown) => {
      if (signal.aborted) return
      this.#flight = undefined
      abort.abort(this.#fail(thrown))
    })
    return flight
  }

  async #exchange(accept: Accept, signal: AbortSignal): Promise<Held> {
    const share = await this.#ports.share()
    signal.throwIfAborted()
    try {
      return await (share?.obtain(accept, signal, () => this.#fetch(signal)) ?? this.#fetch(signal))
    } finally {
      if (!this.#running) share?.close()
    }
  }

  async #fetch(signal: AbortSignal): Promise<Held> {
    const { platform, sleep, current, source } = this.#ports
    // The life counts from before we asked: a slow answer, or sleep meanwhile, must not lengthen it.
    const asked = endIn(platform, 0)
    const { answer, answeredAt } = await Promise.race([
      (source as TokenSource)(signal),
      sleep(ANSWER_WAIT_MS, signal).then(() => {
        throw new SessionError('UNAVAILABLE', 'No answer in 10 s.')
      }),
    ])
    signal.throwIfAborted()
    const life = lifeSecondsOf(answer, answeredAt)
    const held = hold(platform, answer.sessionToken, life, life * 1000 + current.left(asked))
    if (!this.take(held)) throw signedOut('otherUser')
    return held
  }

  /** Make it the current one, unless its subject shows that somebody else has signed in: then nobody is here. */
  take(held: Held): boolean {
    const { platform, current, ended } = this.#ports
    const before = claimsOf(current.held?.sessionToken ?? '').sub
    const { sub } = claimsOf(held.sessionToken)
    if (before && sub && before !== sub) {
      ended('otherUser')
      return false
    }
    this.#recover()
    // Tabs renew at different moments; and no life is so short as to make a loop.
    this.#jitter = 0.75 + platform.random() / 2
    this.#notBefore = platform.monotonic() + BACKOFF_MS_MIN
    current.issue(held)
    return true
  }

  #fail(thrown: unknown): SessionError {
    const error =
      thrown instanceof SessionError ? thrown : new SessionError('UNAVAILABLE', `No token: ${thrown}`)
    const { platform, current, ended } = this.#ports
    const { code, message, retryAfterSeconds, reason } = error
    if (code === 'SIGNED_OUT') ended(reason ?? 'none')
    else if (code === 'CUSTOMER_BLOCKED') ended('blocked')
    else {
      // Waiting will not mend what is neither of these, so the developer is told.
      if (code !== 'UNAVAILABLE' && code !== 'RATE_LIMITED') platform.warn(`Guestpass: ${message}`)
      const pause =
        Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** this.#failures++) * (0.5 + platform.random() / 2)
      this.#failure = error
      this.#notBefore = platform.monotonic() + Math.max(pause, retryAfterSeconds * 1000)
      current.happen({ type: 'refreshFailed', error })
    }
    return error
  }

  #recover(): void {
    this.#failures = this.#notBefore = 0
    this.#failure = undefined
  }
}

import { ServiceError } from '../errors.js'
import { bodyOf } from './document.js'
import { type KeySet, readKeySet } from './keys.js'

export interface KeySourceOptions {
  readonly url: string
  readonly fetch: typeof fetch
  /** Monotonic milliseconds: a wall clock that is set must neither revive nor drop keys. */
  readonly elapsedMs: () => number
}

const SECOND = 1000
/** As the service's own `max-age`: so long after a fetch, the keys are fetched again beside the next call. */
const FRESH_MS = 60 * SECOND
/** While the issuer is away, keys fetched earlier count so long: a stolen key must not live on for ever. */
const STALE_MS_MAX = 3600 * SECOND
/** An unknown key id earns at most one fetch in so long, whoever sends how many of them. */
const UNKNOWN_KID_COOLDOWN_MS = 30 * SECOND
const FAILURE_COOLDOWN_MS_MAX = 30 * SECOND
const FETCH_TIMEOUT_MS = 5 * SECOND
const BODY_BYTES_MAX = 256 * 1024
const UNKNOWN_KIDS_MAX = 1000

/** The keys of one issuer: one fetch in flight, nothing running between the calls. */
export class KeySource {
  readonly #options: KeySourceOptions
  readonly #unknownKids = new Map<string, number>()
  #keys: KeySet | undefined
  #fetchedAtMs = Number.NEGATIVE_INFINITY
  #triedAtMs = Number.NEGATIVE_INFINITY
  #failures = 0
  #lastFailure: unknown
  #inFlight: Promise<void> | undefined

  constructor(options: KeySourceOptions) {
    this.#options = options
  }

  /** The keys, from memory where they are at most an hour old. @throws ServiceError (`UNAVAILABLE`). */
  async current(): Promise<KeySet> {
    const age = this.#options.elapsedMs() - this.#fetchedAtMs
    if (this.#keys === undefined || age >= STALE_MS_MAX) {
      if (this.#maySend()) await this.#fetchOnce()
      const isStale = this.#options.elapsedMs() - this.#fetchedAtMs >= STALE_MS_MAX
      if (this.#keys === undefined || isStale) throw this.#unavailable()
    } else if (age >= FRESH_MS && this.#maySend()) {
      void this.#fetchOnce()
    }
    return this.#keys
  }

  /** The keys after one more fetch, if this `kid` earns one; else undefined. */
  async afterUnknown(kid: string): Promise<KeySet | undefined> {
    const now = this.#options.elapsedMs()
    const seenAt = this.#unknownKids.get(kid)
    const isKnownUnknown = seenAt !== undefined && now - seenAt < FRESH_MS
    const isCooling = this.#inFlight === undefined && now - this.#triedAtMs < UNKNOWN_KID_COOLDOWN_MS
    if (isKnownUnknown || isCooling) return undefined
    await this.#fetchOnce()
    if (this.#failures === 0 && !this.#keys?.has(kid)) this.#remember(kid, now)
    return this.#keys
  }

  /**
   * The keys after one more fetch, but of one in `apartMs`. For a list whose key is not known: no stranger can write
   * one, so nothing else has to be guarded.
   */
  async after(apartMs: number): Promise<KeySet> {
    const isSoon = this.#options.elapsedMs() - this.#triedAtMs < apartMs
    if (!isSoon || this.#inFlight !== undefined) await this.#fetchOnce()
    return this.current()
  }

  #remember(kid: string, now: number): void {
    this.#unknownKids.delete(kid)
    this.#unknownKids.set(kid, now)
    const [oldest] = this.#unknownKids.keys()
    if (this.#unknownKids.size > UNKNOWN_KIDS_MAX && oldest !== undefined) this.#unknownKids.delete(oldest)
  }

  #maySend(): boolean {
    return this.#inFlight !== undefined || this.#options.elapsedMs() - this.#triedAtMs >= this.#cooldownMs()
  }

  #cooldownMs(): number {
    return this.#failures === 0 ? 0 : Math.min(FAILURE_COOLDOWN_MS_MAX, SECOND * 2 ** (this.#failures - 1))
  }

  #fetchOnce(): Promise<void> {
    this.#inFlight ??= this.#fetch().finally(() => {
      this.#inFlight = undefined
    })
    return this.#inFlight
  }

  /** Never rejects: a failure is remembered, and told when there are no keys to go on with. */
  async #fetch(): Promise<void> {
    this.#triedAtMs = this.#options.elapsedMs()
    try {
      const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS)
      const headers = { Accept: 'application/json' }
      const response = await this.#options.fetch(this.#options.url, { headers, redirect: 'error', signal })
      const keys = response.ok ? readKeySet(await bodyOf(response, BODY_BYTES_MAX)) : undefined
      if (keys === undefined) throw new Error(`the answer was ${response.status} and no key set`)
      this.#keys = keys
      this.#fetchedAtMs = this.#options.elapsedMs()
      this.#failures = 0
    } catch (fault) {
      this.#failures += 1
      this.#lastFailure = fault
    }
  }

  #unavailable(): ServiceError {
    const message = `The keys at ${this.#options.url} cannot be fetched; no token can be checked until they can.`
    const retryAfterSeconds = Math.max(1, Math.ceil(this.#cooldownMs() / SECOND))
    return new ServiceError('UNAVAILABLE', message, { retryAfterSeconds, cause: this.#lastFailure })
  }
}

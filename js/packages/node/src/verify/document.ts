import { ServiceError } from '../errors.js'
import type { KeySet } from './keys.js'
import { PublishedKeyUnknown } from './published.js'

/** What of a document's content is needed to keep it. */
export interface Kept {
  /** Not to be used from this second on. */
  readonly exp: number
  /** Seconds after which it is to be fetched again. */
  readonly ttl: number
}

/** One document that an issuer publishes: where it is, and how it is read. */
export interface Source<T extends Kept> {
  readonly url: string
  readonly bytesMax: number
  /** @throws Error whose text says what is wrong with it. */
  open(text: string, keys: KeySet, now: number): T
  /** What was known, and what has come: an ending that was seen stays one. */
  merged(known: T, fetched: T): T
}

/** What every document of a verifier shares. */
export interface DocumentPorts {
  readonly fetch: typeof fetch
  /** Monotonic milliseconds. */
  readonly elapsedMs: () => number
  /** Unix milliseconds. */
  readonly clock: () => number
  readonly pollSeconds: number
  readonly maxStaleSeconds: number
  /** The keys that sign it. */
  keys(): Promise<KeySet>
  /** The same after a look at what the issuer publishes now, if it is not too soon for one. */
  newKeys(): Promise<KeySet>
}

interface Copy<T> {
  readonly value: T
  readonly etag: string | null
  /** Those it was opened with; with others it has to be fetched whole. */
  readonly keys: KeySet
  readonly at: Moment
  readonly freshMs: number
}

interface Moment {
  readonly elapsedMs: number
  readonly clockMs: number
}

const SECOND = 1000
/** Before it is due; a fifth of its freshness where that is less. */
const AHEAD_MS = SECOND
/** After a failure; meanwhile nobody waits for another. */
export const RETRY_MS: number = 5 * SECOND
const FETCH_TIMEOUT_MS = 5 * SECOND

/**
 * One published document: fetched by whoever needs it, once for all who wait, a little before it is due. No timer runs.
 *
 *     0          fresh - ahead        fresh                fresh + stale
 *     |── used ──|── used, and fetched beside it ──|── fetched first ──|── not used ──
 */
export class Document<T extends Kept> {
  readonly #source: Source<T>
  readonly #ports: DocumentPorts
  #copy: Copy<T> | undefined
  #fault: string | undefined
  #triedAtMs = Number.NEGATIVE_INFINITY
  #inFlight: Promise<void> | undefined

  constructor(source: Source<T>, ports: DocumentPorts) {
    this.#source = source
    this.#ports = ports
  }

  /** @throws ServiceError (`UNAVAILABLE`) where no copy may be used. */
  async current(now: number): Promise<T> {
    // A flight that was joined may have begun too long ago: then once more.
    for (let round = 0; round < 2 && this.#isDue(0); round += 1) {
      const flight = this.#flight()
      if (flight === undefined) break
      if (this.#fault === undefined || !this.#isUsable(now)) await flight
    }
    if (!this.#isDue(0) && this.#isDue(AHEAD_MS)) void this.#flight()
    if (this.#copy === undefined || !this.#isUsable(now)) throw this.unavailable()
    return this.#copy.value
  }

  /** @param fault - By default, why the last fetch failed. */
  unavailable(fault: string = this.#fault ?? 'its time is over'): ServiceError {
    const message = `Whether this token was revoked is not known: ${this.#source.url}: ${fault}.`
    return new ServiceError('UNAVAILABLE', message, { retryAfterSeconds: this.#ports.pollSeconds })
  }

  #isDue(aheadMs: number): boolean {
    if (this.#copy === undefined) return true
    const { at, freshMs } = this.#copy
    return this.#ageMs(at) >= freshMs - Math.min(aheadMs, freshMs / 5)
  }

  #isUsable(now: number): boolean {
    if (this.#copy === undefined) return false
    const { at, freshMs, value } = this.#copy
    return this.#ageMs(at) <= freshMs + this.#ports.maxStaleSeconds * SECOND && now < value.exp
  }

  /** The clock that has gone further counts: the monotonic one may stand still while the machine sleeps. */
  #ageMs(at: Moment): number {
    const { elapsedMs, clock } = this.#ports
    return Math.max(elapsedMs() - at.elapsedMs, clock() - at.clockMs)
  }

  #flight(): Promise<void> | undefined {
    const isSoon = this.#ports.elapsedMs() - this.#triedAtMs < RETRY_MS
    if (this.#inFlight === undefined && this.#fault !== undefined && isSoon) return undefined
    this.#inFlight ??= this.#fetch().finally(() => {
      this.#inFlight = undefined
    })
    return this.#inFlight
  }

  /** Never rejects: a failure is remembered, and told when there is nothing to go on with. */
  async #fetch(): Promise<void> {
    const at = { elapsedMs: this.#ports.elapsedMs(), clockMs: this.#ports.clock() }
    this.#triedAtMs = at.elapsedMs
    try {
      this.#copy = await this.#fetched(at)
      this.#fault = undefined
    } catch (fault) {
      this.#fault = (fault instanceof Error ? fault.message : String(fault)).replace(/\.$/, '')
    }
  }

  async #fetched(at: Moment): Promise<Copy<T>> {
    const { fetch, clock, pollSeconds } = this.#ports
    const { url, bytesMax, merged } = this.#source
    const keys = await this.#ports.keys()
    const known = this.#copy
    // What is over, or was signed by a key that is out, is not to be confirmed as unchanged.
    const confirmable = known?.keys === keys && clock() / SECOND < known.value.exp ? known : undefined
    const headers: Record<string, string> = confirmable?.etag ? { 'If-None-Match': confirmable.etag } : {}
    const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS)
    const response = await fetch(url, { headers, redirect: 'error', signal })
    if (response.status === 304 && confirmable?.etag) return { ...confirmable, at }
    if (response.status !== 200) throw new Error(`it answered ${response.status}`)
    const [value, under] = await this.#opened((await bodyOf(response, bytesMax)).toString('latin1'), keys)
    return {
      value: known === undefined ? value : merged(known.value, value),
      etag: response.headers.get('ETag'),
      keys: under,
      at,
      freshMs: Math.min(pollSeconds, value.ttl) * SECOND,
    }
  }

  async #opened(text: string, keys: KeySet): Promise<readonly [T, KeySet]> {
    const now = Math.floor(this.#ports.clock() / SECOND)
    try {
      return [this.#source.open(text, keys, now), keys]
    } catch (fault) {
      if (!(fault instanceof PublishedKeyUnknown)) throw fault
      const others = await this.#ports.newKeys()
      return [this.#source.open(text, others, now), others]
    }
  }
}

/** The bytes of an answer. @throws Error for more than `bytesMax`, of which no more is read. */
export async function bodyOf(response: Response, bytesMax: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new Error(`it is over ${bytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

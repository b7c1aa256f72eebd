import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  codeOfStatus,
  type ErrorDetail,
  errorOf,
  type GuestpassError,
  RequestError,
  ServiceError,
} from '../errors.js'
import { isWorthAnotherTry, pauseSeconds, retryAfterSecondsOf } from './retry.js'
import { IDEMPOTENCY_KEY_RULE, isIdempotencyKey, signatureOf } from './signing.js'

/** Options of one call. */
export interface CallOptions {
  /** 1 to 255 visible ASCII characters; only for calls that change something. By default a new one for each call. */
  idempotencyKey?: string | undefined
  /** Ends the call, its retries included; the call rejects with the signal's reason. */
  signal?: AbortSignal | undefined
  /** For one try, reading the answer included: over 0, at most 600. */
  timeoutSeconds?: number | undefined
}

/** One call as a resource describes it. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Below the base URL, already percent-encoded. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly body?: unknown
  /** A second arrival would do a second thing: one Idempotency-Key goes with all the tries. */
  readonly changes?: boolean
  /** For so long the service answers a second arrival as it answered the first; no try is made that could come later. */
  readonly grace?: { readonly seconds: number; readonly trySeconds: number }
  /** What proves the call in place of the API key, as Bearer; `''`: its body alone. */
  readonly token?: string
  readonly options?: CallOptions | undefined
}

export interface TransportOptions {
  readonly baseUrl: string
  readonly secretKey: string
  /** Id of a key with signing on (`key_…`): requests are signed, and the secret never travels. */
  readonly signingKeyId: string | undefined
  readonly timeoutSeconds: number
  readonly maxRetries: number
  readonly fetch: typeof fetch
  readonly nowMs: () => number
  readonly wait?: (seconds: number, signal: AbortSignal | undefined) => Promise<unknown>
}

interface Prepared extends Call {
  readonly url: URL
  readonly text: string | undefined
  readonly idempotencyKey: string | undefined
}

const JSON_TYPE = 'application/json'
const LONE_SURROGATE = /\p{Surrogate}/u

const TIMEOUT_SECONDS_MAX = 600

/** @throws RequestError (`VALIDATION_ERROR`) unless it is over 0 and at most 600. */
export function checkTimeout(seconds: number | undefined): void {
  if (seconds === undefined || (seconds > 0 && seconds <= TIMEOUT_SECONDS_MAX)) return
  const rule = `timeoutSeconds must be over 0 and at most ${TIMEOUT_SECONDS_MAX}.`
  throw new RequestError('VALIDATION_ERROR', rule)
}

/** Sends one call, again where that can help, and returns the JSON of a 2xx answer or throws. */
export class Transport {
  readonly #options: TransportOptions

  constructor(options: TransportOptions) {
    this.#options = options
  }

  /** @throws GuestpassError, or the reason of the caller's signal. */
  async send(call: Call): Promise<unknown> {
    checkTimeout(call.options?.timeoutSeconds)
    const prepared = this.#prepare(call)
    const { grace } = call
    let begunSeconds = 0 // how long after the first try the next one begins, at the latest
    for (let tries = 1; ; tries += 1) {
      const outcome = await this.#tryOnce(prepared)
      if (!(outcome instanceof Failure)) return outcome
      const pause = outcome.again
        ? pauseSeconds(tries, outcome.error.retryAfterSeconds, Math.random())
        : undefined
      if (pause === undefined || tries > this.#options.maxRetries) throw outcome.error
      if (grace) {
        begunSeconds += grace.trySeconds + pause
        if (begunSeconds + grace.trySeconds > grace.seconds) throw outcome.error
      }
      await (this.#options.wait ?? waitFor)(pause, call.options?.signal)
    }
  }

  #prepare(call: Call): Prepared {
    const given = call.options?.idempotencyKey
    if (given !== undefined && !isIdempotencyKey(given))
      throw new RequestError('VALIDATION_ERROR', IDEMPOTENCY_KEY_RULE)
    const url = new URL(this.#options.baseUrl + call.path)
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value === undefined) continue
      // An address would carry U+FFFD in its place, and so find somebody else.
      if (LONE_SURROGATE.test(String(value))) {
        throw new RequestError('VALIDATION_ERROR', `${name} holds a lone surrogate, which is not text.`)
      }
      url.searchParams.set(name, String(value))
    }
    const idempotencyKey = call.changes ? (given ?? randomUUID()) : undefined
    return {
      ...call,
      url,
      text: call.body === undefined ? undefined : JSON.stringify(call.body),
      idempotencyKey,
    }
  }

  async #tryOnce(call: Prepared): Promise<unknown | Failure> {
    const { baseUrl, fetch } = this.#options
    const allowed = call.options?.timeoutSeconds ?? this.#options.timeoutSeconds
    const seconds = Math.min(allowed, call.grace?.trySeconds ?? allowed)
    const given = call.options?.signal
    const headers = this.#headersOf(call)
    const limit = limited(seconds, given)
    const init: RequestInit = {
      method: call.method,
      headers,
      // A redirect would carry the credential or the signed body to a place that nobody configured.
      redirect: 'manual',
      signal: limit.signal,
    }
    if (call.text !== undefined) init.body = call.text
    try {
      const response = await fetch(call.url, init)
      return this.#read(response, await response.text())
    } catch (cause) {
      given?.throwIfAborted()
      const what = limit.signal.aborted ? `gave no answer within ${seconds} s` : 'could not be reached'
      const error = new ServiceError('UNAVAILABLE', `Guestpass at ${baseUrl} ${what}.`, { cause })
      return new Failure(error, true)
    } finally {
      limit.end()
    }
  }

  #headersOf(call: Prepared): Record<string, string> {
    const { secretKey, signingKeyId, nowMs } = this.#options
    const headers: Record<string, string> = { Accept: JSON_TYPE }
    if (call.text !== undefined) headers['Content-Type'] = JSON_TYPE
    if (call.idempotencyKey !== undefined) headers['Idempotency-Key'] = call.idempotencyKey
    if (call.token === '') return headers
    if (call.token !== undefined || signingKeyId === undefined)
      return { ...headers, Authorization: `Bearer ${call.token ?? secretKey}` }
    const timestamp = Math.floor(nowMs() / 1000)
    const nonce = randomBytes(18).toString('base64url')
    const signature = signatureOf(secretKey, {
      method: call.method,
      path: call.url.pathname + call.url.search,
      timestamp,
      nonce,
      idempotencyKey: call.idempotencyKey,
      contentType: headers['Content-Type'],
      body: call.text,
    })
    return {
      ...headers,
      'X-API-Key': signingKeyId,
      'X-API-Timestamp': String(timestamp),
      'X-API-Nonce': nonce,
      'X-API-Signature': signature,
    }
  }

  #read(response: Response, text: string): unknown | Failure {
    const body = parsed(text)
    if (response.ok && body !== undefined) return body
    if (response.ok || response.status < 400) {
      const what = `answered ${response.status} without the JSON expected; is the address right?`
      const message = `Guestpass at ${this.#options.baseUrl} ${what}`
      return new Failure(new ServiceError('INTERNAL_ERROR', message, { status: response.status }), false)
    }
    return new Failure(refusalOf(response, body, this.#options.nowMs()), isWorthAnotherTry(response.status))
  }
}

/** A signal that fires after `seconds`, or together with `given`. */
function limited(seconds: number, given: AbortSignal | undefined): { signal: AbortSignal; end: () => void } {
  given?.throwIfAborted()
  const controller = new AbortController()
  const abort = (): void => controller.abort()
  const timer = setTimeout(abort, Math.ceil(seconds * 1000))
  given?.addEventListener('abort', abort, { once: true })
  const end = (): void => {
    clearTimeout(timer)
    given?.removeEventListener('abort', abort)
  }
  return { signal: controller.signal, end }
}

class Failure {
  constructor(
    readonly error: GuestpassError,
    /** Whether the same request may fare better a little later. */
    readonly again: boolean,
  ) {}
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function refusalOf(response: Response, body: unknown, nowMs: number): GuestpassError {
  const said: Record<string, unknown> = typeof body === 'object' && body !== null ? { ...body } : {}
  const text = (name: string): string | undefined => {
    const value = said[name]
    return typeof value === 'string' ? value : undefined
  }
  return errorOf(text('code') ?? codeOfStatus(response.status), text('message'), {
    status: response.status,
    details: Array.isArray(said.details) ? (said.details as ErrorDetail[]) : [],
    docUrl: text('docUrl'),
    requestId: text('requestId') ?? response.headers.get('X-Request-Id') ?? undefined,
    retryAfterSeconds: retryAfterSecondsOf(response.headers.get('Retry-After'), nowMs),
  })
}

function waitFor(seconds: number, signal: AbortSignal | undefined): Promise<unknown> {
  return sleep(seconds * 1000, undefined, signal === undefined ? {} : { signal }).catch((fault: unknown) => {
    signal?.throwIfAborted()
    throw fault
  })
}

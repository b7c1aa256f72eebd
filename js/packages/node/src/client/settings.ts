import { CallerError, RequestError } from '../errors.js'
import { RETRIES_DEFAULT, RETRIES_MAX } from './retry.js'
import { checkTimeout, type TransportOptions } from './transport.js'

/** What `new Guestpass()` takes. */
export interface GuestpassOptions {
  /** `sk_test_…` or `sk_live_…`; by default `GUESTPASS_SECRET_KEY`. It stays on the backend. */
  secretKey?: string | undefined
  /** Where the service is; by default `GUESTPASS_URL`, else `http://127.0.0.1:8787`. */
  baseUrl?: string | undefined
  /**
   * The id (`key_…`) of a key that was made with signing on. Every request is then signed with the
   * secret (`X-API-Signature`, always with a nonce) instead of carrying it.
   */
  signingKeyId?: string | undefined
  /** For one try, reading the answer included; over 0, at most 600; 10 by default. */
  timeoutSeconds?: number | undefined
  /** Tries after the first: 0 to 10, 2 by default. */
  maxRetries?: number | undefined
  /** Instead of the global `fetch`: for a proxy, or for tests. */
  fetch?: typeof fetch | undefined
  /** Unix time in milliseconds, for signed requests; `Date.now` by default. */
  clock?: (() => number) | undefined
}

const BASE_URL_DEFAULT = 'http://127.0.0.1:8787'
const TIMEOUT_SECONDS_DEFAULT = 10
const SECRET_KEY = /^sk_(?:test|live)_[A-Za-z0-9_-]{16,240}$/
const KEY_ID = /^key_[A-Za-z0-9_-]{1,60}$/

// What people paste by mistake, by how it begins, and what it is.
const OTHER_CREDENTIALS: readonly (readonly [RegExp, string])[] = [
  [/^pk_/, 'a publishable key, which is meant for browsers and opens nothing here'],
  [/^ck_/, 'the client key of a partner app'],
  [/^key_/, 'the id of an API key, not its secret'],
  [/^[a-z]+_refresh_/, 'a refresh token, which belongs to one user'],
  [/^(?:[a-z]+_session_|eyJ)/, 'a session token, which belongs to one user'],
]
const HOW_TO_GET_ONE =
  'Pass secretKey or set GUESTPASS_SECRET_KEY to a secret key (sk_test_… or sk_live_…); ' +
  '`guestpass keys create --env test --name backend` makes one.'

/**
 * Reads the options, then the environment.
 *
 * @throws CallerError for a missing or wrong kind of key, RequestError for anything else that cannot be used.
 */
export function readSettings(options: GuestpassOptions, env: NodeJS.ProcessEnv): TransportOptions {
  const { signingKeyId, timeoutSeconds = TIMEOUT_SECONDS_DEFAULT, maxRetries = RETRIES_DEFAULT } = options
  checkTimeout(timeoutSeconds)
  if (!Number.isInteger(maxRetries) || maxRetries < 0 || maxRetries > RETRIES_MAX) {
    throw refused('maxRetries', `must be a whole number from 0 to ${RETRIES_MAX}`)
  }
  if (signingKeyId !== undefined && !KEY_ID.test(signingKeyId)) {
    throw refused('signingKeyId', 'must be the id of an API key, like key_…; its secret goes into secretKey')
  }
  return {
    baseUrl: checkedUrl((options.baseUrl || env.GUESTPASS_URL || BASE_URL_DEFAULT).trim()),
    secretKey: checkedKey((options.secretKey ?? env.GUESTPASS_SECRET_KEY ?? '').trim()),
    signingKeyId,
    timeoutSeconds,
    maxRetries,
    // Looked up at each call: test tools replace the global one.
    fetch: options.fetch ?? ((...request) => globalThis.fetch(...request)),
    nowMs: options.clock ?? Date.now,
  }
}

/** Returns the key, or says what was given instead, without repeating it. */
function checkedKey(key: string): string {
  if (key === '') throw new CallerError('UNAUTHORIZED', `There is no secret key. ${HOW_TO_GET_ONE}`)
  for (const [beginning, what] of OTHER_CREDENTIALS) {
    if (beginning.test(key)) throw new CallerError('UNAUTHORIZED', `This is ${what}. ${HOW_TO_GET_ONE}`)
  }
  if (SECRET_KEY.test(key)) return key
  const message = `This does not have the shape of a secret key; was it cut when copied? ${HOW_TO_GET_ONE}`
  throw new CallerError('UNAUTHORIZED', message)
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw refused('baseUrl', 'must be an address like https://guestpass.example.com')
  }
  // A user name in the address would show up in every log of addresses.
  if (url.username || url.password) throw refused('baseUrl', 'must not hold a user name or password')
  if (/[?#]/.test(text)) throw refused('baseUrl', 'must end with the path: no ? and no #')
  return url.href.replace(/\/+$/, '')
}

function refused(path: string, rule: string): RequestError {
  return new RequestError('VALIDATION_ERROR', `${path} ${rule}.`, { details: [{ path, message: rule }] })
}

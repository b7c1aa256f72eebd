import { performance } from 'node:perf_hooks'
import type { Environment } from '../client/model.js'
import { RequestError, TokenError } from '../errors.js'
import { check, type Expectation, type FindKey, LEEWAY_SECONDS_MAX, UnknownKey } from './check.js'
import { readIssuer } from './issuer.js'
import { KeySource } from './key-source.js'
import { type AsymmetricAlgorithm, hmacKey, type KeySet, readKeySet } from './keys.js'
import { Session } from './session.js'

/** What `new Verifier()` takes. */
export interface VerifierOptions {
  /** Exact bytes, no trailing slash: `{base}/test`, `{base}/live/proj_…`. By default `GUESTPASS_ISSUER`. */
  issuer?: string | undefined
  /** The issuer by default, as the service has it. */
  audience?: string | undefined
  /** Needed only for an issuer whose URL does not end in its environment and that is given no `jwksUrl` that says it. */
  environment?: Environment | undefined
  /** By default all three: `ES256`, `EdDSA`, `RS256`. The token never chooses. */
  algorithms?: readonly AsymmetricAlgorithm[] | undefined
  /** `{issuer}/.well-known/jwks.json` by default; needed for an issuer that was replaced verbatim. */
  jwksUrl?: string | undefined
  /** A key set to use instead of fetching one: then nothing is ever fetched. */
  keys?: { readonly keys: readonly object[] } | undefined
  /** The project's HS256 secret, at least 32 bytes: then HS256 alone is accepted, and nothing is ever fetched. */
  secret?: string | Uint8Array | undefined
  /** For clocks that differ: 0 to 60, 5 by default. */
  leewaySeconds?: number | undefined
  /** Unix time in milliseconds; `Date.now` by default. */
  clock?: (() => number) | undefined
  /** Instead of the global `fetch`, for the key set. */
  fetch?: typeof fetch | undefined
}

export interface VerifyOptions {
  /** Refuse a good token that was issued longer ago (`TOKEN_TOO_OLD`): for payments and the like. */
  maxAgeSeconds?: number | undefined
}

const LEEWAY_SECONDS_DEFAULT = 5
const ALGORITHMS: readonly AsymmetricAlgorithm[] = ['ES256', 'EdDSA', 'RS256']

/**
 * Checks session and access tokens of one issuer without asking the service for each: signature, type,
 * issuer, audience, environment, project, time. It fetches the issuer's keys and nothing else.
 *
 * It does not see a revocation before the token ends: mint short tokens, or ask `gp.tokens.verify()` where
 * that matters. Opaque tokens and tokens with `maxUses` are refused, since only the service can check them.
 */
export class Verifier {
  readonly issuer: string
  readonly #expect: Expectation
  readonly #fixed: FindKey | undefined
  readonly #source: KeySource | undefined
  readonly #clock: () => number

  /** @throws RequestError (`VALIDATION_ERROR`) for an option that cannot be used. */
  constructor(options: VerifierOptions = {}) {
    const issuer = options.issuer ?? process.env.GUESTPASS_ISSUER
    if (!issuer) throw refused('issuer', 'is missing: pass it, or set GUESTPASS_ISSUER')
    if (issuer.endsWith('/')) throw refused('issuer', 'is compared byte for byte, and never ends in a slash')
    this.issuer = issuer
    this.#expect = expectationOf(issuer, options)
    this.#fixed = fixedKeys(options)
    this.#clock = options.clock ?? Date.now
    if (this.#fixed === undefined) {
      this.#source = new KeySource({
        url: checkedUrl(options.jwksUrl ?? `${issuer}/.well-known/jwks.json`),
        // Looked up at each call: test tools replace the global one.
        fetch: options.fetch ?? ((...request) => globalThis.fetch(...request)),
        elapsedMs: () => performance.now(),
      })
    }
  }

  /**
   * Says whose session a token proves.
   *
   * @param token - As it was sent, without `Bearer`; at most 3 840 bytes.
   * @throws TokenError (401) whose `code` says why not; ServiceError (`UNAVAILABLE`, 503) while the keys
   * cannot be fetched and those held are over an hour old.
   */
  async verify(token: string, { maxAgeSeconds }: VerifyOptions = {}): Promise<Session> {
    if (typeof token !== 'string') throw new TokenError('TOKEN_MISSING')
    if (maxAgeSeconds !== undefined && !(maxAgeSeconds >= 0))
      throw refused('maxAgeSeconds', 'must be 0 or more')
    const expect = { ...this.#expect, maxAgeSeconds }
    const now = Math.floor(this.#clock() / 1000)
    if (this.#fixed !== undefined) return sessionOf(check(token, expect, this.#fixed, now))
    return this.#verifyWithFetchedKeys(token, expect, now)
  }

  async #verifyWithFetchedKeys(token: string, expect: Expectation, now: number): Promise<Session> {
    const source = this.#source as KeySource
    const keys = await source.current()
    try {
      return sessionOf(check(token, expect, inSet(keys), now))
    } catch (fault) {
      const later = fault instanceof UnknownKey ? await source.afterUnknown(fault.kid) : undefined
      if (later === undefined) throw fault
      return sessionOf(check(token, expect, inSet(later), now))
    }
  }
}

/** @throws RequestError (`VALIDATION_ERROR`). */
export function checkMaxAge(seconds: number | undefined): void {
  if (seconds !== undefined && !(seconds >= 0)) throw refused('maxAgeSeconds', 'must be 0 or more')
}

function sessionOf(claims: ReturnType<typeof check>): Session {
  // A use would have to be counted, by the service or by a shared guard; accepting without counting is no limit.
  if (claims.max_uses !== undefined) {
    const message = 'This token has a limited number of uses, which an offline verifier cannot count.'
    throw new TokenError('TOKEN_TYPE_MISMATCH', message)
  }
  return new Session(claims)
}

function expectationOf(issuer: string, options: VerifierOptions): Expectation {
  const { leewaySeconds = LEEWAY_SECONDS_DEFAULT, algorithms = ALGORITHMS, secret } = options
  if (!(leewaySeconds >= 0 && leewaySeconds <= LEEWAY_SECONDS_MAX)) {
    throw refused('leewaySeconds', `must be 0 to ${LEEWAY_SECONDS_MAX}`)
  }
  if (algorithms.length === 0 || algorithms.some((name) => !ALGORITHMS.includes(name))) {
    throw refused('algorithms', `must be some of ${ALGORITHMS.join(', ')}; HS256 comes with secret alone`)
  }
  const said = readIssuer(issuer)
  const saidByKeys = options.jwksUrl?.replace(/\/\.well-known\/jwks\.json$/, '')
  return {
    issuer,
    audience: options.audience ?? issuer,
    environment: options.environment ?? said?.environment ?? readIssuer(saidByKeys ?? '')?.environment,
    projectId: said?.projectId ?? null,
    base: said?.base,
    algorithms: new Set(secret === undefined ? algorithms : ['HS256' as const]),
    leewaySeconds,
    startLeewaySeconds: leewaySeconds,
  }
}

function fixedKeys({ secret, keys, jwksUrl }: VerifierOptions): FindKey | undefined {
  if ([secret, keys, jwksUrl].filter((given) => given !== undefined).length > 1) {
    // Beside an asymmetric key, its public half could be used as the secret (RFC 8725 section 2.1).
    throw refused('secret', 'excludes keys and jwksUrl, and keys excludes jwksUrl')
  }
  if (secret !== undefined) {
    const key = hmacKey(secret)
    return () => key
  }
  if (keys === undefined) return undefined
  const set = readKeySet(Buffer.from(JSON.stringify(keys)))
  if (set === undefined || set.size === 0)
    throw refused('keys', 'must be a JSON Web Key Set with at least one usable public key')
  return inSet(set)
}

function inSet(keys: KeySet): FindKey {
  return (kid) => (kid === undefined ? undefined : keys.get(kid))
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && ['http:', 'https:'].includes(url.protocol)) return text
  throw refused('jwksUrl', 'must be an http(s) address; pass it where the issuer is none')
}

function refused(path: string, rule: string): RequestError {
  return new RequestError('VALIDATION_ERROR', `${path} ${rule}.`, { details: [{ path, message: rule }] })
}

import { performance } from 'node:perf_hooks'
import type { Environment } from '../client/model.js'
import { RequestError, TokenError } from '../errors.js'
import { check, type Expectation, type FindKey, LEEWAY_SECONDS_MAX, UnknownKey } from './check.js'
import type { SessionClaims } from './claims.js'
import { RETRY_MS } from './document.js'
import { readIssuer } from './issuer.js'
import { KeySource } from './key-source.js'
import { type AsymmetricAlgorithm, hmacKey, type KeySet, readKeySet } from './keys.js'
import { Lists } from './lists.js'
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
  /** A key set to use instead of fetching one, for tests: then nothing is ever fetched, and no revoke is seen. */
  keys?: { readonly keys: readonly object[] } | undefined
  /** The project's HS256 secret, at least 32 bytes: then HS256 alone is accepted; published keys are for lists alone. */
  secret?: string | Uint8Array | undefined
  /** For clocks that differ: 0 to 60, 5 by default. */
  leewaySeconds?: number | undefined
  /** How often the lists of what was revoked are fetched, while tokens come: 1 to 3 600, 5 by default. */
  pollSeconds?: number | undefined
  /** How long they count beyond that while they cannot be fetched: 0 to 3 600, 300 by default. */
  maxStaleSeconds?: number | undefined
  /** Unix time in milliseconds; `Date.now` by default. */
  clock?: (() => number) | undefined
  /** Instead of the global `fetch`, for keys and lists. */
  fetch?: typeof fetch | undefined
}

export interface VerifyOptions {
  /** Refuse a good token that was issued longer ago (`TOKEN_TOO_OLD`): for payments and the like. */
  maxAgeSeconds?: number | undefined
}

const LEEWAY_SECONDS_DEFAULT = 5
const POLL_SECONDS_DEFAULT = 5
const MAX_STALE_SECONDS_DEFAULT = 300
const LIST_SECONDS_MAX = 3600
const JWKS_PATH = '/.well-known/jwks.json'
const ALGORITHMS: readonly AsymmetricAlgorithm[] = ['ES256', 'EdDSA', 'RS256']

/**
 * Checks session and access tokens of one issuer without asking the service for each: signature, type,
 * issuer, audience, environment, project, time; and by the issuer's published lists, whether the session was revoked or
 * suspended. It fetches keys and lists, and nothing else.
 *
 * A revoke is seen `pollSeconds`, a second and one fetch later at most. Opaque tokens and tokens with `maxUses` are
 * refused, since only the service can check them.
 */
export class Verifier {
  readonly issuer: string
  readonly #expect: Expectation
  readonly #fixed: FindKey | undefined
  readonly #source: KeySource | undefined
  readonly #lists: Lists | undefined
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
    if (options.keys !== undefined) return
    const jwksUrl = checkedUrl(options.jwksUrl ?? issuer + JWKS_PATH)
    // Looked up at each call: test tools replace the global one.
    const fetch: typeof globalThis.fetch = options.fetch ?? ((...request) => globalThis.fetch(...request))
    const elapsedMs = (): number => performance.now()
    const source = new KeySource({ url: jwksUrl, fetch, elapsedMs })
    this.#source = source
    const location = jwksUrl.endsWith(JWKS_PATH) ? jwksUrl.slice(0, -JWKS_PATH.length) : issuer
    this.#lists = new Lists(location, issuer, {
      fetch,
      elapsedMs,
      clock: this.#clock,
      pollSeconds: within('pollSeconds', options.pollSeconds ?? POLL_SECONDS_DEFAULT, 1),
      maxStaleSeconds: within('maxStaleSeconds', options.maxStaleSeconds ?? MAX_STALE_SECONDS_DEFAULT, 0),
      keys: () => source.current(),
      newKeys: () => source.after(RETRY_MS),
    })
  }

  /**
   * Says whose session a token proves.
   *
   * @param token - As it was sent, without `Bearer`; at most 3 840 bytes.
   * @throws TokenError (401) whose `code` says why not; ServiceError (`UNAVAILABLE`, 503) while the keys or the lists
   * cannot be fetched and those held are too old.
   */
  async verify(token: string, { maxAgeSeconds }: VerifyOptions = {}): Promise<Session> {
    if (typeof token !== 'string') throw new TokenError('TOKEN_MISSING')
    if (maxAgeSeconds !== undefined && !(maxAgeSeconds >= 0))
      throw refused('maxAgeSeconds', 'must be 0 or more')
    const expect = { ...this.#expect, maxAgeSeconds }
    const now = Math.floor(this.#clock() / 1000)
    const fixed = this.#fixed
    const claims = fixed
      ? check(token, expect, fixed, now)
      : await this.#claimsByFetchedKeys(token, expect, now)
    const goesOn = await this.#goesOn(claims, now)
    return sessionOf(claims, goesOn)
  }

  async #claimsByFetchedKeys(token: string, expect: Expectation, now: number): Promise<SessionClaims> {
    const source = this.#source as KeySource
    const keys = await source.current()
    try {
      return check(token, expect, inSet(keys), now)
    } catch (fault) {
      const later = fault instanceof UnknownKey ? await source.afterUnknown(fault.kid) : undefined
      if (later === undefined) throw fault
      return check(token, expect, inSet(later), now)
    }
  }

  /** Of a suspended session, the operations that go on; undefined while it lives. @throws TokenError once it has ended. */
  async #goesOn(claims: SessionClaims, now: number): Promise<readonly string[] | undefined> {
    if (this.#lists === undefined) return undefined
    const standing = await this.#lists.standingOf(claims, now)
    if (standing === undefined) {
      const message = 'The token names no status list, so nobody here can tell whether it was revoked.'
      throw new TokenError('TOKEN_MALFORMED', message)
    }
    if (standing.is === 'ended')
      throw new TokenError('TOKEN_REVOKED', undefined, { reissue: standing.reissue })
    return standing.is === 'suspended' ? standing.goesOn : undefined
  }
}

/** @throws RequestError (`VALIDATION_ERROR`). */
export function checkMaxAge(seconds: number | undefined): void {
  if (seconds !== undefined && !(seconds >= 0)) throw refused('maxAgeSeconds', 'must be 0 or more')
}

function sessionOf(claims: SessionClaims, goesOn: readonly string[] | undefined): Session {
  // A use would have to be counted, by the service or by a shared guard; accepting without counting is no limit.
  if (claims.max_uses !== undefined) {
    const message = 'This token has a limited number of uses, which an offline verifier cannot count.'
    throw new TokenError('TOKEN_TYPE_MISMATCH', message)
  }
  const session = new Session(claims, goesOn)
  if (session.suspended && session.operations.length === 0) throw new TokenError('SESSION_SUSPENDED')
  return session
}

function within(name: string, seconds: number, least: number): number {
  if (seconds >= least && seconds <= LIST_SECONDS_MAX) return seconds
  throw refused(name, `must be ${least} to ${LIST_SECONDS_MAX}`)
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
  if (keys !== undefined && (secret !== undefined || jwksUrl !== undefined)) {
    // Beside a secret, the public half of an asymmetric key could be used as one (RFC 8725 section 2.1).
    throw refused('keys', 'excludes secret and jwksUrl')
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

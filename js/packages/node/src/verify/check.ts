import type { Environment } from '../client/model.js'
import { TokenError } from '../errors.js'
import { decodeBase64url } from './base64url.js'
import { readClaims, type SessionClaims, unverifiedIssuer } from './claims.js'
import { otherEnvironment } from './issuer.js'
import { type Algorithm, isObject, KID_LENGTH_MAX, type VerifyingKey } from './keys.js'
import { isOpaqueBody } from './opaque.js'
import { parseStrictJson } from './strict-json.js'

/** With a cookie's name and attributes this still fits 4096 (RFC 6265 section 6.1). Longer is refused unread. */
export const TOKEN_BYTES_MAX = 3840
export const LEEWAY_SECONDS_MAX = 60

/** What a verifier demands. There is no "any issuer", and no switch that turns a check off. */
export interface Expectation {
  readonly issuer: string
  readonly audience: string
  /** undefined: the issuer's URL does not say; then the prefix and the claim must agree. */
  readonly environment: Environment | undefined
  /** null: not known here; the issuer stands for it. */
  readonly projectId: string | null
  /** The service's public URL: tells a token of a sibling issuer from a foreign one. */
  readonly base: string | undefined
  /** From our configuration, never from the token (RFC 8725 section 3.1). */
  readonly algorithms: ReadonlySet<Algorithm>
  /** For `exp`, and for `nbf` and `iat`: 0 to 60 each. */
  readonly leewaySeconds: number
  readonly startLeewaySeconds: number
  readonly maxAgeSeconds?: number | undefined
}

export type FindKey = (kid: string | undefined) => VerifyingKey | undefined

/** A token of the own issuer names a key that is not known (yet): the one reason to fetch. */
export class UnknownKey extends TokenError {
  constructor(readonly kid: string) {
    super('TOKEN_KEY_UNKNOWN')
  }
}

/** Of a token, or of a list. */
export interface Header {
  readonly alg: string
  readonly kid: string | undefined
  readonly typ: string | undefined
}

interface Parts {
  /** What the prefix says; undefined for a bare JWT. */
  readonly environment: Environment | undefined
  readonly header: Header
  readonly payload: Uint8Array
  readonly signed: Uint8Array
  readonly signature: Uint8Array
}

const BEARER_TYPES: ReadonlySet<string | undefined> = new Set(['guestpass-session+jwt', 'at+jwt'])
const PREFIX = /^gp_(session|refresh)_(test|live)_/
const SECRET_KEY = /^sk_(?:test|live)_/
const SECRET_KEY_SHOWN = 'This is a secret API key, not a token. It must never leave your backend.'
const HEADER_BYTES_MAX = 2048
const HEADER_DEPTH_MAX = 4
const HEADER_LENGTH_MAX = { alg: 32, kid: KID_LENGTH_MAX, typ: 128 } as const
// crit and b64 change what is signed (RFC 7797), zip, enc and the p2 names what is read, the rest brings a
// key or an address of one along. None is ever followed, so none may be there.
const REFUSED_HEADER_NAMES = [
  ...['crit', 'b64', 'zip', 'enc', 'jku', 'jwk', 'x5u', 'x5c', 'x5t', 'x5t#S256'],
  ...['epk', 'apu', 'apv', 'iv', 'tag', 'p2s', 'p2c'],
]

/**
 * Walks the contract's order: prefix and shape, algorithm, key, signature, type, claims, issuer, audience,
 * environment, project, time. Nothing of the payload is used before the signature holds, but for the code of
 * a token whose key is unknown.
 *
 * @param now - Unix time in whole seconds.
 * @throws TokenError with the code of the first check that fails.
 * See RFC 7515 section 5.2, RFC 7519 section 7.2, RFC 8725 section 3.
 */
export function check(token: string, expect: Expectation, findKey: FindKey, now: number): SessionClaims {
  const parts = split(token, expect)
  const { header } = parts
  if (!(expect.algorithms as ReadonlySet<string>).has(header.alg))
    throw new TokenError('TOKEN_ALGORITHM_REFUSED')
  const key = findKey(header.kid)
  if (key === undefined) throw unknownKey(header, parts.payload, expect)
  if (key.algorithm !== header.alg) {
    throw new TokenError(
      'TOKEN_ALGORITHM_REFUSED',
      'The key that the token names belongs to another algorithm.',
    )
  }
  if (!key.verifies(parts.signed, parts.signature)) throw new TokenError('TOKEN_SIGNATURE_INVALID')
  checkKind(parts)
  const claims = readClaims(parts.payload)
  if (claims === undefined) throw malformed('A claim is missing, or not of its type.')
  checkPlace(claims, parts, expect)
  checkTime(claims, expect, now)
  return claims
}

function split(token: string, expect: Expectation): Parts {
  if (token === '') throw new TokenError('TOKEN_MISSING')
  if (token.length > TOKEN_BYTES_MAX)
    throw malformed(`The token is longer than ${TOKEN_BYTES_MAX} bytes; it was not read.`)
  const environment = environmentOf(token, expect)
  const body = environment === undefined ? token : token.slice(prefixOf(environment).length)
  const segments = body.split('.')
  if (environment !== undefined && segments.length === 1) throw opaque(token, body)
  const [header, payload, signature] = segments.map(decodeBase64url)
  if (segments.length !== 3 || !segments[0] || !segments[1])
    throw malformed('A signed token has three parts, joined by dots.')
  if (header === undefined || payload === undefined || signature === undefined) throw malformed()
  const signed = Buffer.from(`${segments[0]}.${segments[1]}`)
  return { environment, header: readHeader(header), payload, signed, signature }
}

/** What the prefix says; undefined for a bare JWT. */
function environmentOf(token: string, expect: Expectation): Environment | undefined {
  const [prefix, kind, environment] = PREFIX.exec(token) ?? []
  if (prefix === undefined) {
    if (SECRET_KEY.test(token)) throw malformed(SECRET_KEY_SHOWN)
    if (token.includes('.')) return undefined
    throw malformed()
  }
  const own = expect.environment ?? (environment as Environment)
  if (environment !== own) {
    const message = `This is a ${environment} token; here only ${own} tokens are accepted.`
    throw new TokenError('TOKEN_ENVIRONMENT_MISMATCH', message)
  }
  if (kind === 'session') return own
  const message = 'This is a refresh token; it is accepted by the refresh and logout routes only.'
  throw new TokenError('TOKEN_TYPE_MISMATCH', message)
}

function opaque(token: string, body: string): TokenError {
  if (!isOpaqueBody(token, body)) return malformed('The opaque token was cut or mistyped.')
  const message = 'This is an opaque token; only the service can check it, and this verifier works offline.'
  return new TokenError('TOKEN_TYPE_MISMATCH', message)
}

/** @throws TokenError (`TOKEN_MALFORMED`). */
export function readHeader(bytes: Uint8Array): Header {
  const header = bytes.length > HEADER_BYTES_MAX ? undefined : parseStrictJson(bytes, HEADER_DEPTH_MAX)
  if (!isObject(header)) throw malformed()
  const text = (name: keyof typeof HEADER_LENGTH_MAX): string | undefined => {
    const value = header[name]
    if (value === undefined) return undefined
    if (typeof value !== 'string' || value === '' || value.length > HEADER_LENGTH_MAX[name]) throw malformed()
    return value
  }
  const alg = text('alg')
  if (alg === undefined || REFUSED_HEADER_NAMES.some((name) => Object.hasOwn(header, name))) throw malformed()
  return { alg, kid: text('kid'), typ: text('typ') }
}

/** The unverified `iss` chooses only the code and whether to fetch. */
function unknownKey({ kid }: Header, payload: Uint8Array, expect: Expectation): TokenError {
  const issuer = unverifiedIssuer(payload)
  if (issuer === expect.issuer) {
    return kid === undefined ? new TokenError('TOKEN_KEY_UNKNOWN') : new UnknownKey(kid)
  }
  if (issuer !== undefined && expect.base !== undefined && expect.environment !== undefined) {
    const isUnder = (root: string): boolean => issuer === root || issuer.startsWith(`${root}/proj_`)
    if (isUnder(`${expect.base}/${otherEnvironment(expect.environment)}`))
      return new TokenError('TOKEN_ENVIRONMENT_MISMATCH')
    if (isUnder(`${expect.base}/${expect.environment}`)) return new TokenError('TOKEN_PROJECT_MISMATCH')
  }
  return new TokenError('TOKEN_ISSUER_MISMATCH')
}

/** A prefix stands for a session token: it is not under the signature, so the type must agree with it. */
function checkKind({ header, environment }: Parts): void {
  const fits =
    environment === undefined ? BEARER_TYPES.has(header.typ) : header.typ === 'guestpass-session+jwt'
  if (!fits) throw new TokenError('TOKEN_TYPE_MISMATCH')
}

function checkPlace(claims: SessionClaims, parts: Parts, expect: Expectation): void {
  if (claims.iss !== expect.issuer) throw new TokenError('TOKEN_ISSUER_MISMATCH')
  if (claims.aud !== expect.audience) throw new TokenError('TOKEN_AUDIENCE_MISMATCH')
  const environment = expect.environment ?? parts.environment
  const fits =
    environment === undefined
      ? ['test', 'live'].includes(claims.environment)
      : claims.environment === environment
  if (!fits) throw new TokenError('TOKEN_ENVIRONMENT_MISMATCH')
  if (expect.projectId !== null && claims.project_id !== expect.projectId)
    throw new TokenError('TOKEN_PROJECT_MISMATCH')
}

function checkTime(claims: SessionClaims, expect: Expectation, now: number): void {
  // Expired from the second `exp` on (RFC 7519 section 4.1.4).
  const late = now - claims.exp - expect.leewaySeconds
  if (late >= 0)
    throw new TokenError(
      'TOKEN_EXPIRED',
      `The token expired ${now - claims.exp} s ago by this verifier's clock.`,
    )
  const start = Math.max(claims.iat, claims.nbf ?? 0)
  if (start - now > expect.startLeewaySeconds) {
    const message = `The token begins ${start - now} s from now by this verifier's clock; compare the two clocks.`
    throw new TokenError('TOKEN_NOT_YET_VALID', message)
  }
  const limit = expect.maxAgeSeconds
  const age = now - claims.iat
  if (limit !== undefined && age > limit + expect.startLeewaySeconds) {
    throw new TokenError('TOKEN_TOO_OLD', `The token is ${age} s old; this call allows ${limit} s.`)
  }
}

function prefixOf(environment: Environment): string {
  return `gp_session_${environment}_`
}

function malformed(message?: string): TokenError {
  return new TokenError('TOKEN_MALFORMED', message)
}

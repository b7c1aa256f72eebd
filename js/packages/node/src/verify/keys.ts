import { createHmac, createPublicKey, type KeyObject, timingSafeEqual, verify } from 'node:crypto'
import { decodeBase64url } from './base64url.js'
import { type Json, type JsonObject, parseStrictJson } from './strict-json.js'

export type AsymmetricAlgorithm = 'ES256' | 'EdDSA' | 'RS256'
export type Algorithm = AsymmetricAlgorithm | 'HS256'

/** One key bound to the one algorithm it may be used with (RFC 8725 section 3.1). */
export interface VerifyingKey {
  readonly kid: string
  readonly algorithm: Algorithm
  verifies(signed: Uint8Array, signature: Uint8Array): boolean
}

/** By `kid`. */
export type KeySet = ReadonlyMap<string, VerifyingKey>

const KEYS_MAX = 100
export const KID_LENGTH_MAX = 256
const RSA_BITS_MIN = 2048
const RSA_BITS_MAX = 8192
const RSA_EXPONENT_MIN = 65_537n
const RSA_EXPONENT_MAX = 2n ** 32n - 1n
const P256_BYTES = 32
const ED25519_BYTES = 32
const ED25519_SIGNATURE_BYTES = 64
const ES256_SIGNATURE_BYTES = 64
const HS256_SECRET_BYTES_MIN = 32
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth']
const ED25519_P = 2n ** 255n - 19n
const ORDER_8_Y = 0x5fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n
// The y of the points of Ed25519 whose order divides 8. Under such a key one signature fits many messages;
// as R it is harmless, but verifiers disagree about it, and ours shall not.
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([0n, 1n, ED25519_P - 1n, ORDER_8_Y, ED25519_P - ORDER_8_Y])

/**
 * Reads a JSON Web Key Set (RFC 7517 section 5). Keys that are not admitted are left out, so that an issuer
 * may publish others beside ours.
 *
 * @returns undefined for what is no key set, has over 100 keys, or has two usable keys with one `kid`.
 */
export function readKeySet(bytes: Uint8Array): KeySet | undefined {
  const document = parseStrictJson(bytes)
  const jwks = isObject(document) ? document.keys : undefined
  if (!Array.isArray(jwks) || jwks.length > KEYS_MAX) return undefined
  const keys = new Map<string, VerifyingKey>()
  for (const jwk of jwks) {
    const key = isObject(jwk) ? admit(jwk) : undefined
    if (key === undefined) continue
    if (keys.has(key.kid)) return undefined
    keys.set(key.kid, key)
  }
  return keys
}

/** A key for HS256, from a secret of at least 32 bytes. @throws RangeError for a shorter one. */
export function hmacKey(secret: string | Uint8Array): VerifyingKey {
  const bytes = Buffer.from(secret)
  if (bytes.length < HS256_SECRET_BYTES_MIN)
    throw new RangeError(`secret must have at least ${HS256_SECRET_BYTES_MIN} bytes`)
  return {
    kid: '',
    algorithm: 'HS256',
    verifies(signed, signature) {
      const expected = createHmac('sha256', bytes).update(signed).digest()
      return signature.length === expected.length && timingSafeEqual(signature, expected)
    },
  }
}

function admit(jwk: JsonObject): VerifyingKey | undefined {
  const { kid, kty, use, key_ops: operations, alg } = jwk
  if (typeof kid !== 'string' || kid === '' || kid.length > KID_LENGTH_MAX) return undefined
  if (use !== undefined && use !== 'sig') return undefined
  if (operations !== undefined && !isForVerifying(operations)) return undefined
  // Who publishes a private part has lost the key.
  if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name))) return undefined
  const algorithm = algorithmOf(jwk)
  if (algorithm === undefined || (alg !== undefined && alg !== algorithm)) return undefined
  const names = { ES256: ['crv', 'x', 'y'], EdDSA: ['crv', 'x'], RS256: ['n', 'e'] }[algorithm]
  const members = Object.fromEntries(names.map((name) => [name, jwk[name]]))
  return importKey(kid, algorithm, { kty, ...members })
}

function algorithmOf({ kty, crv, x, y, n, e }: JsonObject): AsymmetricAlgorithm | undefined {
  if (kty === 'EC' && crv === 'P-256' && bytesOf(x) === P256_BYTES && bytesOf(y) === P256_BYTES)
    return 'ES256'
  if (kty === 'OKP' && crv === 'Ed25519' && bytesOf(x) === ED25519_BYTES) return 'EdDSA'
  if (kty === 'RSA' && bytesOf(n) > 0 && bytesOf(e) > 0) return 'RS256'
  return undefined
}

function importKey(
  kid: string,
  algorithm: AsymmetricAlgorithm,
  jwk: Record<string, unknown>,
): VerifyingKey | undefined {
  let key: KeyObject
  try {
    key = createPublicKey({ format: 'jwk', key: jwk as never })
  } catch {
    return undefined // a point that is not on the curve, above all
  }
  if (algorithm === 'RS256' && !isSoundRsa(key)) return undefined
  if (algorithm === 'EdDSA' && !isSoundPoint(Buffer.from(jwk.x as string, 'base64url'))) return undefined
  return { kid, algorithm, verifies: (signed, signature) => holds(algorithm, key, signed, signature) }
}

function holds(
  algorithm: AsymmetricAlgorithm,
  key: KeyObject,
  signed: Uint8Array,
  signature: Uint8Array,
): boolean {
  switch (algorithm) {
    case 'EdDSA':
      if (signature.length !== ED25519_SIGNATURE_BYTES) return false
      return isSoundPoint(signature.subarray(0, ED25519_BYTES)) && verify(null, signed, key, signature)
    case 'ES256':
      // RFC 7518 section 3.4: r and s side by side; a DER signature has another length and form.
      if (signature.length !== ES256_SIGNATURE_BYTES) return false
      return verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature)
    case 'RS256':
      return verify('sha256', signed, key, signature)
  }
}

function isSoundRsa(key: KeyObject): boolean {
  const { modulusLength: bits = 0, publicExponent: exponent = 0n } = key.asymmetricKeyDetails ?? {}
  const fits = exponent >= RSA_EXPONENT_MIN && exponent <= RSA_EXPONENT_MAX && exponent % 2n === 1n
  return fits && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX
}

/** Neither of small order nor a second spelling of another point (RFC 8032 section 5.1.3). */
function isSoundPoint(bytes: Uint8Array): boolean {
  const encoded = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
  const y = BigInt.asUintN(255, encoded) // the last bit is the sign of x
  return y < ED25519_P && !SMALL_ORDER_Y.has(y)
}

/** RFC 7517 section 4.3: no name twice, and nothing that does not go with signatures. */
function isForVerifying(operations: Json): boolean {
  if (!Array.isArray(operations) || !operations.includes('verify')) return false
  return (
    new Set(operations).size === operations.length &&
    operations.every((name) => name === 'verify' || name === 'sign')
  )
}

function bytesOf(member: Json | undefined): number {
  return typeof member === 'string' ? (decodeBase64url(member)?.length ?? 0) : 0
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readKeySet } from '../src/verify/keys.js'
import { parseStrictJson } from '../src/verify/strict-json.js'

// The repository's copies of public vectors; the packed SDK is tested without them.
const folder = join(import.meta.dirname, '../../../../tests/vectors')
const load = (path: string): never => JSON.parse(readFileSync(join(folder, path), 'utf8')) as never

// A point with a low-order part beside a sound one is a key like others; a low-order residue fails without
// the cofactor. The same verdicts as those of the Python core.
const ODD_KEY: readonly string[] = ['low_order_A', 'non_canonical_A']
const ODD_SIGNATURE: readonly string[] = ['low_order_R', 'non_canonical_R', 'low_order_residue']

interface JsonCase {
  readonly name: string
  readonly expect: 'accept' | 'reject' | 'either'
  readonly b64: string
}
interface CctvCase {
  readonly number: number
  readonly key: string
  readonly sig: string
  readonly msg: string
  readonly flags: readonly string[] | null
}
interface SignatureGroup {
  readonly publicKeyJwk?: Record<string, unknown>
  readonly keyJwk?: Record<string, unknown>
  readonly tests: readonly {
    readonly tcId: number
    readonly comment: string
    readonly msg: string
    readonly sig: string
    readonly result: 'valid' | 'invalid' | 'acceptable'
  }[]
}

describe.skipIf(!existsSync(folder))('public vectors', () => {
  test('JSONTestSuite: what is not JSON is refused, and what is JSON is read, but for members that occur twice', () => {
    const { parsing } = load('json-parsing/jsontestsuite.json') as { parsing: JsonCase[] }
    expect(parsing.length).toBeGreaterThan(300)
    for (const { name, expect: verdict, b64 } of parsing) {
      const value = parseStrictJson(Buffer.from(b64, 'base64'))
      if (verdict === 'reject') expect(value, name).toBeUndefined()
      const isTwice = name.includes('duplicated_key')
      if (verdict === 'accept') expect(value === undefined, name).toBe(isTwice)
    }
  })

  test('CCTV: no odd point of Ed25519 is a key, and none signs', () => {
    const cases = load('ed25519/cctv_ed25519vectors.json') as CctvCase[]
    let good = 0
    for (const { number, key: x, sig, msg, flags } of cases) {
      const jwk = { kty: 'OKP', crv: 'Ed25519', kid: 'k', x: Buffer.from(x, 'hex').toString('base64url') }
      const key = readKeySet(Buffer.from(JSON.stringify({ keys: [jwk] })))?.get('k')
      const holds = key?.verifies(Buffer.from(msg), Buffer.from(sig, 'hex')) ?? false
      const has = (odd: readonly string[]): boolean => flags?.some((flag) => odd.includes(flag)) ?? false
      expect(key !== undefined, String(number)).toBe(!has(ODD_KEY))
      expect(holds, String(number)).toBe(!has(ODD_KEY) && !has(ODD_SIGNATURE))
      good += Number(holds)
    }
    expect(good).toBeGreaterThan(0)
  })

  test.each([
    ['ecdsa_secp256r1_sha256_p1363_test', 'ES256'],
    ['ed25519_test', 'EdDSA'],
    ['rsa_signature_2048_sha256_test', 'RS256'],
  ] as const)('Wycheproof %s', (file, alg) => {
    const { testGroups } = load(`wycheproof/${file}.json`) as { testGroups: SignatureGroup[] }
    let good = 0
    for (const { publicKeyJwk, keyJwk, tests } of testGroups) {
      const jwk = { ...(publicKeyJwk ?? keyJwk), kid: 'k', alg }
      const key = readKeySet(Buffer.from(JSON.stringify({ keys: [jwk] })))?.get('k')
      // Keys of other sizes and exponents are not admitted, and then accept nothing, which is never wrong.
      for (const { tcId, comment, msg, sig, result } of tests) {
        const holds = key?.verifies(Buffer.from(msg, 'hex'), Buffer.from(sig, 'hex')) ?? false
        if (result === 'invalid' || key !== undefined)
          expect(holds, `${tcId} ${comment}`).toBe(result === 'valid')
        good += Number(holds)
      }
    }
    expect(good).toBeGreaterThan(5)
  })
})

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readKeySet } from '../src/verify/keys.js'
import { parseStrictJson } from '../src/verify/strict-json.js'

// The repository's copies of public vectors; the packed SDK is tested without them.
const folder = join(import.meta.dirname, '../../../../tests/vectors')
const load = (path: string): never => JSON.parse(readFileSync(join(folder, path), 'utf8')) as never

interface JsonCase {
  readonly name: string
  readonly expect: 'accept' | 'reject' | 'either'
  readonly b64: string
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

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { canonicalText, type SignedParts, signatureOf } from '../src/index.js'

// What whoever signs requests is held to, in every language, and what the server refuses.
interface Vector {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body?: string
  readonly bodyHex?: string
  readonly code: string
  readonly why?: 'shape' | 'twice' | 'window' | 'key' | 'signature'
  readonly canonical?: string
  readonly canonicalHex?: string
}

const path = join(import.meta.dirname, '../../../../spec/vectors/signatures.json')
const { keys, vectors } = JSON.parse(readFileSync(path, 'utf8')) as {
  keys: Readonly<Record<string, string>>
  vectors: readonly Vector[]
}

const bytes = (text = '', hex?: string): Buffer =>
  hex === undefined ? Buffer.from(text) : Buffer.from(hex, 'hex')
const header = (vector: Vector, wanted: string): string | undefined =>
  vector.headers.find(([name]) => name === wanted)?.[1]
const signature = (vector: Vector): string | undefined => header(vector, 'X-API-Signature')
const secret = (vector: Vector): string | undefined => keys[header(vector, 'X-API-Key') ?? '']
const partsOf = (vector: Vector): SignedParts => ({
  method: vector.method,
  path: vector.path,
  timestamp: Number(header(vector, 'X-API-Timestamp')),
  nonce: header(vector, 'X-API-Nonce'),
  idempotencyKey: header(vector, 'Idempotency-Key'),
  contentType: header(vector, 'Content-Type'),
  body: bytes(vector.body, vector.bodyHex),
})
const each = (which: (vector: Vector) => boolean | undefined): [string, Vector][] =>
  vectors.filter(which).map((vector) => [vector.name, vector])

describe('the signatures that every language is held to', () => {
  test.each(each(({ code }) => code === 'ok'))('%s', (_name, vector) => {
    expect(canonicalText(partsOf(vector))).toEqual(bytes(vector.canonical, vector.canonicalHex))
    expect(signatureOf(secret(vector)!, partsOf(vector))).toBe(signature(vector))
  })

  test.each(each(({ why }) => why === 'window'))(
    '%s: the signature fits, the clock does not',
    (_name, vector) => {
      expect(signatureOf(secret(vector)!, partsOf(vector))).toBe(signature(vector))
    },
  )

  test.each(each((vector) => /^(key|signature)$/.test(vector.why ?? '') && secret(vector) !== undefined))(
    '%s: is not what would be signed',
    (_name, vector) => {
      expect(signatureOf(secret(vector)!, partsOf(vector))).not.toBe(signature(vector))
    },
  )

  const onlyNonceOrKeyIsWrong = (vector: Vector): boolean =>
    vector.why === 'shape' &&
    secret(vector) !== undefined &&
    /^\d{10}$/.test(header(vector, 'X-API-Timestamp') ?? '') &&
    !header(vector, 'X-API-Timestamp')?.startsWith('0') &&
    /^[0-9a-f]{64}$/.test(signature(vector) ?? '')
  test.each(each(onlyNonceOrKeyIsWrong))('%s: is not signed', (_name, vector) => {
    expect(() => canonicalText(partsOf(vector))).toThrow(RangeError)
  })

  test('no kind of vector was passed over', () => {
    expect(new Set(vectors.map(({ why }) => why))).toEqual(
      new Set([undefined, 'shape', 'twice', 'window', 'key', 'signature']),
    )
    expect(vectors.filter(onlyNonceOrKeyIsWrong).length).toBeGreaterThan(10)
  })
})

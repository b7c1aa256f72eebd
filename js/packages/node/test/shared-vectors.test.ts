import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Environment } from '../src/index.js'
import { TokenError } from '../src/index.js'
import { check, type Expectation, type FindKey } from '../src/verify/check.js'
import { type Algorithm, hmacKey, readKeySet } from '../src/verify/keys.js'

// What Python and JavaScript are both held to; `claims` comes with every good token.
const folder = join(import.meta.dirname, '../../../../spec/vectors')

interface Vector {
  readonly name: string
  readonly token?: string
  /** In place of a long token: texts, each repeated so often, all joined. */
  readonly tokenParts?: readonly (readonly [text: string, times: number])[]
  readonly keys: string
  readonly expect: string
  readonly now: number
  readonly code: string
  readonly claims?: Record<string, unknown>
}
interface Document {
  readonly keys: Readonly<Record<string, { readonly keys: readonly Record<string, string>[] }>>
  readonly expect: Readonly<
    Record<
      string,
      {
        readonly issuer: string
        readonly audience: string
        readonly environment: Environment
        readonly projectId: string | null
        readonly algorithms: readonly Algorithm[]
        readonly base: string | null
        readonly leewaySeconds: number
        readonly startLeewaySeconds: number
        readonly maxAgeSeconds: number | null
      }
    >
  >
  readonly vectors: readonly Vector[]
}

describe.each(['tokens.json', 'attacks.json'])('%s', (file) => {
  const path = join(folder, file)
  if (!existsSync(path)) return test.skip('is not there')
  const document = JSON.parse(readFileSync(path, 'utf8')) as Document

  test.each(document.vectors.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    const token = vector.token ?? vector.tokenParts?.map(([text, times]) => text.repeat(times)).join('') ?? ''
    const verdict = (): unknown =>
      check(token, expectationOf(document, vector), keysOf(document, vector), vector.now)
    if (vector.code === 'ok') return expect(verdict()).toMatchObject(vector.claims ?? {})
    expect(codeOf(verdict)).toBe(vector.code)
  })
})

function expectationOf(document: Document, vector: Vector): Expectation {
  const named = document.expect[vector.expect]!
  return {
    ...named,
    algorithms: new Set(named.algorithms),
    base: named.base ?? undefined,
    maxAgeSeconds: named.maxAgeSeconds ?? undefined,
  }
}

/** Secrets do not come with published keys: the verifier has them from its options. */
function keysOf(document: Document, vector: Vector): FindKey {
  const set = document.keys[vector.keys]!
  const keys = new Map(readKeySet(Buffer.from(JSON.stringify(set))))
  for (const { kty, kid, k } of set.keys) {
    if (kty === 'oct' && kid && k) keys.set(kid, hmacKey(Buffer.from(k, 'base64url')))
  }
  return (kid) => keys.get(kid ?? '')
}

function codeOf(verdict: () => unknown): string {
  try {
    return `ok ${JSON.stringify(verdict())}`
  } catch (error) {
    if (error instanceof TokenError) return error.code
    throw error
  }
}

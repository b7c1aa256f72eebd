import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { cookieName, readCookies, sessionIdOf } from '../src/host/cookies.js'
import { isOwnPage } from '../src/host/facts.js'
import { hostKey, hostProofs } from '../src/host/proofs.js'
import type { Environment } from '../src/index.js'

// What the session routes of a host do alike in every language.
const path = new URL('../../../../spec/vectors/host-session.json', import.meta.url)
const { secrets, keys, vectors } = JSON.parse(readFileSync(path, 'utf8')) as Document

interface Document {
  readonly secrets: Readonly<Record<string, string>>
  readonly keys: Readonly<Record<string, { readonly owner: string; readonly csrf: string }>>
  // biome-ignore lint/suspicious/noExplicitAny: each kind has fields of its own
  readonly vectors: readonly any[]
}

const named = (names: readonly string[]) => {
  const [first = '', ...rest] = names.map((name) => secrets[name] ?? '')
  return hostProofs(first, rest)
}

const kinds: Readonly<Record<string, (vector: Document['vectors'][number]) => void>> = {
  name: ({ environment, scheme, host, cookie, secure }) => {
    expect(cookieName(environment as Environment, scheme, host)).toEqual({ name: cookie, secure })
  },
  seal: ({ refreshToken, sessionId, externalUserId, externalOrganizationId, value, csrfToken }) => {
    const proofs = named(['now'])
    const proof = proofs.ofOwner(sessionId, { externalUserId, externalOrganizationId })
    expect([sessionIdOf(refreshToken), `${refreshToken}.${proof}`]).toEqual([sessionId, value])
    expect(proofs.csrfToken(sessionId)).toBe(csrfToken)
  },
  owner: ({ value, externalUserId, externalOrganizationId, secrets: believed, holds }) => {
    const [refreshToken = '', proof = ''] = value.split('.')
    const sessionId = sessionIdOf(refreshToken) ?? ''
    expect(named(believed).isOwner(proof, sessionId, { externalUserId, externalOrganizationId })).toBe(holds)
  },
  csrf: ({ sessionId, token, secrets: believed, holds }) => {
    expect(named(believed).isCsrfToken(token, sessionId)).toBe(holds)
  },
  read: ({ environment, cookie, header, cookieParts, values }) => {
    const parts: [string, number][] = cookieParts ?? [[header, 1]]
    const sent = parts.map(([text, times]) => text.repeat(times)).join('')
    expect(readCookies(sent, cookie, environment)).toEqual(values)
  },
  origin: ({ method, scheme, host, secFetchSite, origin, allowed }) => {
    const facts = { method, scheme, host, fetchSite: secFetchSite ?? undefined, origin: origin ?? undefined }
    expect(isOwnPage(facts)).toBe(allowed)
  },
}

describe('host-session.json', () => {
  test.each(Object.entries(keys))('the keys of the secret "%s"', (name, { owner, csrf }) => {
    const secret = secrets[name] ?? ''
    expect([hostKey(secret, 'owner').toString('hex'), hostKey(secret, 'csrf').toString('hex')]).toEqual([
      owner,
      csrf,
    ])
  })

  test.each(vectors.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    const check = kinds[vector.kind]
    if (!check) throw new Error(`a kind of vectors that this test does not know: ${vector.kind}`)
    check(vector)
  })
})

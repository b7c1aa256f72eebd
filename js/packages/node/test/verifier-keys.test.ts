import { createPublicKey } from 'node:crypto'
import { exportJWK } from 'jose'
import { describe, expect, test, vi } from 'vitest'
import { type Session, TokenError, Verifier } from '../src/index.js'
import {
  bareToken,
  claimsOf,
  headerOf,
  jws,
  makeKey,
  NOW,
  PROJECT,
  sessionToken,
  startIssuer,
} from './issuer.js'

const BASE = 'https://guestpass.example.com'
const ISSUER = `${BASE}/test`
const ES256 = makeKey('ES256')
const KEYS = { keys: [ES256.jwk, makeKey('EdDSA', 'other').jwk] }
const clock = (): number => NOW * 1000 + 999

const verifier = (options: ConstructorParameters<typeof Verifier>[0] = {}): Verifier =>
  new Verifier({ issuer: ISSUER, keys: KEYS, clock, ...options })
const codeOf = (promise: Promise<Session>): Promise<string> =>
  promise.then(
    () => 'ok',
    (error: unknown) => (error instanceof TokenError ? error.code : String(error)),
  )

describe('options', () => {
  test.each([
    [{ issuer: undefined }, /GUESTPASS_ISSUER/],
    [{ issuer: `${ISSUER}/` }, /slash/],
    [{ leewaySeconds: 61 }, /leewaySeconds/],
    [{ leewaySeconds: -1 }, /leewaySeconds/],
    [{ algorithms: [] }, /algorithms/],
    [{ algorithms: ['HS256'] as never }, /HS256/],
    [{ keys: { keys: [] } }, /at least one/],
    [{ keys: { keys: [{ ...ES256.jwk, d: 'private' }] } }, /at least one/],
    [{ keys: { keys: [ES256.jwk, ES256.jwk] } }, /at least one/],
    [{ jwksUrl: `${ISSUER}/.well-known/jwks.json` }, /excludes/],
    [{ issuer: 'not an address', keys: undefined }, /jwksUrl/],
  ])('%o is refused', (options, says) => {
    vi.stubEnv('GUESTPASS_ISSUER', '')
    expect(() => verifier(options)).toThrow(says)
    vi.unstubAllEnvs()
  })

  test('the issuer comes from the environment', () => {
    vi.stubEnv('GUESTPASS_ISSUER', ISSUER)
    expect(new Verifier({ keys: KEYS }).issuer).toBe(ISSUER)
    vi.unstubAllEnvs()
  })

  test('a key made with jose works as well', async () => {
    const jwk = { ...(await exportJWK(createPublicKey({ format: 'jwk', key: ES256.jwk }))), kid: ES256.kid }
    expect((await verifier({ keys: { keys: [jwk] } }).verify(bareToken(ES256, ISSUER))).userId).toBe(
      'user_123',
    )
  })
})

describe('with keys that are fetched', () => {
  test('one fetch serves a herd, and the next token needs none', async () => {
    const issuer = await startIssuer(ES256)
    issuer.now = () => NOW
    const live = new Verifier({ issuer: issuer.issuer, clock })
    const token = sessionToken(ES256, issuer.issuer)
    const sessions = await Promise.all(Array.from({ length: 100 }, () => live.verify(token)))
    expect(new Set(sessions.map(({ userId }) => userId))).toEqual(new Set(['user_123']))
    await live.verify(token)
    expect(issuer.fetches).toBe(1)
  })

  test('nothing in a foreign or broken token makes it fetch', async () => {
    const issuer = await startIssuer(ES256)
    issuer.now = () => NOW
    const live = new Verifier({ issuer: issuer.issuer, clock })
    await live.verify(sessionToken(ES256, issuer.issuer))
    const unknown = makeKey('ES256', 'unknown')
    for (const iss of [`${issuer.base}/live`, `${issuer.issuer}/${PROJECT}`, 'https://evil.example.com']) {
      expect(await codeOf(live.verify(bareToken(unknown, iss)))).not.toBe('ok')
    }
    const jku = jws(ES256, headerOf(ES256, { jku: `${issuer.base}/jku` }), claimsOf(issuer.issuer))
    expect(await codeOf(live.verify(jku))).toBe('TOKEN_MALFORMED')
    expect(issuer.fetches).toBe(1)
  })

  test('an issuer that is away at the start is UNAVAILABLE, not a refused token', async () => {
    const issuer = await startIssuer(ES256)
    issuer.down = true
    const live = new Verifier({ issuer: issuer.issuer, clock })
    const failure = live.verify(sessionToken(ES256, issuer.issuer))
    await expect(failure).rejects.toMatchObject({ code: 'UNAVAILABLE', status: 503, retryAfterSeconds: 1 })
    await expect(failure).rejects.toThrow(`${issuer.issuer}/.well-known/jwks.json`)
  })
})

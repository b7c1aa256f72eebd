import { createPublicKey, sign } from 'node:crypto'
import { jwtVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import { OperationNotAllowed, RequestError, type Session, TokenError, Verifier } from '../src/index.js'
import {
  bareToken,
  base64url,
  claimsOf,
  headerOf,
  hs256,
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
const refused = (token: string, options = {}): Promise<string> => codeOf(verifier(options).verify(token))

describe('a good token', () => {
  test.each(['ES256', 'EdDSA', 'RS256'] as const)(
    'of %s says whose session it is, and jose reads it alike',
    async (alg) => {
      const key = makeKey(alg)
      const token = bareToken(key, ISSUER, { organization_id: 'org_7' })
      const session = await verifier({ keys: { keys: [key.jwk] } }).verify(`gp_session_test_${token}`)
      expect(session).toEqual(
        expect.objectContaining({
          id: 'sess_01jd0000000000000000000000',
          userId: 'user_123',
          organizationId: 'org_7',
          operations: ['read_invoices', 'write_invoices'],
          projectId: PROJECT,
          environment: 'test',
          issuedAt: new Date((NOW - 10) * 1000),
          expiresAt: new Date((NOW + 3590) * 1000),
        }),
      )
      expect(Object.isFrozen(session)).toBe(true)
      const second = await jwtVerify(token, createPublicKey({ format: 'jwk', key: key.jwk }), {
        issuer: ISSUER,
        audience: ISSUER,
        currentDate: new Date(NOW * 1000),
      })
      expect(second.payload.sub).toBe('user_123')
    },
  )

  test('may be bare, or an access token', async () => {
    expect((await verifier().verify(bareToken(ES256, ISSUER))).userId).toBe('user_123')
    const access = jws(ES256, headerOf(ES256, { typ: 'at+jwt' }), claimsOf(ISSUER, { jti: 'another' }))
    expect((await verifier().verify(access)).userId).toBe('user_123')
  })

  test('allows the operations of its scope, and an absent or empty scope allows nothing', async () => {
    const session = await verifier().verify(sessionToken(ES256, ISSUER))
    expect([session.allows('read_invoices'), session.allows('read'), session.allows('*')]).toEqual([
      true,
      false,
      false,
    ])
    expect(() => session.require('delete_all')).toThrow(OperationNotAllowed)
    for (const scope of [undefined, '']) {
      const none = await verifier().verify(sessionToken(ES256, ISSUER, { scope }))
      expect(none.operations).toEqual([])
      expect(none.allows('')).toBe(false)
    }
    const all = await verifier().verify(sessionToken(ES256, ISSUER, { scope: '*' }))
    expect(all.allows('anything')).toBe(true)
    const mixed = await verifier().verify(sessionToken(ES256, ISSUER, { scope: 'read *' }))
    expect(mixed.allows('anything')).toBe(false)
  })

  test('of a project named in the issuer', async () => {
    const issuer = `${ISSUER}/${PROJECT}`
    expect((await verifier({ issuer }).verify(sessionToken(ES256, issuer))).projectId).toBe(PROJECT)
    const foreign = sessionToken(ES256, issuer, { project_id: PROJECT.replace('jd', 'je') })
    expect(await refused(foreign, { issuer })).toBe('TOKEN_PROJECT_MISMATCH')
  })

  test('of HS256, only with an explicit secret, and then of nothing else', async () => {
    const issuer = await startIssuer(ES256)
    issuer.now = () => NOW
    const secret = 's'.repeat(32)
    const options = { issuer: issuer.issuer, keys: undefined, secret }
    const token = hs256(secret, headerOf({ ...ES256, alg: 'HS256' as never }), claimsOf(issuer.issuer))
    expect((await verifier(options).verify(token)).userId).toBe('user_123')
    expect(await refused(token, { issuer: issuer.issuer })).toBe('TOKEN_ALGORITHM_REFUSED')
    expect(await refused(bareToken(ES256, issuer.issuer), options)).toBe('TOKEN_ALGORITHM_REFUSED')
    expect(await refused(token.replace('.', '.A'), options)).not.toBe('ok')
    expect(() => verifier({ secret })).toThrow(RequestError)
    expect(() => verifier({ keys: undefined, secret: 'short' })).toThrow(/32 bytes/)
  })
})

describe('prefix and shape', () => {
  const good = bareToken(ES256, ISSUER)
  const [header, payload, signature] = good.split('.') as [string, string, string]
  test.each([
    ['nothing at all', '', 'TOKEN_MISSING'],
    ['a live token', `gp_session_live_${good}`, 'TOKEN_ENVIRONMENT_MISMATCH'],
    ['a refresh token', 'gp_refresh_test_abc', 'TOKEN_TYPE_MISMATCH'],
    ['a secret key', `sk_test_${'A'.repeat(49)}`, 'TOKEN_MALFORMED'],
    ['another prefix', `xx_session_test_${good}`, 'TOKEN_MALFORMED'],
    ['a token over 3 840 bytes', `${header}.${'A'.repeat(3840)}.${signature}`, 'TOKEN_MALFORMED'],
    ['two parts', `${header}.${payload}`, 'TOKEN_MALFORMED'],
    ['four parts', `${good}.`, 'TOKEN_MALFORMED'],
    ['five parts, like an encrypted token', `${good}.A.A`, 'TOKEN_MALFORMED'],
    ['no payload', `${header}..${signature}`, 'TOKEN_MALFORMED'],
    ['padding', `${header}.${payload}.${signature}==`, 'TOKEN_MALFORMED'],
    ['white space', `${header}.${payload}.${signature}\n`, 'TOKEN_MALFORMED'],
    ['the other alphabet', `${header}.${payload}.+${signature.slice(1)}`, 'TOKEN_MALFORMED'],
    ['spare bits', `${header}.${payload}.${signature.slice(0, -1)}B`, 'TOKEN_MALFORMED'],
    ['letters that are not ASCII', `${header}.${payload}é.${signature}`, 'TOKEN_MALFORMED'],
    [
      'a mistyped opaque token',
      `gp_session_test_01jd0000000000000000000000${'A'.repeat(49)}`,
      'TOKEN_MALFORMED',
    ],
  ])('%s: %#', async (_name, token, code) => {
    expect(await refused(token)).toBe(code)
  })

  test('a whole opaque token: only the service can check it', async () => {
    const token =
      'gp_session_test_01jd0000000000000000000000AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA3H07xf'
    expect(await refused(token)).toBe('TOKEN_TYPE_MISMATCH')
  })

  test.each([
    ['a header that is no object', '[]'],
    ['a header with a member twice', `{"alg":"none","alg":"ES256","kid":"${ES256.kid}","typ":"at+jwt"}`],
    ['a header with a byte order mark', '\ufeff{"alg":"ES256"}'],
    ['an algorithm that is no text', '{"alg":1}'],
    ['a kid that is no text', '{"alg":"ES256","kid":[]}'],
    ['a kid of 100 kB', `{"alg":"ES256","kid":"${'k'.repeat(1000)}"}`],
    ...['crit', 'b64', 'zip', 'enc', 'jku', 'jwk', 'x5u', 'x5c', 'p2c'].map((name) => [
      `the header member ${name}`,
      JSON.stringify({ ...headerOf(ES256), [name]: 'x' }),
    ]),
  ])('%s', async (_name, header) => {
    expect(await refused(jws(ES256, header, claimsOf(ISSUER)))).toBe('TOKEN_MALFORMED')
  })
})

describe('algorithm, key and signature', () => {
  const none = ['none', 'None', 'NONE', 'nOnE', 'ES256 ', 'es256', 'ES512', 'HS256', 'PS256']
  test.each(none)('the algorithm %s', async (alg) => {
    expect(await refused(jws(ES256, headerOf(ES256, { alg }), claimsOf(ISSUER)))).toBe(
      'TOKEN_ALGORITHM_REFUSED',
    )
  })

  test('a public key used as the secret of an HMAC', async () => {
    const pem = createPublicKey({ format: 'jwk', key: ES256.jwk }).export({ type: 'spki', format: 'pem' })
    for (const secret of [String(pem), JSON.stringify(ES256.jwk)]) {
      const token = hs256(secret, headerOf(ES256, { alg: 'HS256' }), claimsOf(ISSUER))
      expect(await refused(token)).toBe('TOKEN_ALGORITHM_REFUSED')
    }
  })

  test('a key that belongs to another algorithm, or to one that was not asked for', async () => {
    const rs256 = makeKey('RS256', ES256.kid)
    expect(await refused(bareToken(rs256, ISSUER))).toBe('TOKEN_ALGORITHM_REFUSED')
    expect(await refused(bareToken(ES256, ISSUER), { algorithms: ['EdDSA'] })).toBe('TOKEN_ALGORITHM_REFUSED')
  })

  test.each([
    ['of the own issuer', ISSUER, 'TOKEN_KEY_UNKNOWN'],
    ['of the other environment', `${BASE}/live`, 'TOKEN_ENVIRONMENT_MISMATCH'],
    ['of a project in the other environment', `${BASE}/live/${PROJECT}`, 'TOKEN_ENVIRONMENT_MISMATCH'],
    ['of another project', `${ISSUER}/${PROJECT}`, 'TOKEN_PROJECT_MISMATCH'],
    ['of another issuer', 'https://other.example.com/test', 'TOKEN_ISSUER_MISMATCH'],
    ['of the own issuer with a slash', `${ISSUER}/`, 'TOKEN_ISSUER_MISMATCH'],
  ])('an unknown key %s', async (_name, issuer, code) => {
    expect(await refused(bareToken(makeKey('ES256', 'unknown'), issuer))).toBe(code)
  })

  test('another key behind a known name, and a changed payload', async () => {
    expect(await refused(bareToken(makeKey('ES256', ES256.kid), ISSUER))).toBe('TOKEN_SIGNATURE_INVALID')
    const [header, , signature] = bareToken(ES256, ISSUER).split('.')
    const changed = `${header}.${base64url(claimsOf(ISSUER, { sub: 'root' }))}.${signature}`
    expect(await refused(changed)).toBe('TOKEN_SIGNATURE_INVALID')
  })

  test('an empty signature, one of zeros, and one in DER', async () => {
    const [header, payload] = bareToken(ES256, ISSUER).split('.')
    const der = sign('sha256', Buffer.from(`${header}.${payload}`), ES256.privateKey).toString('base64url')
    for (const signature of ['', base64url('\0'.repeat(64)), der]) {
      expect(await refused(`${header}.${payload}.${signature}`)).toBe('TOKEN_SIGNATURE_INVALID')
    }
  })
})

describe('claims', () => {
  const signed = (change: Record<string, unknown>, header = {}): string =>
    jws(ES256, headerOf(ES256, header), claimsOf(ISSUER, change))

  test.each(['iss', 'aud', 'sub', 'iat', 'exp', 'sid', 'jti', 'client_id', 'project_id', 'environment'])(
    '%s is needed',
    async (name) => {
      expect(await refused(signed({ [name]: undefined }))).toBe('TOKEN_MALFORMED')
    },
  )

  const times = ['1790003600', 1790003600.5, -1, 2 ** 53, true, null, [1790003600], {}]
  test.each(['exp', 'nbf', 'iat'])('%s is whole seconds and nothing else', async (name) => {
    for (const value of times)
      expect(await refused(signed({ [name]: value })), String(value)).toBe('TOKEN_MALFORMED')
    const text = JSON.stringify(claimsOf(ISSUER, { [name]: 'HERE' }))
    for (const number of ['NaN', 'Infinity', '1e400', '1.79e9', '1790000000.0', '9007199254740993']) {
      const token = jws(ES256, headerOf(ES256), text.replace('"HERE"', number))
      expect(await refused(token), number).toBe('TOKEN_MALFORMED')
    }
  })

  test('an audience that is a list, members that occur twice, lone surrogates', async () => {
    expect(await refused(signed({ aud: [ISSUER] }))).toBe('TOKEN_MALFORMED')
    expect(await refused(signed({ aud: { [ISSUER]: 1 } }))).toBe('TOKEN_MALFORMED')
    expect(await refused(signed({ scope: ['*'] }))).toBe('TOKEN_MALFORMED')
    const text = JSON.stringify(claimsOf(ISSUER))
    const twice = jws(ES256, headerOf(ES256), `{"sub":"root",${text.slice(1)}`)
    expect(await refused(twice)).toBe('TOKEN_MALFORMED')
    const surrogate = jws(ES256, headerOf(ES256), text.replace('user_123', '\\ud800'))
    expect(await refused(surrogate)).toBe('TOKEN_MALFORMED')
  })

  test('a token of another kind', async () => {
    for (const typ of ['guestpass-script+jwt', 'JWT', 'AT+JWT', 'application/at+jwt', undefined]) {
      expect(await refused(signed({}, { typ }))).toBe('TOKEN_TYPE_MISMATCH')
    }
    expect(await refused(`gp_session_test_${signed({}, { typ: 'at+jwt' })}`)).toBe('TOKEN_TYPE_MISMATCH')
  })

  test('another issuer, audience or environment under a known key', async () => {
    for (const iss of [`${ISSUER}/`, ISSUER.toUpperCase(), `${BASE}/live`, ISSUER.replace('e', 'е')]) {
      expect(await refused(signed({ iss }))).toBe('TOKEN_ISSUER_MISMATCH')
    }
    expect(await refused(signed({ aud: 'https://api.example.com' }))).toBe('TOKEN_AUDIENCE_MISMATCH')
    expect(await refused(signed({ aud: ISSUER }), { audience: 'https://api.example.com' })).toBe(
      'TOKEN_AUDIENCE_MISMATCH',
    )
    expect(await refused(signed({ environment: 'live' }))).toBe('TOKEN_ENVIRONMENT_MISMATCH')
  })

  test('an issuer whose URL says no environment: prefix and claim must agree', async () => {
    const issuer = 'https://sessions.example.com'
    const token = bareToken(ES256, issuer)
    expect((await verifier({ issuer }).verify(`gp_session_test_${token}`)).environment).toBe('test')
    expect(await refused(`gp_session_live_${token}`, { issuer })).toBe('TOKEN_ENVIRONMENT_MISMATCH')
    expect(await refused(token, { issuer, environment: 'live' })).toBe('TOKEN_ENVIRONMENT_MISMATCH')
  })

  test('a token with limited uses: accepting without counting would be no limit', async () => {
    expect(await refused(signed({ max_uses: 1 }))).toBe('TOKEN_TYPE_MISMATCH')
  })
})

describe('time', () => {
  const at = (change: Record<string, unknown>, options = {}, verify = {}): Promise<string> =>
    codeOf(verifier(options).verify(sessionToken(ES256, ISSUER, change), verify))

  test('expired from the second exp on, less the leeway', async () => {
    expect(await at({ exp: NOW + 1 }, { leewaySeconds: 0 })).toBe('ok')
    expect(await at({ exp: NOW }, { leewaySeconds: 0 })).toBe('TOKEN_EXPIRED')
    expect(await at({ exp: NOW - 4 })).toBe('ok')
    expect(await at({ exp: NOW - 5 })).toBe('TOKEN_EXPIRED')
    expect(await at({ exp: NOW - 60, iat: NOW - 90 }, { leewaySeconds: 60 })).toBe('TOKEN_EXPIRED')
  })

  test('not before nbf and iat, less the leeway', async () => {
    for (const name of ['nbf', 'iat']) {
      expect(await at({ [name]: NOW + 5 })).toBe('ok')
      expect(await at({ [name]: NOW + 6 })).toBe('TOKEN_NOT_YET_VALID')
      expect(await at({ [name]: NOW + 1 }, { leewaySeconds: 0 })).toBe('TOKEN_NOT_YET_VALID')
    }
  })

  test('too old only where freshness is asked for', async () => {
    expect(await at({ iat: NOW - 3000 })).toBe('ok')
    expect(await at({ iat: NOW - 305 }, {}, { maxAgeSeconds: 300 })).toBe('ok')
    expect(await at({ iat: NOW - 306 }, {}, { maxAgeSeconds: 300 })).toBe('TOKEN_TOO_OLD')
    await expect(verifier().verify('x', { maxAgeSeconds: Number.NaN })).rejects.toThrow(RequestError)
  })
})

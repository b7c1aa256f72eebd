import { inspect } from 'node:util'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { Transport } from '../src/client/transport.js'
import { Guestpass, type LogoutParams, RefreshTokenError, RequestError, TokenError } from '../src/index.js'
import { PAIR, SECRET_KEY, type Service, startService } from './service.js'

let service: Service
let gp: Guestpass

beforeEach(async () => {
  service = await startService()
  service.reply({ body: PAIR })
  gp = new Guestpass({ secretKey: SECRET_KEY, baseUrl: service.url, maxRetries: 0 })
})

const sent = () => {
  const { method, path, headers, body } = service.received[0]!
  return { call: `${method} ${path}`, proof: headers.authorization, body: JSON.parse(body) as unknown }
}

describe('gp.auth', () => {
  test('login opens a session with your API key, once however often it is sent', async () => {
    const pair = await gp.auth.login({
      externalUserId: 'user_123',
      notBefore: new Date('2026-11-26T10:00:00Z'),
      allowedOperations: ['read_invoices'],
    })
    expect(pair).toEqual({
      ...PAIR,
      accessTokenExpiresAt: new Date(PAIR.accessTokenExpiresAt),
      refreshTokenExpiresAt: new Date(PAIR.refreshTokenExpiresAt),
    })
    expect(sent()).toEqual({
      call: 'POST /v1/auth/login',
      proof: `Bearer ${SECRET_KEY}`,
      body: {
        externalUserId: 'user_123',
        notBefore: '2026-11-26T10:00:00.000Z',
        allowedOperations: ['read_invoices'],
      },
    })
    expect(service.received[0]?.headers['idempotency-key']).toBeTruthy()
  })

  test('refresh sends the refresh token alone: no API key, no Idempotency-Key', async () => {
    expect((await gp.auth.refresh({ refreshToken: 'gp_refresh_test_x' })).sessionId).toBe(PAIR.sessionId)
    expect(sent()).toEqual({
      call: 'POST /v1/auth/refresh',
      proof: undefined,
      body: { refreshToken: 'gp_refresh_test_x' },
    })
    expect(service.received[0]?.headers['idempotency-key']).toBe(undefined)
  })

  test('a client that signs its requests does not sign a refresh', async () => {
    const signing = new Guestpass({ secretKey: SECRET_KEY, signingKeyId: 'key_01', baseUrl: service.url })
    await signing.auth.refresh({ refreshToken: 'gp_refresh_test_x' })
    await signing.auth.logout({ accessToken: 'eyJ.x.y' })
    const names = service.received.flatMap(({ headers }) => Object.keys(headers))
    expect(names.filter((name) => name.startsWith('x-api-'))).toEqual([])
  })

  test('accessToken asks with your API key, by the session', async () => {
    const { sessionId, refreshToken, refreshTokenExpiresAt, ...access } = PAIR
    service.reply({ body: access })
    const answer = await gp.auth.accessToken({ sessionId: 'sess_1' })
    expect(answer).toEqual({ ...access, accessTokenExpiresAt: new Date(PAIR.accessTokenExpiresAt) })
    expect(sent()).toEqual({
      call: 'POST /v1/auth/refresh',
      proof: `Bearer ${SECRET_KEY}`,
      body: { sessionId: 'sess_1' },
    })
  })

  test.each<[string, LogoutParams, string | undefined, object]>([
    ['a refresh token', { refreshToken: 'gp_r' }, undefined, { refreshToken: 'gp_r' }],
    [
      'all by a refresh token',
      { refreshToken: 'gp_r', everywhere: true },
      undefined,
      { refreshToken: 'gp_r', everywhere: true },
    ],
    ['an access token', { accessToken: 'eyJ' }, 'Bearer eyJ', {}],
    [
      'all of a user, by your API key',
      { externalUserId: 'ada', everywhere: true },
      `Bearer ${SECRET_KEY}`,
      { externalUserId: 'ada', everywhere: true },
    ],
  ])('logout ends %s', async (_, params, proof, body) => {
    service.reply({ body: { tokensRevoked: 1 } })
    expect(await gp.auth.logout(params)).toEqual({ tokensRevoked: 1 })
    expect(sent()).toEqual({ call: 'POST /v1/auth/logout', proof, body })
  })

  test.each<[string, object]>([
    ['nothing', {}],
    ['a variable that happens to be undefined', { refreshToken: undefined, everywhere: true }],
    ['two of three', { refreshToken: 'gp_r', externalUserId: 'ada', everywhere: true }],
    ['a user without everywhere', { externalUserId: 'ada' }],
  ])('logout of %s is refused before it is sent', async (_, params) => {
    await expect(gp.auth.logout(params as LogoutParams)).rejects.toBeInstanceOf(RequestError)
    expect(service.received).toEqual([])
  })

  test('anomalies come page by page, with Dates and their evidence', async () => {
    const anomaly = {
      id: 'anom_1',
      kind: 'reuse',
      at: '2026-11-26T10:00:00Z',
      sessionId: 'sess_1',
      customerId: 'cust_1',
      externalUserId: 'ada',
      outcome: 'revoked',
      evidence: { generation: 3, currentGeneration: 5 },
    }
    service.reply(
      { body: { data: [anomaly], nextCursor: 'more' } },
      { body: { data: [{ ...anomaly, id: 'anom_2' }], nextCursor: null } },
    )
    const found = []
    for await (const one of gp.auth.anomalies({ limit: 1 })) found.push(one)
    expect(found.map(({ id }) => id)).toEqual(['anom_1', 'anom_2'])
    expect(found[0]).toEqual({ ...anomaly, at: new Date(anomaly.at) })
    expect(service.received.map(({ path }) => path)).toEqual([
      '/v1/auth/anomalies?limit=1',
      '/v1/auth/anomalies?limit=1&cursor=more',
    ])
  })

  test.each([
    ['REFRESH_TOKEN_REUSED', RefreshTokenError],
    ['REFRESH_TOKEN_EXPIRED', RefreshTokenError],
    ['SESSION_SUSPENDED', TokenError],
  ])('%s is thrown as what it is', async (code, kind) => {
    service.reply({ status: 401, body: { code } })
    const refused = gp.auth.refresh({ refreshToken: 'gp_refresh_test_x' })
    await expect(refused).rejects.toBeInstanceOf(kind)
    await expect(refused).rejects.toMatchObject({ code, status: 401 })
  })

  test('tokens are in no log, and in the JSON that a page may be given', async () => {
    const pair = await gp.auth.login({ externalUserId: 'ada' })
    expect(inspect(pair)).not.toMatch(/eyJ|gp_refresh/)
    expect(inspect(pair)).toContain(PAIR.sessionId)
    expect(JSON.parse(JSON.stringify(pair))).toMatchObject({ refreshToken: PAIR.refreshToken })
  })
})

describe('a refresh whose answer was lost', () => {
  const wait = vi.fn(async (_seconds: number) => {})
  const refresh = (maxRetries: number) => {
    const options = {
      baseUrl: service.url,
      secretKey: SECRET_KEY,
      signingKeyId: undefined,
      fetch,
      nowMs: Date.now,
    }
    const transport = new Transport({ ...options, timeoutSeconds: 10, maxRetries, wait })
    const grace = { seconds: 30, trySeconds: 8 }
    return transport.send({ method: 'POST', path: '/v1/auth/refresh', body: {}, grace, token: '' })
  }

  test('is tried three times within the grace, and never later: a late one would look like theft', async () => {
    service.reply({ hangUp: true })
    await expect(refresh(10)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(service.received).toHaveLength(3)
  })

  test('is not tried again after a pause that leads out of the grace', async () => {
    service.reply({ status: 503, headers: { 'Retry-After': '10' }, body: {} })
    await expect(refresh(10)).rejects.toMatchObject({ retryAfterSeconds: 10 })
    expect(service.received).toHaveLength(2)
  })
})

import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { CallerError, Guestpass, GuestpassError, RequestError, ServiceError } from '../src/index.js'
import { MINTED, SECRET_KEY, type Service, startService } from './service.js'

let service: Service
let gp: Guestpass

beforeEach(async () => {
  service = await startService()
  gp = new Guestpass({ secretKey: SECRET_KEY, baseUrl: service.url })
})
afterEach(() => void vi.restoreAllMocks())

const failure = async (promise: Promise<unknown>): Promise<GuestpassError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(GuestpassError)
  return error as GuestpassError
}

describe('minting', () => {
  test('sends what was given in the names of the contract, and answers Dates', async () => {
    service.reply({ status: 201, body: { ...MINTED, notBefore: '2026-11-21T09:00:00.5Z' } })
    const minted = await gp.createSessionToken({
      externalUserId: 'user_123',
      email: undefined,
      expiresIn: 3600,
      notBefore: new Date('2026-11-21T09:00:00.5Z'),
      allowedOperations: ['read_invoices'],
    })
    expect(service.received).toHaveLength(1)
    const { method, path, headers, body } = service.received[0]!
    expect([method, path]).toEqual(['POST', '/v1/session-tokens'])
    expect(headers.authorization).toBe(`Bearer ${SECRET_KEY}`)
    expect(headers['content-type']).toBe('application/json')
    expect(headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/)
    expect(JSON.parse(body)).toEqual({
      externalUserId: 'user_123',
      expiresIn: 3600,
      notBefore: '2026-11-21T09:00:00.500Z',
      allowedOperations: ['read_invoices'],
    })
    expect(minted.expiresAt).toEqual(new Date('2026-11-21T10:00:00Z'))
    expect(minted.notBefore).toEqual(new Date('2026-11-21T09:00:00.5Z'))
    expect(minted.sessionToken).toBe(MINTED.sessionToken)
  })

  test('a caller may bring the idempotency key', async () => {
    service.reply({ status: 201, body: MINTED })
    await gp.createSessionToken({ externalUserId: 'user_123' }, { idempotencyKey: 'order-7' })
    expect(service.received[0]?.headers['idempotency-key']).toBe('order-7')
    const error = await failure(
      gp.createSessionToken({ externalUserId: 'u' }, { idempotencyKey: 'two words' }),
    )
    expect(error.code).toBe('VALIDATION_ERROR')
    expect(service.received).toHaveLength(1)
  })

  test('warns once that an email is missing while imported customers wait', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    service.reply({ status: 201, body: { ...MINTED, unresolvedCustomers: 3 } })
    await gp.createSessionToken({ externalUserId: 'user_123', email: 'ada@example.com' })
    expect(warn).not.toHaveBeenCalled()
    await gp.createSessionToken({ externalUserId: 'user_123' })
    await gp.createSessionToken({ externalUserId: 'user_123' })
    expect(warn).toHaveBeenCalledTimes(1)
    expect(warn.mock.calls[0]?.[0]).toMatch(/3 imported customers wait.*email/)
  })

  test('an answer that is not JSON says that the address may be wrong', async () => {
    service.reply({ status: 200, body: '<html>a web site</html>' })
    const error = await failure(gp.createSessionToken({ externalUserId: 'user_123' }))
    expect(error).toBeInstanceOf(ServiceError)
    expect(error.message).toContain('is the address right?')
    expect(service.received).toHaveLength(1)
  })

  test('a redirect is not followed: it would carry the key to a place nobody configured', async () => {
    const elsewhere = await startService()
    service.reply({ status: 307, headers: { Location: elsewhere.url }, body: {} })
    await failure(gp.createSessionToken({ externalUserId: 'user_123' }))
    expect(elsewhere.received).toHaveLength(0)
  })
})

describe('the other resources', () => {
  test('revoking a session token by its id answers when it ended', async () => {
    service.reply({ body: { id: MINTED.id, revokedAt: '2026-11-21T09:30:00Z' } })
    const revoked = await gp.revokeSessionToken(MINTED.id)
    expect(revoked).toEqual({ id: MINTED.id, revokedAt: new Date('2026-11-21T09:30:00Z') })
    expect(service.received[0]).toMatchObject({
      method: 'DELETE',
      path: `/v1/session-tokens/${MINTED.id}`,
      body: '',
    })
    expect(service.received[0]?.headers['content-type']).toBeUndefined()
  })

  test('a token never gets into an address, and an id cannot climb out of its path', async () => {
    for (const id of [MINTED.sessionToken, 'eyJhbGciOi', SECRET_KEY, '', '..', 'a/b', 'sess_1?x=1']) {
      const error = await failure(gp.sessions.get(id))
      expect(error.code).toBe('VALIDATION_ERROR')
      if (id !== '') expect(error.message).not.toContain(id)
    }
    expect(service.received).toHaveLength(0)
  })

  test('listing sessions fetches the pages while iterating', async () => {
    const page = (ids: string[], nextCursor: string | null) => ({
      body: {
        data: ids.map((id) => ({ id, issuedAt: '2026-11-21T09:00:00Z', revokedAt: null })),
        nextCursor,
      },
    })
    service.reply(page(['sess_1', 'sess_2'], 'c/2+='), page(['sess_3'], null))
    const seen = []
    for await (const session of gp.sessions.list({ externalUserId: 'ada & co', limit: 2 })) seen.push(session)
    expect(seen.map((session) => session.id)).toEqual(['sess_1', 'sess_2', 'sess_3'])
    expect(seen[0]?.issuedAt).toEqual(new Date('2026-11-21T09:00:00Z'))
    expect(seen[0]?.revokedAt).toBeNull()
    const queries = service.received.map(({ path }) =>
      Object.fromEntries(new URL(path, service.url).searchParams),
    )
    expect(queries).toEqual([
      { externalUserId: 'ada & co', limit: '2' },
      { externalUserId: 'ada & co', limit: '2', cursor: 'c/2+=' },
    ])
  })

  test('a filter that is no text is refused: an address would carry another one', async () => {
    const error = await failure(gp.sessions.list({ externalUserId: 'a\ud800' }).page())
    expect(error.code).toBe('VALIDATION_ERROR')
    expect(service.received).toHaveLength(0)
  })

  test('a list that is left early fetches no further page', async () => {
    service.reply({ body: { data: [{ id: 'sess_1' }], nextCursor: 'more' } })
    for await (const _ of gp.sessions.list()) break
    expect(service.received).toHaveLength(1)
  })

  test('a bulk revoke needs exactly one selector, so that an undefined never widens it', async () => {
    for (const params of [{ id: undefined }, {}, { all: false }, { id: 'sess_1', externalUserId: 'ada' }]) {
      const error = await failure(gp.sessions.revoke(params as never))
      expect(error).toBeInstanceOf(RequestError)
    }
    expect(service.received).toHaveLength(0)
    service.reply({ body: { revoked: 2, before: '2026-11-21T09:30:00.123Z' } })
    const done = await gp.sessions.revoke({ externalUserId: 'ada', reissue: true })
    expect(done).toEqual({ revoked: 2, before: new Date('2026-11-21T09:30:00.123Z') })
    expect(JSON.parse(service.received[0]!.body)).toEqual({ externalUserId: 'ada', reissue: true })
  })

  test('verify, block, unblock and the stolen-laptop call go where the contract says', async () => {
    service.reply({
      body: { valid: true, checks: [], session: { id: 'sess_1', expiresAt: '2026-11-21T10:00:00Z' } },
    })
    const verdict = await gp.tokens.verify({ token: 'gp_session_test_x', operation: 'read_invoices' })
    expect(verdict.session?.expiresAt).toEqual(new Date('2026-11-21T10:00:00Z'))
    const before = '2026-11-21T09:30:00Z'
    service.reply({ body: { id: 'cust_1', blocked: true, revoked: 1, before } })
    expect(await gp.customers.block('cust_1')).toMatchObject({ blocked: true, before: new Date(before) })
    await gp.customers.unblock('cust_1')
    service.reply({ body: { revoked: 1, before, blocked: true } })
    await gp.users.revoke({ externalUserId: 'ada', block: true })
    expect(service.received.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /v1/tokens/verify',
      'POST /v1/customers/cust_1/block',
      'POST /v1/customers/cust_1/unblock',
      'POST /v1/users/revoke',
    ])
  })
})

describe('refusals', () => {
  test('an error has code, status, requestId and details, and the class of its group', async () => {
    service.reply({
      status: 400,
      body: {
        code: 'INVALID_EXPIRATION',
        message: 'expiresIn must be 60 to 86400.',
        details: [{ path: 'expiresIn', message: 'must be 60 to 86400' }],
        docUrl: 'https://docs.example/errors#INVALID_EXPIRATION',
        requestId: 'req_1',
      },
    })
    const error = await failure(gp.createSessionToken({ externalUserId: 'user_123', expiresIn: 1 }))
    expect(error).toBeInstanceOf(RequestError)
    expect(error).toMatchObject({ code: 'INVALID_EXPIRATION', status: 400, requestId: 'req_1' })
    expect(error.details).toEqual([{ path: 'expiresIn', message: 'must be 60 to 86400' }])
    expect(service.received).toHaveLength(1)
  })

  test('an error page of a proxy gets the code of its status, and is not repeated', async () => {
    service.reply({
      status: 403,
      headers: { 'X-Request-Id': 'edge-1' },
      body: '<h1>secret internal host</h1>',
    })
    const error = await failure(gp.sessions.get('sess_1'))
    expect(error).toBeInstanceOf(CallerError)
    expect(error).toMatchObject({ code: 'FORBIDDEN', status: 403, requestId: 'edge-1' })
    expect(error.message).not.toContain('internal')
  })

  test('a code of a newer server keeps its text', async () => {
    service.reply({ status: 409, body: { code: 'SOMETHING_NEW', message: 'New.' } })
    const error = await failure(gp.sessions.get('sess_1'))
    expect(error).toBeInstanceOf(RequestError)
    expect(error.code).toBe('SOMETHING_NEW')
  })
})

describe('secrets', () => {
  test('nothing that is printed shows the secret key or the token', async () => {
    service.reply({ status: 201, body: MINTED })
    const minted = await gp.createSessionToken({ externalUserId: 'user_123' })
    service.reply({ hangUp: true })
    const offline = new Guestpass({ secretKey: SECRET_KEY, baseUrl: service.url, maxRetries: 0 })
    const error = await failure(offline.createSessionToken({ externalUserId: 'user_123' }))
    const printed = [gp, minted, error, { nested: [gp, minted] }].map((value) =>
      inspect(value, { depth: 9, showHidden: true, getters: true }),
    )
    expect(printed.join()).not.toContain(SECRET_KEY)
    expect(printed.join()).not.toContain(MINTED.sessionToken)
    expect(printed[0]).toContain(service.url)
    expect(JSON.stringify(gp)).toBe(JSON.stringify({ baseUrl: service.url, environment: 'test' }))
  })

  test('what is pasted by mistake is named, and not repeated', () => {
    const cases = {
      pk_live_1: /publishable/,
      ck_test_1: /partner/,
      key_01: /id of an API key/,
      [MINTED.sessionToken]: /session token/,
    }
    for (const [secretKey, says] of Object.entries({
      ...cases,
      '': /no secret key/,
      sk_test_short: /cut when copied/,
    })) {
      try {
        new Guestpass({ secretKey, baseUrl: service.url })
        expect.unreachable()
      } catch (error) {
        expect(error).toBeInstanceOf(CallerError)
        expect((error as Error).message).toMatch(says)
        if (secretKey !== '') expect((error as Error).message).not.toContain(secretKey)
      }
    }
  })
})

describe('settings', () => {
  afterEach(() => void vi.unstubAllEnvs())

  test('key and address come from the environment, and the address has a default', () => {
    vi.stubEnv('GUESTPASS_SECRET_KEY', SECRET_KEY.replace('test', 'live'))
    vi.stubEnv('GUESTPASS_URL', 'https://guestpass.example.com/base/')
    expect(new Guestpass()).toMatchObject({
      baseUrl: 'https://guestpass.example.com/base',
      environment: 'live',
    })
    vi.stubEnv('GUESTPASS_URL', '')
    expect(new Guestpass().baseUrl).toBe('http://127.0.0.1:8787')
  })

  test.each([
    [{ baseUrl: 'guestpass.example.com' }, /address like/],
    [{ baseUrl: 'ftp://guestpass.example.com' }, /address like/],
    [{ baseUrl: 'https://user:pass@guestpass.example.com' }, /user name/],
    [{ baseUrl: 'https://guestpass.example.com/?a=1' }, /no \?/],
    [{ timeoutSeconds: 0 }, /timeoutSeconds/],
    [{ timeoutSeconds: Number.NaN }, /timeoutSeconds/],
    [{ maxRetries: 11 }, /maxRetries/],
    [{ signingKeyId: SECRET_KEY }, /signingKeyId/],
  ])('an option that cannot be used is refused: %o', (options, says) => {
    expect(() => new Guestpass({ secretKey: SECRET_KEY, ...options })).toThrow(says)
  })
})

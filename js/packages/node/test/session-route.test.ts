import { beforeEach, describe, expect, test, vi } from 'vitest'
import { Guestpass, type SessionRouteOptions, type SessionUser, sessionRoute } from '../src/index.js'
import { mounts } from './frameworks.js'
import { MINTED, SECRET_KEY, type Service, startService } from './service.js'

const codeOf = async (answer: Response): Promise<unknown> => ((await answer.json()) as { code: unknown }).code
let service: Service
let gp: Guestpass
const onError = vi.fn()

beforeEach(async () => {
  service = await startService()
  service.reply({ status: 201, body: MINTED })
  gp = new Guestpass({ secretKey: SECRET_KEY, baseUrl: service.url, maxRetries: 0 })
  onError.mockClear()
})

describe.each(Object.entries(mounts))('with %s', (name, mount) => {
  const start = (
    getUser: (req: never) => unknown,
    options: SessionRouteOptions = { onError },
  ): Promise<string> => mount(sessionRoute(gp, getUser as () => SessionUser | null, options))

  test('a signed-in user gets exactly the three fields, which nobody may keep', async () => {
    const url = await start(() => ({ externalUserId: 'user_123', email: 'ada@example.com' }))
    const answer = await fetch(url, { headers: { 'X-Request-Id': 'req-of-the-page' } })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({
      sessionToken: MINTED.sessionToken,
      expiresAt: '2026-11-21T10:00:00.000Z',
      expiresIn: 3600,
    })
    expect(answer.headers.get('Cache-Control')).toBe('no-store')
    expect(answer.headers.get('Content-Type')).toMatch(/^application\/json/)
    expect(answer.headers.get('X-Request-Id')).toBe('req-of-the-page')
    const vary = name === 'the Next.js app router' ? 'Cookie, Authorization' : 'Origin, Cookie, Authorization'
    expect(answer.headers.get('Vary')).toBe(vary)
    const exposed = answer.headers.get('Access-Control-Expose-Headers')
    expect(exposed).toBe(
      name === 'the Next.js app router' ? 'Retry-After, X-Request-Id' : 'X-Own, Retry-After, X-Request-Id',
    )
    expect(JSON.parse(service.received[0]!.body)).toEqual({
      externalUserId: 'user_123',
      email: 'ada@example.com',
    })
  })

  test('a signed-out visitor gets 401, not 500, and nothing is minted', async () => {
    for (const nobody of [null, undefined, Promise.resolve(null)]) {
      const answer = await fetch(await start(() => nobody))
      expect(answer.status).toBe(401)
      expect(await answer.json()).toMatchObject({
        code: 'UNAUTHORIZED',
        requestId: expect.stringMatching(/^req_/),
      })
      expect(answer.headers.get('Cache-Control')).toBe('no-store')
      expect(answer.headers.get('WWW-Authenticate')).toBe('Bearer')
    }
    expect(service.received).toHaveLength(0)
    expect(onError).not.toHaveBeenCalled()
  })

  test('a getUser that throws is 500 without details, and the host hears why', async () => {
    const fault = new Error('password of the database is hunter2')
    const answer = await fetch(await start(() => Promise.reject(fault)))
    expect(answer.status).toBe(500)
    expect(await answer.text()).not.toContain('hunter2')
    expect(onError).toHaveBeenCalledExactlyOnceWith(fault)
  })

  test('the request that the framework has is what getUser gets', async () => {
    const seen: unknown[] = []
    const url = await start((req: never) => {
      seen.push(req)
      return null
    })
    await fetch(url, { headers: { Cookie: 'sid=1' } })
    const cookie = (req: unknown): unknown => {
      const { headers, req: own } = req as { headers?: unknown; req?: { header(name: string): string } }
      if (own !== undefined && name === 'Hono') return own.header('cookie')
      return headers instanceof Headers ? headers.get('cookie') : (headers as Record<string, string>).cookie
    }
    expect(cookie(seen[0])).toBe('sid=1')
  })

  test('only GET and POST mint', async () => {
    const url = await start(() => ({ externalUserId: 'user_123' }))
    for (const method of ['HEAD', 'PUT', 'DELETE']) {
      const answer = await fetch(url, { method })
      expect([answer.status, answer.headers.get('Allow')]).toEqual([405, 'GET, POST'])
    }
    expect(service.received).toHaveLength(0)
    expect((await fetch(url, { method: 'POST' })).status).toBe(200)
  })
})

describe('what the service answers', () => {
  const ask = async (): Promise<Response> => {
    const url = await mounts.Express(sessionRoute(gp, () => ({ externalUserId: 'user_123' }), { onError }))
    return fetch(url)
  }

  test('a blocked customer is 403: the browser ends the session', async () => {
    service.reply({ status: 403, body: { code: 'CUSTOMER_BLOCKED' } })
    const answer = await ask()
    expect([answer.status, await codeOf(answer)]).toEqual([403, 'CUSTOMER_BLOCKED'])
  })

  test('a limit or an outage keeps its status and says when to return: nobody is signed out', async () => {
    service.reply({ status: 429, headers: { 'Retry-After': '7' }, body: { code: 'RATE_LIMITED' } })
    let answer = await ask()
    expect([answer.status, answer.headers.get('Retry-After')]).toEqual([429, '7'])
    service.reply({ hangUp: true })
    answer = await ask()
    expect([answer.status, answer.headers.get('Retry-After'), await codeOf(answer)]).toEqual([
      503,
      '1',
      'UNAVAILABLE',
    ])
  })

  test.each([
    ['a wrong secret key', 401, 'UNAUTHORIZED'],
    ['a key that may not mint', 403, 'FORBIDDEN'],
    ['a field that breaks a rule', 400, 'VALIDATION_ERROR'],
  ])("%s is the host's fault: 500, and never a 401 that signs the user out", async (_name, status, code) => {
    service.reply({ status, body: { code, message: 'internal' } })
    const answer = await ask()
    expect([answer.status, await codeOf(answer)]).toEqual([500, 'INTERNAL_ERROR'])
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code }))
  })
})

test('a whole user record is refused before it leaves: it may hold anything, and a misspelt limit is no limit', async () => {
  for (const user of [
    { externalUserId: 'a', passwordHash: 'x' },
    { externalUserId: 'a', allowedOperation: [] },
  ]) {
    const url = await mounts.Express(sessionRoute(gp, () => user as SessionUser, { onError }))
    expect((await fetch(url)).status).toBe(500)
  }
  expect(service.received).toHaveLength(0)
  expect(onError.mock.calls[0]?.[0].message).toContain('"passwordHash"')
})

test('without onError, an error is written to the console', async () => {
  const write = vi.spyOn(console, 'error').mockImplementation(() => {})
  const fault = new Error('no database')
  const url = await mounts.Hono(sessionRoute(gp, () => Promise.reject(fault)))
  expect((await fetch(url)).status).toBe(500)
  expect(write).toHaveBeenCalledExactlyOnceWith(expect.any(String), fault)
  write.mockRestore()
})

test('an error that steers Next.js passes through: swallowed, its build would break', async () => {
  const steering = Object.assign(new Error('dynamic'), { digest: 'DYNAMIC_SERVER_USAGE' })
  const route = sessionRoute(gp, () => Promise.reject(steering), { onError })
  await expect(route(new Request('https://app.example.com/api/session'))).rejects.toBe(steering)
})

test('called with anything else, the route says which frameworks it is for', async () => {
  const route = sessionRoute(gp, () => null) as unknown as (...args: unknown[]) => Promise<unknown>
  for (const args of [[], [null], ['GET'], [{}, {}]]) await expect(route(...args)).rejects.toThrow(/Express/)
})

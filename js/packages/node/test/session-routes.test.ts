/** Who is answered what at the host's session routes: the tables of docs/adr/0021. */
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { hostProofs } from '../src/host/proofs.js'
import { Guestpass, type LoginUser, type SessionRoutesOptions, sessionRoutes } from '../src/index.js'
import { servers } from './frameworks.js'
import { PAIR, SECRET_KEY, type Service, startService } from './service.js'

const OTHER_SECRET = `sk_test_${'B'.repeat(49)}`
const SESSION = 'sess_01jd0000000000000000000000'
const NEXT = PAIR.refreshToken
const USED = NEXT.replace(/.$/, 'x')
const { sessionId, refreshToken, refreshTokenExpiresAt, ...ACCESS } = PAIR
const onError = vi.fn()
let service: Service
let user: LoginUser | null
let base: string

beforeEach(async () => {
  service = await startService()
  user = { externalUserId: 'ada', email: 'ada@example.com' }
  onError.mockClear()
  base = await open('Express')
})

async function open(framework: keyof typeof servers, options: SessionRoutesOptions = { onError }) {
  const gp = new Guestpass({ secretKey: SECRET_KEY, baseUrl: service.url, maxRetries: 0 })
  const { session, refresh, end } = sessionRoutes(gp, () => user, options)
  return servers[framework]({ '/session': session, '/session/refresh': refresh, '/session/end': end })
}

const cookieOf = (token: string, owner: LoginUser = { externalUserId: 'ada' }, secret = SECRET_KEY) =>
  `gp_refresh_test=${token}.${hostProofs(secret).ofOwner(SESSION, owner)}`
const csrf = hostProofs(SECRET_KEY).csrfToken(SESSION)

type Headers = Readonly<Record<string, string>>
const get = (headers: Headers = {}) => fetch(`${base}/session`, { headers })
const post = (path: 'refresh' | 'end', headers: Headers = {}) =>
  fetch(`${base}/session/${path}`, {
    method: 'POST',
    headers: { 'Sec-Fetch-Site': 'same-origin', 'X-Guestpass-CSRF': csrf, ...headers },
  })
const calls = () => service.received.map(({ path, body }) => [path, JSON.parse(body)])
const ours = (answer: Response) =>
  answer.headers.getSetCookie().filter((cookie) => !cookie.startsWith('own='))
const codeOf = async (answer: Response) => [answer.status, ((await answer.json()) as { code?: string }).code]
const refuse = (code: string, status = 401) => ({ status, body: { code } })

const OF_SESSION = {
  sessionToken: PAIR.accessToken,
  expiresAt: '2026-11-26T10:15:00.000Z',
  expiresIn: 900,
  csrfToken: csrf,
}
// 7 days from the service's own now, whatever the host's clock says.
const KEPT = `${cookieOf(NEXT)}; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict`
const CLEARED = 'gp_refresh_test=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict'

describe.each(Object.keys(servers) as (keyof typeof servers)[])('with %s', (framework) => {
  test('the whole course: log in, go on, refresh, end', async () => {
    base = await open(framework)
    service.reply(
      { status: 201, body: PAIR },
      { body: ACCESS },
      { body: PAIR },
      { body: { tokensRevoked: 1 } },
    )

    const first = await get({ 'X-Request-Id': 'req-of-the-page' })
    expect([first.status, await first.json()]).toEqual([200, OF_SESSION])
    expect(first.headers.get('Cache-Control')).toBe('no-store')
    expect(first.headers.get('Vary')).toContain('Cookie, Authorization')
    expect(first.headers.get('X-Request-Id')).toBe('req-of-the-page')
    expect(ours(first)).toEqual([KEPT])
    expect(first.headers.getSetCookie().length).toBe(framework === 'the Next.js app router' ? 1 : 2)

    const again = await get({ Cookie: `theme=dark; ${cookieOf(NEXT)}` })
    expect([again.status, await again.json(), ours(again)]).toEqual([200, OF_SESSION, []])

    const refreshed = await post('refresh', { Cookie: cookieOf(USED) })
    expect([refreshed.status, await refreshed.json(), ours(refreshed)]).toEqual([200, OF_SESSION, [KEPT]])

    const ended = await post('end', { Cookie: cookieOf(NEXT) })
    expect([ended.status, await ended.json(), ours(ended)]).toEqual([200, { tokensRevoked: 1 }, [CLEARED]])
    expect(calls()).toEqual([
      ['/v1/auth/login', { externalUserId: 'ada', email: 'ada@example.com' }],
      ['/v1/auth/refresh', { sessionId: SESSION }],
      ['/v1/auth/refresh', { refreshToken: USED }],
      ['/v1/auth/logout', { refreshToken: NEXT }],
    ])
    expect(onError).not.toHaveBeenCalled()
  })
})

describe('GET /session', () => {
  test('nobody is signed in: 401, the cookie stays, nothing is asked', async () => {
    user = null
    const answer = await get({ Cookie: cookieOf(NEXT) })
    expect([answer.headers.get('WWW-Authenticate'), ours(answer)]).toEqual(['Bearer', []])
    expect(await codeOf(answer)).toEqual([401, 'UNAUTHORIZED'])
    expect(service.received).toEqual([])
  })

  test.each([
    'REFRESH_TOKEN_EXPIRED',
    'REFRESH_TOKEN_REVOKED',
    'TOKEN_REVOKED',
    'TOKEN_EXPIRED',
    'NOT_FOUND',
  ])('a session that is over (%s) is followed by a new one', async (code) => {
    service.reply(refuse(code, code === 'NOT_FOUND' ? 404 : 401), { status: 201, body: PAIR })
    const answer = await get({ Cookie: cookieOf(USED) })
    expect([answer.status, ours(answer)]).toEqual([200, [KEPT]])
  })

  test.each([
    ['refuses', refuse('SESSION_SUSPENDED')],
    ['says so', { body: { ...ACCESS, suspended: true } }],
  ])('a suspended session, of which the service %s, is 401, and nobody is logged in', async (_, reply) => {
    service.reply(reply)
    const answer = await get({ Cookie: cookieOf(NEXT) })
    expect([await codeOf(answer), ours(answer)]).toEqual([[401, 'SESSION_SUSPENDED'], []])
    expect(service.received).toHaveLength(1)
  })

  test.each<[string, string]>([
    ['another user', cookieOf(USED, { externalUserId: 'bob' })],
    ['another organization', cookieOf(USED, { externalUserId: 'ada', externalOrganizationId: 'org_7' })],
    ['another secret', cookieOf(USED, { externalUserId: 'ada' }, OTHER_SECRET)],
  ])('the cookie of %s ends that session first', async (_, cookie) => {
    service.reply({ body: { tokensRevoked: 1 } }, { status: 201, body: PAIR })
    const answer = await get({ Cookie: cookie })
    expect([answer.status, ours(answer)]).toEqual([200, [KEPT]])
    expect(calls().map(([path]) => path)).toEqual(['/v1/auth/logout', '/v1/auth/login'])
  })

  test('where that session is over already, the user is logged in all the same', async () => {
    service.reply(refuse('REFRESH_TOKEN_INVALID'), { status: 201, body: PAIR })
    expect((await get({ Cookie: cookieOf(USED, { externalUserId: 'bob' }) })).status).toBe(200)
  })

  test('where that session cannot be ended now, nobody is logged in', async () => {
    service.reply({ hangUp: true })
    const answer = await get({ Cookie: cookieOf(USED, { externalUserId: 'bob' }) })
    expect(await codeOf(answer)).toEqual([503, 'UNAVAILABLE'])
    expect(service.received).toHaveLength(1)
  })

  test('a secret that this one takes the place of is still believed', async () => {
    base = await open('Express', { onError, earlierSecrets: [OTHER_SECRET] })
    service.reply({ body: ACCESS })
    const answer = await get({ Cookie: cookieOf(NEXT, { externalUserId: 'ada' }, OTHER_SECRET) })
    expect([answer.status, ours(answer)]).toEqual([200, []])
  })

  test.each<[string, Headers]>([
    ['a page of another site', { 'Sec-Fetch-Site': 'cross-site' }],
    ['a page of another origin of the site', { 'Sec-Fetch-Site': 'same-site' }],
    ['an older browser on another origin', { Origin: 'https://evil.example' }],
  ])('caused by %s: 403, and nobody is logged in', async (_, headers) => {
    expect(await codeOf(await get(headers))).toEqual([403, 'CSRF_FAILED'])
    expect(service.received).toEqual([])
  })

  test.each(['HEAD', 'POST', 'DELETE'])('%s is 405 and logs nobody in', async (method) => {
    const answer = await fetch(`${base}/session`, { method })
    expect([answer.status, answer.headers.get('Allow')]).toEqual([405, 'GET'])
    expect(service.received).toEqual([])
  })
})

describe('POST /session/refresh', () => {
  test.each([
    'REFRESH_TOKEN_EXPIRED',
    'REFRESH_TOKEN_REVOKED',
    'REFRESH_TOKEN_REUSED',
    'REFRESH_TOKEN_INVALID',
  ])('%s: 401 with that code, and the cookie goes', async (code) => {
    service.reply(refuse(code))
    const answer = await post('refresh', { Cookie: cookieOf(USED) })
    expect([await codeOf(answer), ours(answer)]).toEqual([[401, code], [CLEARED]])
    expect(onError).not.toHaveBeenCalled()
  })

  test.each<[string, Headers, unknown[]]>([
    ['no CSRF token', { 'X-Guestpass-CSRF': '' }, [403, 'CSRF_FAILED']],
    [
      'that of another session',
      { 'X-Guestpass-CSRF': hostProofs(SECRET_KEY).csrfToken('sess_x') },
      [403, 'CSRF_FAILED'],
    ],
    ['a page of another site', { 'Sec-Fetch-Site': 'cross-site' }, [403, 'CSRF_FAILED']],
    ['no cookie', { Cookie: '' }, [401, 'REFRESH_TOKEN_INVALID']],
    ['junk in the cookie', { Cookie: 'gp_refresh_test=junk' }, [401, 'REFRESH_TOKEN_INVALID']],
    ['another user’s cookie', { Cookie: cookieOf(USED, { externalUserId: 'bob' }) }, [401, 'UNAUTHORIZED']],
  ])('%s: refused, and nothing is rotated', async (_, headers, refusal) => {
    const answer = await post('refresh', { Cookie: cookieOf(USED), ...headers })
    expect([await codeOf(answer), ours(answer)]).toEqual([refusal, []])
    expect(service.received).toEqual([])
  })

  test('without Sec-Fetch-Site and Origin it is refused; Origin alone will do', async () => {
    service.reply({ body: PAIR })
    const send = (headers: Headers) =>
      fetch(`${base}/session/refresh`, {
        method: 'POST',
        headers: { Cookie: cookieOf(USED), 'X-Guestpass-CSRF': csrf, 'Sec-Fetch-Mode': 'cors', ...headers },
      })
    expect((await send({})).status).toBe(403)
    expect((await send({ Origin: base })).status).toBe(200)
    expect((await send({ Origin: 'null' })).status).toBe(403)
  })

  test('nobody is signed in at the host any more: 401, the cookie stays', async () => {
    user = null
    const answer = await post('refresh', { Cookie: cookieOf(USED) })
    expect([await codeOf(answer), ours(answer)]).toEqual([[401, 'UNAUTHORIZED'], []])
  })
})

describe('POST /session/end', () => {
  test('asks for no user: the host’s own sign-out may come first', async () => {
    user = null
    service.reply({ body: { tokensRevoked: 1 } })
    expect((await post('end', { Cookie: cookieOf(NEXT) })).status).toBe(200)
  })

  test('a session that is over already: 200, and the cookie goes', async () => {
    service.reply(refuse('REFRESH_TOKEN_REVOKED'))
    const answer = await post('end', { Cookie: cookieOf(NEXT) })
    expect([await answer.json(), ours(answer)]).toEqual([{ tokensRevoked: 0 }, [CLEARED]])
  })

  test('no cookie: nothing to end', async () => {
    const answer = await post('end')
    expect([answer.status, await answer.json(), ours(answer)]).toEqual([200, { tokensRevoked: 0 }, []])
  })

  test('a foreign CSRF token ends nothing', async () => {
    const answer = await post('end', { Cookie: cookieOf(NEXT), 'X-Guestpass-CSRF': 'x' })
    expect([await codeOf(answer), service.received.length]).toEqual([[403, 'CSRF_FAILED'], 0])
  })
})

describe('what the service answers', () => {
  const each = () => [
    get(),
    post('refresh', { Cookie: cookieOf(NEXT) }),
    post('end', { Cookie: cookieOf(NEXT) }),
  ]

  test('a limit or an outage keeps the cookie and says when to return: nobody is signed out', async () => {
    service.reply({ status: 429, headers: { 'Retry-After': '7' }, body: { code: 'RATE_LIMITED' } })
    for (const answer of await Promise.all(each())) {
      expect([answer.status, answer.headers.get('Retry-After'), ours(answer)]).toEqual([429, '7', []])
    }
    for (const reply of [{ hangUp: true }, { status: 500, body: { code: 'INTERNAL_ERROR' } }]) {
      service.reply(reply)
      for (const answer of await Promise.all(each())) {
        expect([answer.status, answer.headers.get('Retry-After'), ours(answer)]).toEqual([503, '1', []])
      }
    }
  })

  test('a blocked customer is 403', async () => {
    service.reply(refuse('CUSTOMER_BLOCKED', 403))
    for (const answer of await Promise.all(each()))
      expect(await codeOf(answer)).toEqual([403, 'CUSTOMER_BLOCKED'])
    expect(onError).not.toHaveBeenCalled()
  })

  test.each([
    ['a wrong secret key', 401, 'UNAUTHORIZED'],
    ['a key that may not mint', 403, 'FORBIDDEN'],
    ['a field that breaks a rule', 400, 'VALIDATION_ERROR'],
  ])('%s is the host’s to mend: 500, never a 401 that signs the user out', async (_, status, code) => {
    service.reply({ status, body: { code, message: 'internal' } })
    const answer = await get()
    expect(await codeOf(answer)).toEqual([500, 'INTERNAL_ERROR'])
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code }))
  })
})

describe('getUser', () => {
  test.each<[string, unknown]>([
    ['a whole user record', { externalUserId: 'ada', passwordHash: 'x' }],
    ['a field of a mint that no login has', { externalUserId: 'ada', expiresIn: 60 }],
    ['no id', { externalUserId: '' }],
    ['a number for an id', { externalUserId: 7 }],
    ['half a character, which is written as another', { externalUserId: 'ada\ud800' }],
  ])('returns %s: 500, and nothing leaves', async (_, returned) => {
    user = returned as LoginUser
    expect((await get({ Cookie: cookieOf(NEXT) })).status).toBe(500)
    expect([service.received.length, onError.mock.calls.length]).toEqual([0, 1])
  })

  test('throws: 500 without details; what steers Next.js passes through', async () => {
    const gp = new Guestpass({ secretKey: SECRET_KEY, baseUrl: service.url })
    const failing = (error: Error) => sessionRoutes(gp, () => Promise.reject(error), { onError }).session
    const request = new Request('https://app.example.com/session')
    const answer = await failing(new Error('password is hunter2'))(request)
    expect(await answer.text()).not.toContain('hunter2')
    const steering = Object.assign(new Error('dynamic'), { digest: 'DYNAMIC_SERVER_USAGE' })
    await expect(failing(steering)(request)).rejects.toBe(steering)
  })
})

test('away from localhost the cookie is Secure, and no other host can set it', async () => {
  service.reply({ status: 201, body: PAIR })
  const gp = new Guestpass({ secretKey: SECRET_KEY, baseUrl: service.url })
  const { session } = sessionRoutes(gp, () => user)
  const answer = await session(new Request('https://app.example.com/session'))
  expect(ours(answer)).toEqual([`__Host-${KEPT}; Secure`])
})

test('a client that is none is refused at once', () => {
  expect(() => sessionRoutes({ auth: {} } as Guestpass, () => null)).toThrow(/Guestpass client/)
})

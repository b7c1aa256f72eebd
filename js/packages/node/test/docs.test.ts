import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { TokenError } from '../src/index.js'
import { type Issuer, makeKey, sessionToken, startIssuer } from './issuer.js'
import { listen, MINTED, PAIR, SECRET_KEY, type Service, startService } from './service.js'

const examples = join(import.meta.dirname, '../examples')
const docs = readFileSync(join(import.meta.dirname, '../../../../docs/node.md'), 'utf8')

const KEY = makeKey()
let service: Service
let issuer: Issuer

beforeEach(async () => {
  service = await startService()
  issuer = await startIssuer(KEY)
  vi.resetModules()
  vi.stubEnv('GUESTPASS_SECRET_KEY', SECRET_KEY)
  vi.stubEnv('GUESTPASS_URL', service.url)
  vi.stubEnv('GUESTPASS_ISSUER', issuer.issuer)
  vi.stubEnv('GUESTPASS_KEY_ID', 'key_01')
  return () => vi.unstubAllEnvs()
})

const freshToken = (change = {}): string => {
  const now = Math.floor(Date.now() / 1000)
  return sessionToken(KEY, issuer.issuer, { iat: now, exp: now + 600, ...change })
}

test('every TypeScript block of the documentation is an example that is checked and run', () => {
  const files = readdirSync(examples, { recursive: true, withFileTypes: true }).filter(({ name }) =>
    name.endsWith('.ts'),
  )
  const texts = new Map(
    files.map((file) => [readFileSync(join(file.parentPath, file.name), 'utf8').trim(), file.name]),
  )
  const blocks = [...docs.matchAll(/```ts[^\n]*\n(.*?)```/gs)].map(([, text]) => text?.trim() ?? '')
  expect(blocks.length).toBeGreaterThan(8)
  for (const block of blocks) expect(texts.has(block), block).toBe(true)
  expect(docs).not.toMatch(/```(?:js|tsx|typescript)/)
})

/** The four quickstarts: where their session endpoint and their API listen. */
type Quickstart = () => Promise<{ session: string; invoices: string }>
const serve = async (listener: RequestListener): Promise<string> => listen(createServer(listener))
const quickstarts: Readonly<Record<string, Quickstart>> = {
  Express: async () => {
    const base = await serve((await import('../examples/express.js')).app)
    return { session: `${base}/api/session`, invoices: `${base}/api/invoices` }
  },
  Hono: async () => {
    const base = await serve(getRequestListener((await import('../examples/hono.js')).app.fetch))
    return { session: `${base}/api/session`, invoices: `${base}/api/invoices` }
  },
  'Next.js, app router': async () => {
    const session = await import('../examples/next/app/api/session/route.js')
    const invoices = await import('../examples/next/app/api/invoices/route.js')
    return {
      session: await serve(getRequestListener((request) => session.GET(request))),
      invoices: await serve(getRequestListener((request) => invoices.GET(request))),
    }
  },
  'Next.js, pages router': async () => {
    const session = await import('../examples/next/pages/api/session.js')
    const invoices = await import('../examples/next/pages/api/invoices.js')
    return {
      session: await serve((req, res) => void session.default(req, res)),
      invoices: await serve((req, res) => void invoices.default(req, res)),
    }
  },
}

describe.each(Object.entries(quickstarts))('the quickstart for %s', (_name, start) => {
  test('mints for the signed-in user, and lets the token into the API', async () => {
    const { session, invoices } = await start()
    service.reply({ status: 201, body: { ...MINTED, sessionToken: freshToken({ sub: 'ada' }) } })
    expect((await fetch(session)).status).toBe(401)
    const answer = await fetch(session, { headers: { Cookie: 'user=ada' } })
    const { sessionToken: token } = (await answer.json()) as { sessionToken: string }
    expect(JSON.parse(service.received[0]!.body)).toMatchObject({
      externalUserId: 'ada',
      emailVerified: true,
    })
    expect((await fetch(invoices)).status).toBe(401)
    const good = await fetch(invoices, { headers: { Authorization: `Bearer ${token}` } })
    expect([good.status, await good.json()]).toEqual([200, { invoicesOf: 'ada' }])
    const narrow = { headers: { Authorization: `Bearer ${freshToken({ scope: '' })}` } }
    expect((await fetch(invoices, narrow)).status).toBe(403)
  })
})

/** The session routes of three frameworks: where they listen. */
const sessionRoutesOf: Readonly<Record<string, () => Promise<string>>> = {
  Express: async () => serve((await import('../examples/session-routes-express.js')).app),
  Hono: async () => serve(getRequestListener((await import('../examples/session-routes-hono.js')).app.fetch)),
  'Next.js, app router': async () => {
    const routes: Readonly<Record<string, (request: Request) => Promise<Response>>> = {
      'GET /session': (await import('../examples/next/app/session/route.js')).GET,
      'POST /session/refresh': (await import('../examples/next/app/session/refresh/route.js')).POST,
      'POST /session/end': (await import('../examples/next/app/session/end/route.js')).POST,
    }
    const absent = async (): Promise<Response> => new Response(null, { status: 404 })
    return serve(
      getRequestListener((request) => {
        const route = routes[`${request.method} ${new URL(request.url).pathname}`] ?? absent
        return route(request)
      }),
    )
  },
}

describe.each(Object.entries(sessionRoutesOf))('the session routes with %s', (_name, start) => {
  test('log in, refresh and end', async () => {
    const base = await start()
    service.reply({ status: 201, body: PAIR }, { body: PAIR }, { body: { tokensRevoked: 1 } })
    expect((await fetch(`${base}/session`)).status).toBe(401)
    const answer = await fetch(`${base}/session`, { headers: { Cookie: 'user=ada' } })
    const { csrfToken } = (await answer.json()) as { csrfToken: string }
    const cookie = answer.headers.getSetCookie()[0]?.split(';')[0]
    const headers = { Cookie: `user=ada; ${cookie}`, 'X-Guestpass-CSRF': csrfToken, Origin: base }
    for (const path of ['refresh', 'end']) {
      expect((await fetch(`${base}/session/${path}`, { method: 'POST', headers })).status).toBe(200)
    }
  })
})

test('renewable sessions by hand', async () => {
  const { sessionId, refreshToken, refreshTokenExpiresAt, ...access } = PAIR
  service.reply(
    { status: 201, body: PAIR },
    { body: PAIR },
    { body: access },
    { body: { tokensRevoked: 1 } },
    { status: 401, body: { code: 'REFRESH_TOKEN_REVOKED' } },
  )
  const { accessToken, tokensRevoked, ended } = await import('../examples/renewable.js')
  expect([accessToken, tokensRevoked, ended]).toEqual([PAIR.accessToken, 1, 'REFRESH_TOKEN_REVOKED'])
})

test('the first steps: mint, ask, revoke, ask', async () => {
  service.reply(
    { status: 201, body: MINTED },
    { body: { valid: true, checks: [] } },
    { body: { id: MINTED.id, revokedAt: '2026-11-21T09:30:00Z' } },
    { body: { valid: false, code: 'TOKEN_REVOKED', checks: [] } },
  )
  const { before, after } = await import('../examples/quickstart.js')
  expect([before.valid, after.valid, after.code]).toEqual([true, false, 'TOKEN_REVOKED'])
})

test('ending sessions', async () => {
  const before = '2026-11-21T09:30:00Z'
  service.reply(
    { body: { revoked: 1, before, blocked: true, customerId: 'cust_1' } },
    { body: { id: 'cust_1', blocked: false } },
    { body: { revoked: null, before } },
    { body: { data: [{ id: 'sess_1' }], nextCursor: null } },
  )
  const { active, ended } = await import('../examples/end-sessions.js')
  expect([active, ended.revoked]).toEqual([['sess_1'], null])
})

test('API keys', async () => {
  const key = {
    id: 'key_01',
    createdAt: '2026-11-21T09:00:00Z',
    revokedAt: null,
    secrets: [{ createdAt: '2026-11-21T09:00:00Z', endsAt: null }],
  }
  service.reply(
    { status: 201, body: { ...key, secret: SECRET_KEY } },
    { status: 201, body: { ...key, secret: SECRET_KEY } },
    { body: { ...key, ipRanges: null } },
    { body: { ...key, revokedAt: '2026-11-21T09:30:00Z' } },
  )
  const { secret, edited, revokedAt } = await import('../examples/api-keys.js')
  expect([secret, edited.ipRanges, revokedAt]).toEqual([SECRET_KEY, null, new Date('2026-11-21T09:30:00Z')])
})

test('errors', async () => {
  const { tokenFor } = await import('../examples/errors.js')
  service.reply({ status: 403, body: { code: 'CUSTOMER_BLOCKED' } })
  expect(await tokenFor('ada')).toBe('blocked')
  service.reply({ status: 401, body: { code: 'UNAUTHORIZED' } })
  await expect(tokenFor('ada')).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
})

test('verifying by hand', async () => {
  const { sessionFor } = await import('../examples/verify.js')
  expect(await sessionFor(freshToken({ scope: 'pay_invoices' }))).toMatchObject({ userId: 'user_123' })
  expect(await sessionFor('gp_session_live_x')).toBe('TOKEN_ENVIRONMENT_MISMATCH')
  await expect(sessionFor(freshToken())).rejects.toMatchObject({ code: 'OPERATION_NOT_ALLOWED', status: 403 })
  await expect(sessionFor(freshToken())).rejects.not.toBeInstanceOf(TokenError)
})

test('signed requests', async () => {
  service.reply({ status: 201, body: MINTED })
  await import('../examples/signed.js')
  expect(service.received[0]?.headers['x-api-key']).toBe('key_01')
  expect(service.received[0]?.headers.authorization).toBeUndefined()
})

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { describe, expect, test, vi } from 'vitest'
import { type RequireSessionOptions, requireSession, sessionOf, Verifier } from '../src/index.js'
import { type Issuer, makeKey, NOW, sessionToken, startIssuer } from './issuer.js'
import { listen } from './service.js'

const KEY = makeKey()
const ISSUER = 'https://guestpass.example.com/test'
const verifier = new Verifier({ issuer: ISSUER, keys: { keys: [KEY.jwk] }, clock: () => NOW * 1000 })

/** An API with one route that answers the user of the session, in each framework. */
type Start = (options: RequireSessionOptions, by?: Verifier) => Promise<string>
const starts: Readonly<Record<string, Start>> = {
  Express: async (options, by = verifier) => {
    const app = express()
    app.get('/', requireSession(by, options), (req, res) => void res.json({ user: sessionOf(req).userId }))
    return listen(createServer(app))
  },
  Hono: async (options, by = verifier) => {
    const app = new Hono()
    app.use(cors({ origin: '*', exposeHeaders: ['X-Own'] }))
    app.use('*', requireSession(by, options))
    app.get('/', (c) => c.json({ user: sessionOf(c).userId }))
    return listen(createServer(getRequestListener(app.fetch)))
  },
  'the Next.js app router': async (options, by = verifier) => {
    const GET = requireSession(by, options, async (request: Request) =>
      Response.json({ user: sessionOf(request).userId }),
    )
    return listen(createServer(getRequestListener(GET)))
  },
  'the Next.js pages router': async (options, by = verifier) => {
    const handler = requireSession(by, options, (req: IncomingMessage, res: ServerResponse) => {
      res.end(JSON.stringify({ user: sessionOf(req).userId }))
    })
    return listen(createServer((req, res) => void handler(req, res)))
  },
}

const codeOf = async (answer: Response): Promise<unknown> => ((await answer.json()) as { code: unknown }).code
const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } })
const token = (change = {}): string => sessionToken(KEY, ISSUER, change)
const EXPOSED = ['Guestpass-Retry', 'Retry-After', 'WWW-Authenticate', 'X-Request-Id']

describe.each(Object.entries(starts))('with %s', (_name, start) => {
  test('a good token goes through, and the handler finds its session', async () => {
    const url = await start({ operation: 'read_invoices', maxAgeSeconds: 60 })
    const answer = await fetch(url, bearer(token()))
    expect([answer.status, await answer.json()]).toEqual([200, { user: 'user_123' }])
    expect((await fetch(url, { headers: { authorization: `bearer   ${token()}` } })).status).toBe(200)
  })

  test('no token is 401 with a bare challenge: there is nothing to say about a token', async () => {
    const url = await start({})
    for (const headers of [{}, { Authorization: 'Basic a2V5OnNlY3JldA==' }, { Authorization: 'Bearer' }]) {
      const answer = await fetch(url, { headers })
      expect([answer.status, await codeOf(answer)]).toEqual([401, 'TOKEN_MISSING'])
      expect(answer.headers.get('WWW-Authenticate')).toBe('Bearer')
      expect(answer.headers.get('Guestpass-Retry')).toBeNull()
    }
  })

  test('a refused token is 401 with its code, and asks for a new one only where that helps', async () => {
    const url = await start({})
    const cases = [
      [token({ exp: NOW - 10 }), 'TOKEN_EXPIRED', 'token'],
      [token({ aud: 'another' }), 'TOKEN_AUDIENCE_MISMATCH', null],
      [`${token()} ${token()}`, 'TOKEN_MALFORMED', null],
    ] as const
    for (const [sent, code, retry] of cases) {
      const answer = await fetch(url, bearer(sent))
      expect([answer.status, await codeOf(answer)]).toEqual([401, code])
      expect(answer.headers.get('WWW-Authenticate')).toBe('Bearer error="invalid_token"')
      expect(answer.headers.get('Guestpass-Retry')).toBe(retry)
      expect(answer.headers.get('Cache-Control')).toBe('no-store')
      const exposed = answer.headers.get('Access-Control-Expose-Headers')?.split(', ')
      expect(exposed?.filter((name) => name !== 'X-Own')).toEqual(EXPOSED)
    }
  })

  test('an operation that is not in the token is 403, and logged with the session', async () => {
    const onRefusal = vi.fn()
    const url = await start({ operation: 'delete_all', onRefusal })
    const answer = await fetch(url, { headers: { ...bearer(token()).headers, 'X-Request-Id': 'req-7' } })
    expect([answer.status, await answer.json()]).toEqual([
      403,
      expect.objectContaining({ code: 'OPERATION_NOT_ALLOWED' }),
    ])
    expect(answer.headers.get('WWW-Authenticate')).toBe(
      'Bearer error="insufficient_scope", scope="delete_all"',
    )
    expect(onRefusal).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({
        code: 'OPERATION_NOT_ALLOWED',
        status: 403,
        sessionId: 'sess_01jd0000000000000000000000',
        requestId: 'req-7',
      }),
    )
  })

  test('keys that cannot be had are 503 with Retry-After, never a 401, and the way to them stays private', async () => {
    const issuer: Issuer = await startIssuer(KEY)
    issuer.down = true
    const url = await start({}, new Verifier({ issuer: issuer.issuer }))
    const answer = await fetch(url, bearer(token()))
    const body = await answer.text()
    expect([answer.status, answer.headers.get('Retry-After')]).toEqual([503, '1'])
    expect(body).toContain('UNAVAILABLE')
    expect(body).not.toContain(issuer.base)
  })
})

describe('mistakes', () => {
  test('a handler without requireSession before it does not take a guest for a user', () => {
    expect(() => sessionOf({})).toThrow(/requireSession/)
  })

  test('an option that cannot be used is found when the middleware is made', () => {
    expect(() => requireSession(verifier, { maxAgeSeconds: -1 })).toThrow(/maxAgeSeconds/)
  })

  test('a middleware where a guarded handler is meant says so', async () => {
    const route = requireSession(verifier) as unknown as (request: Request) => Promise<unknown>
    await expect(route(new Request('https://api.example.com'))).rejects.toThrow(/third argument/)
  })

  test('a request id that could break a log line is replaced', async () => {
    const url = await starts.Hono!({})
    const answer = await fetch(url, { headers: { 'X-Request-Id': 'a b"c' } })
    expect(answer.headers.get('X-Request-Id')).toMatch(/^req_[0-9a-f]{32}$/)
  })
})

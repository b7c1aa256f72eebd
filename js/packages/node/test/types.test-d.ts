import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Request as ExpressRequest, RequestHandler } from 'express'
import type { Context, Handler, MiddlewareHandler } from 'hono'
import { describe, expectTypeOf, test } from 'vitest'
import {
  Guestpass,
  type GuestpassError,
  requireSession,
  type Session,
  type SessionDetails,
  sessionRoute,
  TokenError,
  Verifier,
} from '../src/index.js'

declare const gp: Guestpass
declare const verifier: Verifier

describe('the client', () => {
  test('answers Dates', () => {
    expectTypeOf(gp.createSessionToken({ externalUserId: 'a' }))
      .resolves.toHaveProperty('expiresAt')
      .toEqualTypeOf<Date>()
    expectTypeOf(gp.sessions.list()).toExtend<AsyncIterable<SessionDetails>>()
  })

  test('takes a field that may be undefined, and no field that does not exist', () => {
    const email = undefined as string | undefined
    expectTypeOf(gp.createSessionToken).toBeCallableWith({ externalUserId: 'a', email })
    // @ts-expect-error a misspelt limit would be no limit
    gp.createSessionToken({ externalUserId: 'a', allowedOperation: [] })
    // @ts-expect-error the user is required
    gp.createSessionToken({})
  })

  test('a bulk revoke needs a selector', () => {
    expectTypeOf(gp.sessions.revoke).toBeCallableWith({ externalUserId: 'a', reissue: true })
    // @ts-expect-error nothing is selected
    gp.sessions.revoke({ reissue: true })
    // @ts-expect-error all is said by true alone
    gp.sessions.revoke({ all: false })
  })

  test('options are checked', () => {
    // @ts-expect-error the name of the option is secretKey
    new Guestpass({ secret: 'sk_test_' })
    // @ts-expect-error HS256 comes with a secret, never by name
    new Verifier({ algorithms: ['HS256'] })
  })
})

test('a session is read-only', () => {
  expectTypeOf(verifier.verify('t')).resolves.toEqualTypeOf<Session>()
  const session = {} as Session
  // @ts-expect-error what a token proves is not to be changed
  session.userId = 'root'
})

test('an error narrows by class, and knows codes of newer servers', () => {
  const error = {} as GuestpassError
  expectTypeOf(error.code).toExtend<string>()
  if (error instanceof TokenError && error.code === 'TOKEN_EXPIRED') expectTypeOf(error.status).toBeNumber()
})

describe('routes fit the frameworks', () => {
  test('sessionRoute', () => {
    const route = sessionRoute(gp, async () => null)
    expectTypeOf(route).toExtend<RequestHandler>()
    expectTypeOf(route).toExtend<Handler>()
    expectTypeOf(route).toExtend<(request: Request) => Promise<Response>>()
    expectTypeOf(route).toExtend<(req: IncomingMessage, res: ServerResponse) => unknown>()
    sessionRoute(gp, (req: ExpressRequest) => ({ externalUserId: req.hostname }))
    sessionRoute(gp, async (c: Context) => ({ externalUserId: c.req.path }))
    // @ts-expect-error a user without an id cannot be minted for
    sessionRoute(gp, () => ({ email: 'ada@example.com' }))
  })

  test('requireSession', () => {
    expectTypeOf(requireSession(verifier)).toExtend<RequestHandler>()
    expectTypeOf(requireSession(verifier, { operation: 'read' })).toExtend<MiddlewareHandler>()
    const GET = requireSession(
      verifier,
      {},
      async (_request: Request, _context: { params: Promise<{ id: string }> }) => Response.json({}),
    )
    expectTypeOf(GET).returns.resolves.toEqualTypeOf<Response>()
    expectTypeOf(GET).parameter(1).toEqualTypeOf<{ params: Promise<{ id: string }> }>()
  })
})

/** Renewable sessions: what docs/browser-refresh.md promises, in a world with a clock and a server of its own. */
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { SessionState } from '../src/index.js'
import { SessionError } from '../src/index.js'
import { type BodyOptions, type CookieOptions, createRefreshClient } from '../src/refresh-client.js'
import { type TestTab, TestWorld } from '../src/testing/index.js'
import { RenewableServer } from './renewable-server.js'

const GUESTPASS = 'https://guestpass.example.com'
let world: TestWorld
let server: RenewableServer
let tab: TestTab

beforeEach(() => {
  world = new TestWorld()
  server = new RenewableServer(world)
  tab = world.tab()
})

function body(options: Partial<BodyOptions> = {}, where = tab) {
  const client = createRefreshClient({
    guestpassUrl: GUESTPASS,
    apiUrl: 'https://api.example.com',
    userId: 'ada',
    platform: where.platform,
    ...options,
  })
  onTestFinished(client.start())
  return client
}

const signedIn = (options: Partial<BodyOptions> = {}, where = tab) =>
  body({ tokens: server.login(), ...options }, where)

function cookie(options: Partial<CookieOptions> = {}, where = tab) {
  const client = createRefreshClient({
    sessionTokenUrl: '/api/session',
    apiUrl: 'https://api.example.com',
    userId: 'ada',
    platform: where.platform,
    ...options,
  })
  onTestFinished(client.start())
  return client
}

/** Let time pass, and return what comes. */
async function within<T>(promise: Promise<T>, seconds = 0.1): Promise<T> {
  promise.catch(() => {})
  await world.clock.advance(seconds)
  return promise
}

const statusOf = (client: { getState(): SessionState }) => client.getState().status
const fails = (status: number, code: string, headers = {}) => {
  server.refuse = () => Response.json({ code }, { status, headers })
}

describe('body mode', () => {
  test('the tokens of the login are used as they are, and nothing is asked', async () => {
    const login = server.login()
    const client = body({ tokens: login })
    expect(await client.getToken()).toBe(login.accessToken)
    await world.clock.advance(600)
    expect(server.shown).toEqual([])
  })

  test('an access token is renewed before its end, each time with the newest refresh token', async () => {
    signedIn()
    await world.clock.advance(3 * 900)
    expect(server.shown).toEqual(['gp_refresh_test_1x1', 'gp_refresh_test_1x2', 'gp_refresh_test_1x3'])
  })

  test('the refresh token goes to the Guestpass server in a body, without cookies, and nowhere on a redirect', async () => {
    const seen: Request[] = []
    const client = signedIn({}, { ...tab, platform: watched(tab, seen) })
    await within(client.refresh())
    expect(seen.map(({ url }) => url)).toEqual([`${GUESTPASS}/v1/auth/refresh`])
    expect(seen[0]).toMatchObject({
      method: 'POST',
      credentials: 'omit',
      redirect: 'error',
      cache: 'no-store',
    })
    expect(seen[0]?.headers.get('Authorization')).toBe(null)
  })

  test('without guestpassUrl it goes to the API, and of two to that of its environment', async () => {
    const seen: Request[] = []
    const apiUrls = { test: 'https://test.example.com/base/', live: 'https://live.example.com' }
    const options = { guestpassUrl: undefined, apiUrl: undefined, apiUrls }
    const client = signedIn(options, { ...tab, platform: watched(tab, seen) })
    await within(client.refresh()).catch(() => {})
    client.setTokens({ ...server.login(), refreshToken: 'gp_refresh_live_1x1' })
    await within(client.refresh()).catch(() => {})
    expect(seen.map(({ url }) => url)).toEqual([
      'https://test.example.com/base/v1/auth/refresh',
      'https://live.example.com/v1/auth/refresh',
    ])
  })

  test.each([
    ['INVALID', 'invalid'],
    ['EXPIRED', 'expired'],
    ['REVOKED', 'revoked'],
    ['REUSED', 'reused'],
  ])('REFRESH_TOKEN_%s ends the session as %s, and nothing more is asked', async (code, reason) => {
    const client = signedIn()
    fails(401, `REFRESH_TOKEN_${code}`)
    await expect(within(client.refresh())).rejects.toMatchObject({ code: 'SIGNED_OUT', reason, status: 401 })
    expect(client.getState()).toEqual({ status: 'signedOut', reason })
    await world.clock.advance(7200)
    expect(server.shown).toHaveLength(1)
  })

  test.each([
    [401, 'UNAUTHORIZED'],
    [401, 'TOKEN_EXPIRED'],
    [403, 'FORBIDDEN'],
    [404, 'NOT_FOUND'],
    [429, 'RATE_LIMITED'],
    [500, 'INTERNAL_ERROR'],
    [503, 'UNAVAILABLE'],
    [400, 'REFRESH_TOKEN_INVALID'],
  ])('%i %s signs nobody out, however long it lasts', async (status, code) => {
    const client = signedIn()
    fails(status, code)
    await world.clock.advance(3600)
    expect(statusOf(client)).toBe('restoring')
    server.refuse = undefined
    await world.clock.advance(60)
    expect(statusOf(client)).toBe('active')
    expect(new Set(server.shown)).toEqual(new Set(['gp_refresh_test_1x1']))
  })

  test('a customer who is blocked is signed out as blocked', async () => {
    const client = signedIn()
    fails(403, 'CUSTOMER_BLOCKED')
    await expect(within(client.refresh())).rejects.toMatchObject({ code: 'CUSTOMER_BLOCKED' })
    expect(client.getState()).toEqual({ status: 'signedOut', reason: 'blocked' })
  })

  test('Retry-After is waited for', async () => {
    const client = signedIn()
    fails(429, 'RATE_LIMITED', { 'Retry-After': '40' })
    const refused = within(client.refresh())
    await expect(refused).rejects.toMatchObject({ code: 'RATE_LIMITED', retryAfterSeconds: 40 })
    await world.clock.advance(39)
    expect(server.shown).toHaveLength(1)
    server.refuse = undefined
    await world.clock.advance(2)
    expect([server.shown.length, statusOf(client)]).toEqual([2, 'active'])
  })

  test.each([true, false])('offline for an hour: nobody is signed out (tab visible: %s)', async (visible) => {
    const client = signedIn()
    world.online = false
    tab.setVisible(visible)
    await world.clock.advance(3600)
    world.online = true
    tab.setVisible(true)
    tab.tell('online')
    await world.clock.advance(1)
    expect(statusOf(client)).toBe('active')
    expect(server.over).toBe(undefined)
  })

  test('a machine that slept hands out no token that ended meanwhile', async () => {
    const client = signedIn()
    const before = await client.getToken()
    world.clock.sleep(6 * 3600)
    expect(await within(client.getToken())).not.toBe(before)
  })
})

describe('an answer that is lost', () => {
  test('is asked for again with the same old token, inside the grace, and the session goes on', async () => {
    const client = signedIn()
    server.loseAnswers = 2
    await within(client.refresh(), 15).catch(() => {})
    expect(server.shown).toEqual(Array(3).fill('gp_refresh_test_1x1'))
    expect([statusOf(client), server.over]).toEqual(['active', undefined])
  })

  test.each([
    ['hidden', () => tab.setVisible(false)],
    ['stopped', () => {}],
  ])('is asked for again when the client is %s: nobody else would in time', async (name, change) => {
    const client = createRefreshClient({
      guestpassUrl: GUESTPASS,
      platform: tab.platform,
      tokens: server.login(),
    })
    if (name === 'hidden') onTestFinished(client.start())
    server.loseAnswers = 2
    client.refresh().catch(() => {})
    await world.clock.advance(0.1)
    change()
    await world.clock.advance(3600)
    expect(server.shown).toEqual(Array(3).fill('gp_refresh_test_1x1'))
    expect(await within(client.getToken())).toBeTruthy()
    expect([server.shown.at(-1), server.over]).toEqual(['gp_refresh_test_1x2', undefined])
  })

  test('three attempts of 8 s fit into the grace when the server says nothing at all', async () => {
    const client = signedIn()
    const began = world.clock.wall
    const at: number[] = []
    world.api.respond = () => {
      at.push((world.clock.wall - began) / 1000)
      return new Promise(() => {})
    }
    client.refresh().catch(() => {})
    await world.clock.advance(30)
    expect(at.filter((second) => second + 8 <= 30)).toHaveLength(3)
    expect(statusOf(client)).not.toBe('signedOut')
  })

  test('a body that breaks off is a lost answer', async () => {
    const client = signedIn()
    server.refuse = () => {
      server.refuse = undefined
      return new Response('{"accessToken":"ey')
    }
    await within(client.refresh(), 5).catch(() => {})
    expect([statusOf(client), server.shown.length]).toEqual(['active', 2])
  })

  test('for longer than the grace ends the session: the server cannot tell it from theft', async () => {
    const client = signedIn()
    server.loseAnswers = 1
    client.refresh().catch(() => {})
    await world.clock.advance(0.5)
    world.clock.sleep(3600)
    await world.clock.advance(60)
    expect(client.getState()).toEqual({ status: 'signedOut', reason: 'reused' })
  })

  test('is not asked for after the session has ended here', async () => {
    const client = signedIn()
    server.loseAnswers = 9
    client.refresh().catch(() => {})
    await world.clock.advance(0.1)
    await within(client.end())
    await world.clock.advance(60)
    expect(server.shown).toHaveLength(1)
    expect(world.clock.timers).toBe(0)
  })
})

describe('tabs', () => {
  test('in memory every tab has a session of its own, and they tell each other nothing', async () => {
    const login = server.login()
    const first = body({ tokens: login })
    const second = createRefreshClient({
      guestpassUrl: GUESTPASS,
      userId: 'ada',
      platform: world.tab().platform,
    })
    await expect(within(second.getToken())).rejects.toMatchObject({ code: 'SIGNED_OUT' })
    expect([statusOf(first), world.localStorage.size]).toEqual(['active', 0])
  })

  test('with localStorage they share one refresh token, and one of them refreshes for all', async () => {
    const clients = [signedIn({ storage: 'localStorage' })]
    for (let count = 0; count < 3; count++) clients.push(body({ storage: 'localStorage' }, world.tab()))
    await world.clock.advance(4 * 900)
    expect(new Set(await Promise.all(clients.map((one) => one.getToken()))).size).toBe(1)
    expect(server.shown).toEqual([1, 2, 3, 4].map((generation) => `gp_refresh_test_1x${generation}`))
  })

  test('without locks and channels two tabs that refresh at once both get a good token', async () => {
    const bare = () => world.tab({ locks: { request: () => Promise.reject() }, channel: () => undefined })
    const clients = [signedIn({ storage: 'localStorage' }, bare()), body({ storage: 'localStorage' }, bare())]
    await within(Promise.all(clients.map((one) => one.refresh())), 1)
    await within(Promise.all(clients.map((one) => one.refresh())), 60)
    expect([server.over, ...clients.map(statusOf)]).toEqual([undefined, 'active', 'active'])
  })

  test('a late answer does not put an older refresh token back', async () => {
    const bare = () => world.tab({ locks: { request: () => Promise.reject() }, channel: () => undefined })
    const [slow, quick] = [bare(), bare()]
    let answer = () => {}
    const held = new Promise<void>((resolve) => {
      answer = resolve
    })
    const fetch: TestTab['platform']['fetch'] = async (request) => {
      const response = await slow.platform.fetch(request)
      await held
      return response
    }
    const late = signedIn({ storage: 'localStorage' }, { ...slow, platform: { ...slow.platform, fetch } })
    const other = body({ storage: 'localStorage' }, quick)
    const refreshed = late.refresh()
    await world.clock.advance(1)
    await within(other.refresh())
    await within(other.refresh(), 2)
    answer()
    await within(refreshed)
    expect([...world.localStorage.values()].join()).toContain(server.refreshToken)
  })

  test('a reload goes on with what is in storage, and asks nothing while the access token lives', async () => {
    const login = server.login()
    const first = createRefreshClient({
      guestpassUrl: GUESTPASS,
      apiUrl: 'https://api.example.com',
      userId: 'ada',
      storage: 'localStorage',
      tokens: login,
      platform: tab.platform,
    })
    first.start()()
    await world.settle()
    const reloaded = body({ storage: 'localStorage' }, world.tab())
    expect(await within(reloaded.getToken())).toBe(login.accessToken)
    expect(server.shown).toEqual([])
    await world.clock.advance(900)
    expect(server.shown).toEqual([login.refreshToken])
  })

  test('the end in one tab reaches the other, and nothing stays in storage', async () => {
    const clients = [signedIn({ storage: 'localStorage' }), body({ storage: 'localStorage' }, world.tab())]
    await within(clients[1]!.getToken())
    await within(clients[0]!.end())
    expect(clients.map((one) => one.getState())).toEqual(
      Array(2).fill({ status: 'signedOut', reason: 'ended' }),
    )
    expect(world.localStorage.size).toBe(0)
    expect(server.logouts).toEqual([{ refreshToken: 'gp_refresh_test_1x1' }])
  })

  test('a tab whose token was refused takes that of a newer login in another tab', async () => {
    const bare = world.tab({ channel: () => undefined })
    const first = signedIn({ storage: 'localStorage' }, bare)
    await within(first.getToken())
    const second = body({ storage: 'localStorage' }, world.tab({ channel: () => undefined }))
    server.refuse = () => {
      server.refuse = undefined
      second.setTokens(server.login())
      return Response.json({ code: 'REFRESH_TOKEN_REVOKED' }, { status: 401 })
    }
    await within(first.refresh())
    expect(server.shown).toEqual(['gp_refresh_test_1x1', 'gp_refresh_test_2x1'])
  })

  test('a login right after the end is not undone by a tab that hears of the end late', async () => {
    const clients = [signedIn({ storage: 'localStorage' }), body({ storage: 'localStorage' }, world.tab())]
    await within(clients[1]!.getToken())
    const ended = clients[0]!.end()
    clients[0]!.setTokens(server.login())
    await within(ended)
    await within(clients[0]!.refresh())
    expect(server.shown).toEqual(['gp_refresh_test_2x1'])
    expect(statusOf(clients[0]!)).toBe('active')
  })

  test('a tab that hears late of another user takes nothing away from them', async () => {
    const ada = signedIn({ storage: 'localStorage' })
    await world.settle()
    const bob = body({ storage: 'localStorage', userId: 'bob' }, world.tab())
    server.sub = 'bob'
    bob.setTokens(server.login())
    await within(ada.refresh()).catch(() => {})
    expect(ada.getState()).toEqual({ status: 'signedOut', reason: 'none' })
    ada.setUserId('bob')
    await within(bob.refresh())
    expect(server.shown).toEqual(['gp_refresh_test_2x1'])
  })

  test('a page that is left in the middle of a refresh: the next one asks again in time', async () => {
    const gone = { ...tab.platform }
    const first = signedIn({ storage: 'localStorage' }, { ...tab, platform: gone })
    await within(first.getToken())
    gone.fetch = async (request) => {
      gone.setTimeout = () => 0 // no line of this page's runs any more
      await tab.platform.fetch(request)
      return new Promise(() => {})
    }
    first.refresh().catch(() => {})
    await world.clock.advance(2)
    const next = body({ storage: 'localStorage' }, world.tab({ channel: () => undefined }))
    await world.clock.advance(1)
    expect(server.shown).toEqual(Array(2).fill('gp_refresh_test_1x1'))
    await world.clock.advance(1800)
    expect([statusOf(next), server.over]).toEqual(['active', undefined])
  })

  test('another user’s refresh token in storage is never used, and is removed', async () => {
    signedIn({ storage: 'localStorage' })
    await world.settle()
    const bob = body({ storage: 'localStorage', userId: 'bob' }, world.tab())
    await expect(within(bob.getToken())).rejects.toMatchObject({ code: 'SIGNED_OUT', reason: 'none' })
    expect([server.shown, [...world.localStorage.values()].join()]).toEqual([[], ''])
  })

  test('storage that is refused leaves the tab to itself', async () => {
    const client = signedIn({ storage: 'localStorage' }, world.tab({ storage: () => undefined }))
    await world.clock.advance(900)
    expect([statusOf(client), server.shown.length]).toEqual(['active', 1])
  })

  test('storage that breaks leaves the tab to what it remembers', async () => {
    const broken = () => {
      throw new Error('QuotaExceededError')
    }
    const storage = { getItem: broken, setItem: broken, removeItem: broken }
    const client = signedIn({ storage })
    await world.clock.advance(1800)
    expect([statusOf(client), server.shown.length]).toEqual(['active', 2])
  })

  test('storage of the page’s own may be slow', async () => {
    const kept = new Map<string, string>()
    const slow = () => new Promise((resolve) => setImmediate(resolve))
    const storage = {
      getItem: async (key: string) => slow().then(() => kept.get(key)),
      setItem: async (key: string, value: string) => slow().then(() => kept.set(key, value)),
      removeItem: async (key: string) => slow().then(() => kept.delete(key)),
    }
    const client = signedIn({ storage })
    await world.clock.advance(900)
    expect([...kept.values()].join()).toContain('gp_refresh_test_1x2')
    await within(client.end())
    await world.settle()
    expect([kept.size, server.logouts.length]).toEqual([0, 1])
  })
})

describe('the user', () => {
  test('leaves: the refresh token is dropped, what is in flight is not kept, and nothing is asked', async () => {
    const client = signedIn({ storage: 'localStorage' })
    const asked = client.refresh()
    asked.catch(() => {})
    client.setUserId(null)
    await world.clock.advance(3600)
    await expect(asked).rejects.toMatchObject({ code: 'USER_CHANGED' })
    expect(world.localStorage.size).toBe(0)
    await expect(client.refresh()).rejects.toMatchObject({ code: 'SIGNED_OUT' })
    expect(server.shown.length).toBeLessThan(2)
  })

  test('changes: the next one’s tokens are given, and are the only ones that are used', async () => {
    const client = signedIn({ storage: 'localStorage' })
    await world.settle()
    client.setUserId('bob')
    server.sub = 'bob'
    client.setTokens(server.login())
    await within(client.refresh())
    expect(server.shown).toEqual(['gp_refresh_test_2x1'])
  })

  test('signs in again after the session has ended', async () => {
    const client = signedIn()
    server.over = 'REVOKED'
    await within(client.refresh()).catch(() => {})
    client.setTokens(server.login())
    expect(statusOf(client)).toBe('active')
    await world.clock.advance(900)
    expect(server.shown.at(-1)).toBe('gp_refresh_test_2x1')
  })

  test('ends everywhere', async () => {
    await within(signedIn().end({ everywhere: true }))
    expect(server.logouts).toEqual([{ refreshToken: 'gp_refresh_test_1x1', everywhere: true }])
  })

  test('ends while the server is away: out at once, and told that the server was not', async () => {
    const client = signedIn()
    world.online = false
    const ended = client.end()
    expect(client.getState()).toEqual({ status: 'signedOut', reason: 'ended' })
    await expect(within(ended)).rejects.toBeInstanceOf(Error)
  })

  test('ends a session that is over already, which is no error', async () => {
    const client = signedIn()
    world.api.respond = () => Response.json({ code: 'REFRESH_TOKEN_REVOKED' }, { status: 401 })
    await within(client.end())
  })

  test('is suspended: shown with the session, which goes on', async () => {
    const client = signedIn()
    const answer = world.api.respond!
    world.api.respond = (request) =>
      request.url.includes('/v1/auth/')
        ? answer(request)
        : Response.json({ code: 'SESSION_SUSPENDED' }, { status: 401 })
    const told: boolean[] = []
    client.on('issued', ({ session }) => told.push(!!session.suspended))
    for (let count = 0; count < 2; count++)
      expect((await within(client.fetch('/v1/invoices'))).status).toBe(401)
    expect(client.getState()).toMatchObject({ status: 'active', session: { suspended: true } })
    expect(told).toEqual([true])
    await within(client.refresh())
    expect(client.getState()).not.toHaveProperty('session.suspended')
  })
})

describe('cookie mode', () => {
  test('the first token is asked for with GET, every other with POST and the CSRF token', async () => {
    const client = cookie()
    await world.clock.advance(2 * 900)
    expect(server.asked).toEqual([
      'GET /api/session',
      'POST /api/session/refresh',
      'POST /api/session/refresh',
    ])
    expect(statusOf(client)).toBe('active')
  })

  test('two tabs send one request each time; the one that never heard the CSRF token asks with GET', async () => {
    const tabs = [cookie(), cookie({}, world.tab())]
    await world.clock.advance(4 * 900)
    expect(new Set(await Promise.all(tabs.map((one) => one.getToken()))).size).toBe(1)
    expect(server.asked.length).toBe(5)
  })

  test('an answer that is lost is asked for again in time', async () => {
    const client = cookie()
    await world.clock.advance(1)
    server.loseAnswers = 2
    await within(client.refresh(), 15).catch(() => {})
    expect(server.shown).toEqual(Array(3).fill('gp_refresh_test_1x1'))
    expect([statusOf(client), server.over]).toEqual(['active', undefined])
  })

  test('a CSRF token of an older session is replaced with GET, which tells whose page it is now', async () => {
    const client = cookie()
    await world.clock.advance(1)
    server.login() // another tab has signed in anew
    await within(client.refresh())
    expect(server.asked.slice(1)).toEqual(['POST /api/session/refresh', 'GET /api/session'])
    expect(statusOf(client)).toBe('active')
  })

  test.each(['EXPIRED', 'REVOKED', 'REUSED'] as const)(
    'REFRESH_TOKEN_%s ends it, and nothing logs in anew behind the page’s back',
    async (code) => {
      const client = cookie()
      await world.clock.advance(1)
      server.over = code
      await world.clock.advance(7200)
      expect(client.getState()).toEqual({ status: 'signedOut', reason: code.toLowerCase() })
      expect(server.asked).toHaveLength(2)
      await within(client.refresh()) // the user asks for it
      expect(statusOf(client)).toBe('active')
    },
  )

  test('nobody is signed in at the host: signed out', async () => {
    world.endpoint.user = null
    const client = cookie()
    await world.clock.advance(1)
    expect(client.getState()).toEqual({ status: 'signedOut', reason: 'none' })
  })

  test('a suspended session is shown as such', async () => {
    fails(401, 'SESSION_SUSPENDED')
    const client = cookie()
    await world.clock.advance(1)
    expect(client.getState()).toEqual({ status: 'signedOut', reason: 'suspended' })
  })

  test('another user has signed in at the host: signed out as soon as it shows', async () => {
    const client = cookie()
    await world.clock.advance(1)
    server.sub = 'bob'
    await within(client.refresh()).catch(() => {})
    expect(client.getState()).toEqual({ status: 'signedOut', reason: 'otherUser' })
  })

  test('the end in one tab reaches the other and the server, also from the tab that never heard the CSRF token', async () => {
    const tabs = [cookie(), cookie({}, world.tab())]
    await world.clock.advance(1)
    await within(tabs[1]!.end())
    expect(tabs.map((one) => one.getState())).toEqual(Array(2).fill({ status: 'signedOut', reason: 'ended' }))
    expect([server.asked.at(-1), server.over]).toEqual(['POST /api/session/end', 'REVOKED'])
  })

  test('the end with an older CSRF token asks for the present one', async () => {
    const client = cookie()
    await world.clock.advance(1)
    server.login()
    await within(client.end())
    expect(server.over).toBe('REVOKED')
  })

  test('end everywhere and setTokens are refused, and change nothing', async () => {
    const client = cookie()
    await world.clock.advance(1)
    await expect(client.end({ everywhere: true })).rejects.toMatchObject({ code: 'VALIDATION_ERROR' })
    expect(() => client.setTokens(server.login())).toThrow(SessionError)
    expect(statusOf(client)).toBe('active')
  })
})

describe('options that could never work are refused', () => {
  test.each<[string, object]>([
    ['nowhere to refresh', {}],
    [
      'storage that a duplicated tab copies',
      { guestpassUrl: GUESTPASS, userId: 'ada', storage: 'sessionStorage' },
    ],
    ['storage without a user', { guestpassUrl: GUESTPASS, storage: 'localStorage' }],
  ])('%s', (_, options) => {
    expect(() => createRefreshClient(options)).toThrow(expect.objectContaining({ code: 'VALIDATION_ERROR' }))
  })

  test('tokens that are none', () => {
    const tokens = server.login()
    const make = (change: object) => () =>
      createRefreshClient({ guestpassUrl: GUESTPASS, tokens: { ...tokens, ...change } })
    expect(make({ refreshToken: undefined })).toThrow(expect.objectContaining({ code: 'TOKEN_MALFORMED' }))
    expect(make({ refreshToken: 'gp_session_test_x' })).toThrow(
      expect.objectContaining({ code: 'TOKEN_MALFORMED' }),
    )
    expect(make({ accessToken: 'sk_test_x' })).toThrow(
      expect.objectContaining({ code: 'SECRET_KEY_REFUSED' }),
    )
  })

  test('on a server nothing happens', () => {
    expect(createRefreshClient({ sessionTokenUrl: '/session' }).getServerState()).toEqual({
      status: 'restoring',
    })
  })
})

function watched({ platform }: TestTab, seen: Request[]): TestTab['platform'] {
  return {
    ...platform,
    fetch: (request) => {
      seen.push(request)
      return platform.fetch(request)
    },
  }
}

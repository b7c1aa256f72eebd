/** One test for each row of docs/what-the-sdk-does-when.md, under the row's own words. */
import { readFileSync } from 'node:fs'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { createSessionClient, type SessionClientOptions } from '../src/index.js'
import { type TestTab, TestWorld } from '../src/testing/index.js'

let world: TestWorld
let tab: TestTab

beforeEach(() => {
  world = new TestWorld()
  tab = world.tab()
})

function open(options: Partial<SessionClientOptions> = {}, where = tab) {
  const client = createSessionClient({
    sessionTokenUrl: '/api/session',
    apiUrl: 'https://api.example.com',
    userId: 'ada',
    platform: where.platform,
    ...options,
  } as SessionClientOptions)
  onTestFinished(client.start())
  return client
}

async function signedIn(options: Partial<SessionClientOptions> = {}, where = tab) {
  const client = open(options, where)
  return { client, token: await within(client.getToken()) }
}

/** Let a tenth of a second pass, in which tabs ask each other, and return what comes. */
async function within<T>(promise: Promise<T>, seconds = 0.1): Promise<T> {
  promise.catch(() => {})
  await world.clock.advance(seconds)
  return promise
}

const refusedOnce = (headers: Record<string, string>, code: string) => {
  world.api.respond = () => {
    world.api.respond = undefined
    return Response.json({ code }, { status: 401, headers })
  }
}

const rows: Record<string, () => Promise<void>> = {
  'a page opens': async () => {
    const client = open()
    expect(client.getState()).toEqual({ status: 'restoring' })
    await world.clock.advance(0.1)
    expect(client.getState()).toMatchObject({ status: 'active' })
    expect(world.endpoint.calls).toBe(1)
  },

  'ten components ask for a token at once': async () => {
    const client = open()
    const tokens = await within(Promise.all(Array.from({ length: 10 }, () => client.getToken())))
    expect(new Set(tokens).size).toBe(1)
    expect(world.endpoint.calls).toBe(1)
  },

  'ten tabs open at once': async () => {
    const tabs = Array.from({ length: 10 }, () => world.tab())
    const tokens = await within(Promise.all(tabs.map((one) => open({}, one).getToken())), 1)
    expect(new Set(tokens).size).toBe(1)
    expect(world.endpoint.calls).toBe(1)
  },

  'a tab opens beside one that has a token': async () => {
    const first = await signedIn()
    await world.clock.advance(600)
    const second = await signedIn({}, world.tab())
    expect(second.token).toBe(first.token)
    expect(world.endpoint.calls).toBe(1)
  },

  'the browser has no Web Locks': async () => {
    const tabs = [world.tab({ locks: undefined }), world.tab({ locks: undefined })]
    await within(Promise.all(tabs.map((one) => open({}, one).getToken())), 2)
    expect(world.endpoint.calls).toBe(1)
    expect(world.localStorage.size).toBe(0)
  },

  'the browser refuses locks, channels and storage': async () => {
    const locks = { request: () => Promise.reject(new Error('SecurityError')) }
    const embed = world.tab({ locks, channel: () => undefined, storage: () => undefined })
    const { token } = await signedIn({ storage: 'localStorage' }, embed)
    expect(token).toMatch(/^gp_session_test_/)
  },

  'another tab holds the lock and is frozen': async () => {
    const locks = { request: () => new Promise<void>(() => {}) }
    const client = open({}, world.tab({ locks }))
    await expect(within(client.getToken(), 13)).resolves.toMatch(/^gp_/)
  },

  'the renewal is due': async () => {
    for (const expiresIn of [60, 300, 3600, 86_400]) {
      world = new TestWorld()
      world.endpoint.expiresIn = expiresIn
      const { client, token } = await signedIn({}, world.tab())
      await world.clock.advance(expiresIn * 0.7)
      expect(world.endpoint.calls).toBe(1)
      await world.clock.advance(expiresIn * 0.3 - 1)
      expect(world.endpoint.calls).toBe(2)
      expect(await client.getToken()).not.toBe(token)
    }
  },

  'getToken is called just before the end': async () => {
    world.endpoint.expiresIn = 60
    const { client, token } = await signedIn()
    tab.setVisible(false)
    await world.clock.advance(55)
    expect(await within(client.getToken())).not.toBe(token)
  },

  'getToken wants more validity than a token has': async () => {
    world.endpoint.expiresIn = 60
    const { client, token } = await signedIn()
    expect(await within(client.getToken({ minValidity: 300 }))).toBe(token)
    expect(world.endpoint.calls).toBe(1)
  },

  'the machine sleeps': async () => {
    const { client, token } = await signedIn()
    world.clock.sleep(8 * 3600)
    expect(await within(client.getToken())).not.toBe(token)
    world.clock.sleep(8 * 3600)
    await world.clock.advance(61) // nobody asks; at the latest a minute after waking it is noticed
    expect(world.endpoint.calls).toBe(3)
  },

  'the clock is wrong by ten minutes': async () => {
    for (const minutes of [-10, 10]) {
      world = new TestWorld()
      world.endpoint.expiresIn = 60
      const host = world.mint()
      world.endpoint.respond = () =>
        Response.json(host, { headers: { Date: new Date(world.clock.wall).toUTCString() } })
      world.clock.wall += minutes * 60_000
      const { client, token } = await signedIn({}, world.tab())
      await world.clock.advance(30)
      expect(await client.getToken()).toBe(token)
      expect(world.endpoint.calls).toBe(1)
    }
  },

  'the clock is set while the page is open': async () => {
    const { client, token } = await signedIn()
    world.clock.wall -= 3_600_000
    await world.clock.advance(3599)
    expect(await within(client.getToken())).not.toBe(token)
    world.clock.wall += 3_600_000
    await within(client.getToken())
    expect(world.endpoint.calls).toBe(3)
  },

  'the network is lost': async () => {
    const { client, token } = await signedIn()
    world.online = false
    await world.clock.advance(3000)
    expect(client.getState()).toMatchObject({ status: 'offline', error: { code: 'UNAVAILABLE' } })
    expect(await client.getToken()).toBe(token)
    await world.clock.advance(700)
    expect(client.getState()).toMatchObject({ status: 'restoring', error: { code: 'UNAVAILABLE' } })
    await expect(client.getToken()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  },

  'the network comes back': async () => {
    world.online = false
    const client = open()
    await world.clock.advance(600)
    const calls = world.endpoint.calls
    expect(calls).toBeLessThan(25)
    world.online = true
    tab.tell('online')
    await world.clock.advance(0.1)
    expect(client.getState().status).toBe('active')
    expect(world.endpoint.calls).toBe(calls + 1)
  },

  'the endpoint answers 429': async () => {
    const { client, token } = await signedIn()
    world.endpoint.respond = () => new Response('', { status: 429, headers: { 'Retry-After': '300' } })
    await world.clock.advance(2900)
    const calls = world.endpoint.calls
    expect(await client.getToken()).toBe(token)
    await expect(client.refresh()).rejects.toMatchObject({ code: 'RATE_LIMITED', retryAfterSeconds: 300 })
    tab.tell('online')
    await world.clock.advance(150)
    expect(world.endpoint.calls).toBe(calls)
    world.endpoint.respond = undefined
    await world.clock.advance(200)
    expect(client.getState().status).toBe('active')
  },

  'the endpoint answers 5xx': async () => {
    const { client, token } = await signedIn()
    world.endpoint.respond = () => new Response('oops', { status: 503 })
    await world.clock.advance(3000)
    expect(await client.getToken()).toBe(token)
    expect(client.getState()).toMatchObject({ status: 'offline', error: { status: 503 } })
    world.endpoint.respond = undefined
    await world.clock.advance(61)
    expect(client.getState().status).toBe('active')
  },

  'the endpoint does not answer': async () => {
    world.endpoint.respond = () => new Promise(() => {})
    const client = open()
    await expect(within(client.getToken(), 10.1)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  },

  'the endpoint answers something else': async () => {
    world.endpoint.respond = () => new Response('<h1>Sign in</h1>')
    const client = open()
    await expect(within(client.getToken())).rejects.toMatchObject({ code: 'TOKEN_MALFORMED' })
    expect(client.getState().status).toBe('restoring')
    expect(tab.warnings).toHaveLength(1)
  },

  'the endpoint answers a secret key': async () => {
    world.endpoint.respond = () => Response.json({ sessionToken: 'sk_live_123', expiresIn: 60 })
    const client = open({ storage: 'localStorage' })
    await expect(within(client.getToken())).rejects.toMatchObject({ code: 'SECRET_KEY_REFUSED' })
    expect([...world.localStorage.values()].join()).not.toContain('sk_live')
    expect(tab.warnings.join()).toContain('A secret must never reach a browser')
  },

  'the endpoint answers 401': async () => {
    world.endpoint.user = null
    const client = open()
    await expect(within(client.getToken())).rejects.toMatchObject({ code: 'SIGNED_OUT', status: 401 })
    expect(client.getState()).toEqual({ status: 'signedOut', reason: 'none' })
    await world.clock.advance(3600)
    expect(world.endpoint.calls).toBe(1)
    world.endpoint.user = 'ada'
    await within(client.refresh())
    expect(client.getState().status).toBe('active')
  },

  'the endpoint answers 403': async () => {
    const { client } = await signedIn()
    world.endpoint.respond = () => Response.json({ code: 'CUSTOMER_BLOCKED' }, { status: 403 })
    await expect(within(client.refresh())).rejects.toMatchObject({ code: 'CUSTOMER_BLOCKED' })
    expect(client.getState()).toEqual({ status: 'signedOut', reason: 'blocked' })
  },

  'an API answers 401 with Guestpass-Retry: token': async () => {
    const { client, token } = await signedIn()
    refusedOnce({ 'Guestpass-Retry': 'token' }, 'TOKEN_REVOKED')
    const body = JSON.stringify({ a: 1 })
    const response = await within(client.fetch('/invoices', { method: 'POST', body }))
    expect(response.status).toBe(200)
    const [first, second] = world.api.requests
    expect(first?.authorization).toBe(`Bearer ${token}`)
    expect(second?.authorization).not.toBe(first?.authorization)
    expect(world.endpoint.calls).toBe(2)
  },

  'an API goes on refusing': async () => {
    const { client } = await signedIn()
    world.api.respond = () => new Response('', { status: 401, headers: { 'Guestpass-Retry': 'token' } })
    const answers = await within(Promise.all(Array.from({ length: 5 }, () => client.fetch('/x'))))
    expect(answers.map((one) => one.status)).toEqual([401, 401, 401, 401, 401])
    await within(client.fetch('/x'))
    expect(world.endpoint.calls).toBe(2)
    await world.clock.advance(11)
    await within(client.fetch('/x'))
    expect(world.endpoint.calls).toBe(3)
  },

  'an API answers 401 TOKEN_REVOKED without it': async () => {
    const { client } = await signedIn()
    refusedOnce({}, 'TOKEN_REVOKED')
    expect((await within(client.fetch('/x'))).status).toBe(401)
    expect(client.getState()).toEqual({ status: 'signedOut', reason: 'revoked' })
    await world.clock.advance(7200)
    expect(world.endpoint.calls).toBe(1)
  },

  'an API answers 401 about something else': async () => {
    const { client, token } = await signedIn()
    refusedOnce({ 'WWW-Authenticate': 'Basic' }, 'WRONG_PASSWORD')
    expect((await within(client.fetch('/x'))).status).toBe(401)
    expect(await client.getToken()).toBe(token)
    expect(world.endpoint.calls).toBe(1)
  },

  'a request goes to another origin': async () => {
    const { client } = await signedIn()
    for (const url of [
      'https://evil.example/',
      'https://api.example.com.evil.example/',
      'http://api.example.com/',
      '//evil.example/x',
    ]) {
      await within(client.fetch(url))
    }
    expect(world.api.requests.map((one) => one.authorization)).toEqual([null, null, null, null])
    expect(tab.warnings).toHaveLength(1)
    await within(client.fetch('https://api.example.com/x'))
    expect(world.api.requests.at(-1)?.authorization).toMatch(/^Bearer gp_/)
  },

  'there is an API for test and one for live': async () => {
    const apiUrls = { test: 'https://sandbox.example.com', live: 'https://api.example.com' }
    const { client } = await signedIn({ apiUrls })
    await within(client.fetch('/x'))
    await within(client.fetch('https://api.example.com/x'))
    expect(world.api.requests.map(({ url, authorization }) => [url, !!authorization])).toEqual([
      ['https://sandbox.example.com/x', true],
      ['https://api.example.com/x', false],
    ])
  },

  'userId changes': async () => {
    const { client, token } = await signedIn({ storage: 'localStorage' })
    world.endpoint.user = 'bob'
    const waiting = client.refresh()
    client.setUserId('bob')
    await expect(waiting).rejects.toMatchObject({ code: 'USER_CHANGED' })
    expect(client.getState()).toEqual({ status: 'restoring' })
    const theirs = await within(client.getToken())
    expect(theirs).not.toBe(token)
    expect([...world.localStorage.values()].join()).not.toContain(token)
    client.setUserId(null)
    await expect(client.getToken()).rejects.toMatchObject({ code: 'SIGNED_OUT' })
    await world.settle()
    expect(world.localStorage.size).toBe(0)
  },

  'another user signs in behind the page’s back': async () => {
    const { client } = await signedIn()
    world.endpoint.user = 'bob'
    await expect(within(client.refresh())).rejects.toMatchObject({ code: 'SIGNED_OUT' })
    expect(client.getState()).toEqual({ status: 'signedOut', reason: 'otherUser' })
  },

  'two tabs belong to two users': async () => {
    const ada = await signedIn()
    world.endpoint.user = 'bob'
    const bob = await signedIn({ userId: 'bob' }, world.tab())
    expect(bob.token).not.toBe(ada.token)
    expect(await ada.client.getToken()).toBe(ada.token)
  },

  'no userId is given': async () => {
    const first = await signedIn({ userId: undefined })
    const second = await signedIn({ userId: undefined }, world.tab())
    expect(second.token).not.toBe(first.token)
    expect(() => open({ userId: undefined, storage: 'localStorage' })).toThrow('storage needs a userId')
  },

  'end() is called': async () => {
    const here = await signedIn({ storage: 'localStorage' })
    const there = await signedIn({ storage: 'localStorage' }, world.tab())
    here.client.end()
    await world.settle()
    for (const { client } of [here, there]) {
      expect(client.getState()).toEqual({ status: 'signedOut', reason: 'ended' })
      await expect(client.getToken()).rejects.toMatchObject({ code: 'SIGNED_OUT' })
    }
    expect(world.localStorage.size).toBe(0)
    await world.clock.advance(7200)
    expect(world.endpoint.calls).toBe(1)
  },

  'the page is reloaded': async () => {
    const before = await signedIn({ storage: 'sessionStorage' })
    const after = await signedIn({ storage: 'sessionStorage' }, world.tab({ channel: () => undefined }))
    expect(after.token).toBe(before.token)
    expect(world.endpoint.calls).toBe(1)
  },

  'the tab is hidden': async () => {
    const { client } = await signedIn()
    tab.setVisible(false)
    expect(world.clock.timers).toBe(0)
    await world.clock.advance(7200)
    expect(world.endpoint.calls).toBe(1)
    const states: string[] = []
    client.subscribe(() => states.push(client.getState().status))
    tab.setVisible(true)
    await world.clock.advance(0.1)
    expect(states).toEqual(['restoring', 'active'])
    expect(world.endpoint.calls).toBe(2)
  },

  'the page comes back from the back-forward cache': async () => {
    const { client } = await signedIn()
    tab.tell('pagehide', true)
    world.endpoint.user = null
    tab.tell('pageshow', true)
    await world.clock.advance(0.1)
    expect(client.getState()).toEqual({ status: 'signedOut', reason: 'none' })
  },

  'the client is stopped': async () => {
    const client = open()
    const stop = client.start()
    stop()
    stop() // once too often does not stop the other
    await world.clock.advance(0.1)
    expect(client.getState().status).toBe('active')
    expect(world.clock.timers).toBe(1)
    expect(world.clock.longestTimerMs).toBeLessThanOrEqual(60_000)
  },

  'a token lives for longer than a timer can run': async () => {
    world.endpoint.expiresIn = 60 * 86_400
    await signedIn()
    await world.clock.advance(3600)
    expect(world.endpoint.calls).toBe(1)
  },

  'the page brings its token itself': async () => {
    let asked = 0
    const manual = (answer = world.mint()) => ({
      ...answer,
      sessionTokenUrl: undefined,
      onExpiring: () => void asked++,
    })
    const client = open(manual() as never)
    expect(client.getState().status).toBe('active')
    await world.clock.advance(2885)
    expect(asked).toBe(1)
    const fresh = world.mint()
    client.setSessionToken(fresh)
    expect(await client.getToken()).toBe(fresh.sessionToken)
    expect(world.endpoint.calls).toBe(0)
  },

  'the page brings its token and nobody can be asked': async () => {
    const client = open({ ...world.mint(), sessionTokenUrl: undefined } as never)
    await world.clock.advance(3601)
    expect(client.getState()).toEqual({ status: 'signedOut', reason: 'expired' })
  },
}

test('onExpiring answers null when nobody is signed in any more', async () => {
  const client = open({ ...world.mint(), sessionTokenUrl: undefined, onExpiring: async () => null } as never)
  await world.clock.advance(3000)
  expect(client.getState()).toEqual({ status: 'signedOut', reason: 'none' })
})

test('a listener that throws stops neither the others nor the renewal', async () => {
  const { client } = await signedIn()
  let told = 0
  client.subscribe(() => {
    throw new Error('mine')
  })
  client.on('issued', () => told++)
  await world.clock.advance(3300)
  expect([told, world.endpoint.calls]).toEqual([1, 2])
  expect(tab.warnings.join()).toContain('mine')
})

describe('between tabs', () => {
  test('a session that has ended is not revived by a token that comes late from another tab', async () => {
    const channels: { onmessage: ((event: unknown) => void) | null }[] = []
    const channel = () => {
      const one = { onmessage: null, postMessage: () => {}, close: () => {} }
      channels.push(one)
      return one
    }
    const { client } = await signedIn({}, world.tab({ channel }))
    client.end()
    await world.settle()
    const late = { userId: 'ada', sessionToken: world.mint().sessionToken, lifeSeconds: 3600 }
    channels[0]?.onmessage?.({ data: { session: { ...late, localExpiresAt: world.clock.wall + 3_600_000 } } })
    expect(client.getState()).toEqual({ status: 'signedOut', reason: 'ended' })
  })

  test('a tab whose token was refused takes the new one of another tab, even if it ends earlier', async () => {
    const first = await signedIn()
    const second = await signedIn({}, world.tab())
    world.endpoint.expiresIn = 60
    const renewed = await within(first.client.getToken({ skipCache: true }))
    expect(await within(second.client.getToken({ skipCache: true }))).toBe(renewed)
    expect(world.endpoint.calls).toBe(2)
  })
})

describe('what the SDK does when', () => {
  for (const [row, check] of Object.entries(rows)) test(row, check)
})

test('every row of the page has its test, and every test its row', () => {
  const page = readFileSync(new URL('../../../../docs/what-the-sdk-does-when.md', import.meta.url), 'utf8')
  const written = [...page.matchAll(/^\| (?!When)(.+?) \|/gm)].map((match) => match[1])
  expect(written.sort()).toEqual(Object.keys(rows).sort())
})

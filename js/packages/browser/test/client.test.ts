/** Guarantees that are too fine for a row of docs/what-the-sdk-does-when.md. */
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { createSessionClient, type SessionClientOptions } from '../src/index.js'
import { type TestTab, TestWorld } from '../src/testing/index.js'

let world: TestWorld
let tab: TestTab

beforeEach(() => {
  world = new TestWorld()
  tab = world.tab()
})

async function signedIn(options: Partial<SessionClientOptions> = {}, where = tab) {
  const client = createSessionClient({
    sessionTokenUrl: '/api/session',
    apiUrl: 'https://api.example.com',
    userId: 'ada',
    platform: where.platform,
    ...options,
  } as SessionClientOptions)
  const stop = client.start()
  onTestFinished(stop)
  const token = client.getToken()
  token.catch(() => {})
  await world.clock.advance(0.1)
  return { client, stop, token: await token }
}

/** A channel whose other end is the test. */
function ownChannel() {
  const channel = { onmessage: null as ((event: unknown) => void) | null, closed: 0 }
  const end = {
    set onmessage(hear: (event: unknown) => void) {
      channel.onmessage = hear
    },
    postMessage: () => {},
    close: () => void channel.closed++,
  }
  return { channel, tab: world.tab({ channel: () => end }) }
}

describe('the request for a token', () => {
  test('is a GET past every cache, with the cookies of this origin only', async () => {
    const asked: Request[] = []
    world.endpoint.respond = (request) => {
      asked.push(request)
      return Response.json(world.mint())
    }
    await signedIn()
    expect(asked[0]).toMatchObject({ method: 'GET', cache: 'no-store', credentials: 'same-origin' })
  })

  test('does not lengthen the life of its token by taking long', async () => {
    const asked = world.clock.wall
    world.endpoint.expiresIn = 60
    world.endpoint.respond = async () => {
      const answer = Response.json(world.mint())
      await new Promise<void>((resolve) => tab.platform.setTimeout(resolve, 8000))
      return answer
    }
    const client = createSessionClient({ sessionTokenUrl: '/api/session', platform: tab.platform })
    const waiting = client.getToken()
    await world.clock.advance(9)
    await waiting
    expect(client.getState()).toMatchObject({ session: { localExpiresAt: asked + 60_000 } })
  })
})

describe('a renewal that failed before it was due', () => {
  /** Ada's token is good for most of an hour yet when her page asks for another in vain. */
  async function failedEarly(options: Partial<SessionClientOptions> = {}) {
    const { client, token } = await signedIn(options)
    world.online = false
    const refreshed = client.refresh()
    refreshed.catch(() => {})
    await world.clock.advance(0.1)
    await expect(refreshed).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(client.getState()).toMatchObject({ status: 'offline', session: { sessionToken: token } })
    return { client, token, calls: world.endpoint.calls }
  }

  test('is made up for at once on `online`', async () => {
    const { client, token, calls } = await failedEarly()
    world.online = true
    tab.tell('online')
    await world.clock.advance(0.1)
    expect(client.getState().status).toBe('active')
    expect(await client.getToken()).not.toBe(token)
    expect(world.endpoint.calls).toBe(calls + 1)
  })

  test('is tried again with pauses, also without `online`', async () => {
    const { client, calls } = await failedEarly()
    await world.clock.advance(600)
    expect(client.getState().status).toBe('offline')
    expect(world.endpoint.calls - calls).toBeGreaterThan(10)
    expect(world.endpoint.calls - calls).toBeLessThan(25)
    world.online = true
    await world.clock.advance(61)
    expect(client.getState().status).toBe('active')
  })

  test('is not made up for by the same token, from storage or another tab', async () => {
    const { client, token } = await failedEarly({ storage: 'localStorage' })
    const other = await signedIn({ storage: 'localStorage' }, world.tab())
    expect(other.token).toBe(token)
    await world.clock.advance(30)
    expect(client.getState().status).toBe('offline')
    world.online = true
    tab.tell('online')
    await world.clock.advance(0.1)
    expect(client.getState().status).toBe('active')
    expect(await client.getToken()).not.toBe(token)
    expect(await other.client.getToken()).toBe(await client.getToken())
  })

  test('waits as long as the host asked, even on `online`', async () => {
    const { client } = await signedIn()
    world.endpoint.respond = () => new Response('', { status: 429, headers: { 'Retry-After': '300' } })
    client.refresh().catch(() => {})
    await world.clock.advance(0.1)
    world.endpoint.respond = undefined
    const { calls } = world.endpoint
    tab.tell('online')
    await world.clock.advance(290)
    expect(world.endpoint.calls).toBe(calls)
    await world.clock.advance(20)
    expect(world.endpoint.calls).toBe(calls + 1)
    expect(client.getState().status).toBe('active')
  })
})

describe('a request to the API', () => {
  test('keeps the credentials that the caller brings', async () => {
    const { client } = await signedIn()
    await client.fetch('/x', { headers: { Authorization: 'Basic abc' } })
    expect(world.api.requests[0]?.authorization).toBe('Basic abc')
  })

  test('is not sent a third time', async () => {
    const { client } = await signedIn()
    world.api.respond = () => new Response('', { status: 401, headers: { 'Guestpass-Retry': 'token' } })
    const send = async () => {
      const sent = client.fetch('/x')
      await world.clock.advance(0.1)
      return sent
    }
    await send()
    expect(world.api.requests).toHaveLength(2)
    await send()
    expect(world.api.requests).toHaveLength(3)
  })

  test('is repeated with its body', async () => {
    const bodies: string[] = []
    const { client } = await signedIn()
    world.api.respond = async (request) => {
      bodies.push(await request.text())
      return new Response(
        '',
        bodies.length > 1 ? {} : { status: 401, headers: { 'Guestpass-Retry': 'token' } },
      )
    }
    const sent = client.fetch('/x', { method: 'POST', body: 'hello' })
    await world.clock.advance(0.1)
    expect((await sent).status).toBe(200)
    expect(bodies).toEqual(['hello', 'hello'])
  })
})

describe('storage', () => {
  test('hands nobody the token of another user', async () => {
    const ada = await signedIn({ storage: 'localStorage' })
    world.endpoint.user = 'bob'
    const alone = world.tab({ channel: () => undefined })
    const bob = await signedIn({ storage: 'localStorage', userId: 'bob' }, alone)
    expect(bob.token).not.toBe(ada.token)
    expect([...world.localStorage.values()].join()).not.toContain(ada.token)
  })

  test('is not believed after the clock was set back', async () => {
    const before = await signedIn({ storage: 'localStorage' })
    world.clock.wall -= 600_000
    const alone = world.tab({ channel: () => undefined })
    const after = await signedIn({ storage: 'localStorage' }, alone)
    expect(after.token).not.toBe(before.token)
  })

  test('that holds rubbish, or throws, changes nothing', async () => {
    const getItem = () => '{"userId":"ada"'
    const setItem = () => {
      throw new Error('QuotaExceededError')
    }
    const { token } = await signedIn({ storage: { getItem, setItem, removeItem: setItem } })
    expect(token).toMatch(/^gp_/)
  })

  test('may answer later', async () => {
    const kept = new Map<string, string>()
    const storage = {
      getItem: async (key: string) => kept.get(key),
      setItem: async (key: string, value: string) => kept.set(key, value),
      removeItem: async (key: string) => kept.delete(key),
    }
    const first = await signedIn({ storage })
    const second = await signedIn({ storage }, world.tab({ channel: () => undefined }))
    expect(second.token).toBe(first.token)
  })
})

describe('a user who changes at the worst moment', () => {
  test('is not given the last one’s token by slow storage', async () => {
    const ada = await signedIn({ storage: 'localStorage' })
    const kept = [...world.localStorage.values()][0]
    let answer = (_: string | undefined) => {}
    const getItem = () => new Promise<string | undefined>((resolve) => (answer = resolve))
    const storage = { getItem, setItem: () => {}, removeItem: () => {} }
    const { platform } = world.tab({ channel: () => undefined })
    const client = createSessionClient({
      sessionTokenUrl: '/api/session',
      apiUrl: 'https://api.example.com',
      userId: 'ada',
      storage,
      platform,
    })
    client.getToken().catch(() => {})
    await world.settle()
    client.setUserId('bob')
    answer(kept)
    await world.settle()
    expect(kept).toContain(ada.token)
    expect(client.getState()).toEqual({ status: 'restoring' })
  })

  test('does not get the refused request of the last one repeated in his name', async () => {
    const { client } = await signedIn()
    let refuse = () => {}
    world.api.respond = () =>
      new Promise((resolve) => {
        refuse = () => resolve(new Response('', { status: 401, headers: { 'Guestpass-Retry': 'token' } }))
      })
    const transfer = client.fetch('/transfer', { method: 'POST' })
    await world.settle()
    world.api.respond = undefined
    world.endpoint.user = 'bob'
    client.setUserId('bob')
    await world.clock.advance(0.1)
    await client.fetch('/bobs-own')
    refuse()
    await world.settle()
    expect((await transfer).status).toBe(401)
    expect(world.api.requests.map(({ url }) => new URL(url).pathname)).toEqual(['/transfer', '/bobs-own'])
  })

  test('leaves nothing of the last one in storage', async () => {
    const { platform } = world.tab()
    const client = createSessionClient({
      sessionTokenUrl: '/api/session',
      userId: 'ada',
      storage: 'localStorage',
      platform,
    })
    client.on('issued', () => client.setUserId(null))
    client.getToken().catch(() => {})
    await world.clock.advance(1)
    expect(client.getState()).toEqual({ status: 'signedOut', reason: 'none' })
    expect(world.localStorage.size).toBe(0)
  })
})

describe('other tabs', () => {
  test('end a session only with the token that was revoked', async () => {
    const { channel, tab: own } = ownChannel()
    const { client, token } = await signedIn({}, own)
    channel.onmessage?.({ data: { ended: 'revoked', sessionToken: 'an older one' } })
    expect(client.getState().status).toBe('active')
    channel.onmessage?.({ data: { ended: 'revoked', sessionToken: token } })
    expect(client.getState()).toEqual({ status: 'signedOut', reason: 'revoked' })
  })

  test('are not listened to by a page that is away, or a client that is stopped', async () => {
    const { channel, tab: own } = ownChannel()
    const { stop } = await signedIn({}, own)
    own.tell('pagehide', true)
    await world.settle()
    expect(channel.closed).toBe(1)
    own.tell('pageshow')
    await world.settle()
    stop()
    await world.settle()
    expect(channel.closed).toBe(2)
  })
})

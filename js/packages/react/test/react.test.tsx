import { createSessionClient, type SessionClient } from '@guestpass/browser'
import { createRefreshClient } from '@guestpass/browser/refresh'
import { type TestTab, TestWorld } from '@guestpass/browser/testing'
import { act, type ReactNode, StrictMode, useEffect, version } from 'react'
import { createRoot, hydrateRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  GuestpassProvider,
  type GuestpassProviderProps,
  SessionGate,
  useSession,
  useSessionClient,
  useSessionFetch,
  useSessionToken,
} from '../src/index.js'

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })

let world: TestWorld
let tab: TestTab
let page: HTMLElement

beforeEach(() => {
  world = new TestWorld()
  tab = world.tab()
  page = document.createElement('div')
})

const pass = (seconds = 0.1) => act(() => world.clock.advance(seconds))

function Provider({ children, ...props }: Partial<GuestpassProviderProps> & { children?: ReactNode }) {
  const options = {
    sessionTokenUrl: '/api/session',
    apiUrl: 'https://api.example.com',
    userId: 'ada',
    ...props,
  }
  const all = { platform: tab.platform, ...options } as GuestpassProviderProps
  return <GuestpassProvider {...all}>{children}</GuestpassProvider>
}

async function show(element: ReactNode) {
  const root = createRoot(page)
  await act(async () => root.render(element))
  const unmount = () => act(async () => root.unmount())
  onTestFinished(unmount)
  return { update: (other: ReactNode) => act(async () => root.render(other)), unmount }
}

const Status = () => <i>{useSession().status}</i>

test(`runs on React ${version}`, () => {
  expect(`react ${version.split('.')[0]}`).toBe(process.env['EXPECTED_REACT'])
})

describe('the provider', () => {
  test('has a session for its children', async () => {
    await show(
      <Provider>
        <Status />
      </Provider>,
    )
    expect(page.textContent).toBe('restoring')
    await pass()
    expect(page.textContent).toBe('active')
  })

  test('fetches once under StrictMode, goes on renewing, and leaves nothing behind', async () => {
    const { unmount } = await show(
      <StrictMode>
        <Provider>
          <Status />
        </Provider>
      </StrictMode>,
    )
    await pass()
    expect(world.endpoint.calls).toBe(1)
    await pass(3300)
    expect(world.endpoint.calls).toBe(2)
    await unmount()
    expect(world.clock.timers).toBe(0)
  })

  test('shows no child the token of another user, from the first render on', async () => {
    const seen: string[] = []
    function Child({ user }: { user: string | null }) {
      seen.push(`${user}:${useSessionToken()?.length ? 'token' : 'none'}`)
      const client = useSessionClient()
      useEffect(() => {
        client.getToken().then(
          (token) => seen.push(`${user} got ${JSON.parse(atob(token.split('.')[1] ?? '')).sub}`),
          () => {},
        )
      }, [client, user])
      return null
    }
    const at = (user: string | null) => (
      <Provider userId={user} storage="localStorage">
        <Child user={user} />
      </Provider>
    )
    const { update } = await show(at('ada'))
    await pass()
    world.endpoint.user = 'bob'
    await update(at('bob'))
    await pass()
    expect(seen.filter((one) => one.startsWith('bob'))[0]).toBe('bob:none')
    expect(seen.filter((one) => one.includes('got'))).toEqual(['ada got ada', 'bob got bob'])
    await update(at(null))
    await pass()
    expect(seen.at(-1)).toBe('null:none')
    expect(world.localStorage.size).toBe(0)
  })

  test('does not begin anew when a function changes, and calls the newest', async () => {
    const first = vi.fn(async () => world.mint())
    const second = vi.fn(async () => world.mint())
    const at = (fetchToken: () => Promise<never>) => (
      <Provider sessionTokenUrl={undefined} fetchToken={fetchToken as never}>
        <Status />
      </Provider>
    )
    const { update } = await show(at(first as never))
    await pass()
    await update(at(second as never))
    expect(page.textContent).toBe('active')
    await pass(3300)
    expect([first.mock.calls.length, second.mock.calls.length]).toEqual([1, 1])
  })

  test('takes a token that the page brings, and a newer one', async () => {
    const Token = () => <i>{useSessionToken()}</i>
    const [one, two] = [world.mint(), world.mint()]
    const at = (answer: typeof one) => (
      <Provider sessionTokenUrl={undefined} {...(answer as object)}>
        <Token />
      </Provider>
    )
    const { update } = await show(at(one))
    expect(page.textContent).toBe(one.sessionToken)
    await update(at(two))
    expect(page.textContent).toBe(two.sessionToken)
    expect(world.endpoint.calls).toBe(0)
  })

  test('leaves a client that is yours to you', async () => {
    const client: SessionClient = createSessionClient({
      sessionTokenUrl: '/api/session',
      userId: 'ada',
      platform: tab.platform,
    })
    const { unmount } = await show(
      <GuestpassProvider client={client}>
        <Status />
      </GuestpassProvider>,
    )
    await pass()
    await unmount()
    expect(client.getState().status).toBe('active')
  })
})

describe('on a server', () => {
  const app = (
    <Provider>
      <SessionGate fallback={<p>wait</p>}>
        <p>open</p>
      </SessionGate>
    </Provider>
  )

  test('takes the client of a renewable session as it is, and an end in it shuts the gate', async () => {
    const csrfToken = 'csrf'
    world.endpoint.respond = () => Response.json({ ...world.mint(), csrfToken })
    const asked: string[] = []
    world.api.respond = ({ url, method }) => {
      asked.push(`${method} ${new URL(url).pathname}`)
      return Response.json(url.endsWith('/refresh') ? { ...world.mint(), csrfToken } : { tokensRevoked: 1 })
    }
    const client = createRefreshClient({
      sessionTokenUrl: '/api/session',
      userId: 'ada',
      platform: tab.platform,
    })
    await show(
      <StrictMode>
        <GuestpassProvider client={client}>
          <SessionGate fallback="wait" signedOut="out">
            <Status />
          </SessionGate>
        </GuestpassProvider>
      </StrictMode>,
    )
    await pass()
    expect(page.textContent).toBe('active')
    await pass(3600)
    expect([page.textContent, asked]).toEqual(['active', ['POST /api/session/refresh']])
    await act(async () => void client.end())
    await pass()
    expect([page.textContent, asked.at(-1)]).toEqual(['out', 'POST /api/session/end'])
  })

  test('the fallback is rendered and nothing fetched', async () => {
    expect(renderToString(app)).toBe('<p>wait</p>')
    await world.settle()
    expect(world.endpoint.calls).toBe(0)
  })

  test('hydration matches, also when a token is there at once', async () => {
    const manual = (
      <Provider sessionTokenUrl={undefined} {...(world.mint() as object)}>
        <SessionGate fallback={<p>wait</p>}>
          <p>open</p>
        </SessionGate>
      </Provider>
    )
    const problems = vi.spyOn(console, 'error')
    page.innerHTML = renderToString(manual)
    expect(page.textContent).toBe('wait')
    const root = await act(async () => hydrateRoot(page, manual))
    expect(page.textContent).toBe('open')
    expect(problems).not.toHaveBeenCalled()
    await act(async () => root.unmount())
  })
})

describe('the gate', () => {
  const gate = (
    <Provider>
      <SessionGate fallback="wait" signedOut="bye">
        open
      </SessionGate>
    </Provider>
  )

  test('shows the fallback before the first token and never again', async () => {
    const shown = new Set<string>()
    await show(gate)
    expect(page.textContent).toBe('wait')
    await pass()
    const watch = new MutationObserver(() => shown.add(page.textContent ?? ''))
    watch.observe(page, { childList: true, subtree: true, characterData: true })
    tab.setVisible(false)
    await pass(7200) // the token ends unseen
    await act(async () => tab.setVisible(true))
    await pass(3300)
    world.online = false
    await pass(7200)
    expect(page.textContent).toBe('open')
    expect([...shown]).not.toContain('wait')
  })

  test('closes when the session has ended', async () => {
    await show(gate)
    await pass()
    world.endpoint.user = null
    await pass(3300)
    expect(page.textContent).toBe('bye')
  })
})

describe('the hooks', () => {
  test('send requests with the token', async () => {
    function Load() {
      const fetch = useSessionFetch()
      useEffect(() => void fetch('/invoices'), [fetch])
      return null
    }
    await show(
      <Provider>
        <Load />
      </Provider>,
    )
    await pass()
    expect(world.api.requests).toMatchObject([{ url: 'https://api.example.com/invoices' }])
    expect(world.api.requests[0]?.authorization).toMatch(/^Bearer gp_/)
  })

  test.each([
    ['useSession()', () => useSession()],
    ['useSessionToken()', () => useSessionToken()],
    ['useSessionFetch()', () => useSessionFetch()],
    ['useSessionClient()', () => useSessionClient()],
    ['<SessionGate>', () => SessionGate({})],
  ])('%s outside the provider says so', (name, hook) => {
    const Lost = () => {
      hook()
      return null
    }
    expect(() => renderToString(<Lost />)).toThrow(`${name} needs a <GuestpassProvider> above it.`)
  })
})

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
  vi,
} from 'vitest'
import { asksForANewToken, Verifier } from '../packages/node/src/index.js'
import { bundlePages } from './bundle.js'
import { launch, launchOptions } from './chromium.js'
import { Guestpass, isInstalled } from './guestpass.js'
import { HostApp } from './pages/HostApp.js'
import { RenewableHost } from './renewable-host.js'

type RefreshClient = import('../packages/browser/src/refresh-client.js').RefreshClient
declare global {
  var renewable: RefreshClient
}

// Needs the Python half on the PATH; the package's own tests stand in with a server of their own.
describe.skipIf(!isInstalled())('renewable sessions, with real routes and a real server', () => {
  let browser: Browser
  let server: Guestpass
  let scripts: Map<string, string>
  let host: RenewableHost
  let context: BrowserContext

  beforeAll(async () => {
    ;[browser, server, scripts] = await Promise.all([launch(), Guestpass.serve(), bundlePages()])
  })
  afterAll(async () => {
    await Promise.all([browser.close(), server.close()])
  })
  beforeEach(async () => {
    host = await RenewableHost.open(server, scripts)
    host.user = `ada_${crypto.randomUUID()}` // everybody a session of their own
    context = await browser.newContext()
  })
  afterEach(async () => {
    await context.close()
    host.close()
  })

  async function openPage(url = host.url()): Promise<Page> {
    const page = await context.newPage()
    await page.goto(url)
    await page.waitForFunction(() => globalThis.guestpass)
    return page
  }

  /** A tab in cookie mode. */
  async function tab(): Promise<Page> {
    const page = await openPage()
    await page.evaluate(
      ([userId, apiUrl]) => {
        const sessionTokenUrl = '/session'
        globalThis.renewable = guestpass!.createRefreshClient({ sessionTokenUrl, userId, apiUrl })
        renewable.start()
      },
      [host.user!, server.url] as const,
    )
    return page
  }

  /** A tab that holds the tokens itself; `login`: asks its backend for them. */
  async function bodyTab(login: boolean): Promise<Page> {
    const page = await openPage()
    await page.evaluate(
      async ([userId, guestpassUrl, asks]) => {
        const tokens = asks ? await (await fetch('/login', { method: 'POST' })).json() : undefined
        const options = {
          guestpassUrl,
          apiUrl: guestpassUrl,
          userId,
          tokens,
          storage: 'localStorage',
        } as const
        globalThis.renewable = guestpass!.createRefreshClient(options)
        renewable.start()
      },
      [host.user!, server.url, login] as const,
    )
    return page
  }

  const refresh = (page: Page) => page.evaluate(async () => (await renewable.refresh()).sessionToken)
  const token = (page: Page) => page.evaluate(() => renewable.getToken())
  const state = (page: Page) =>
    page.evaluate(() => renewable.getState() as { status: string; reason?: string })
  const reaches = (page: Page, status: string) =>
    page.waitForFunction((wanted) => renewable.getState().status === wanted, status)
  /** What the server says of the token that this tab would send. */
  const whoAmI = (page: Page) =>
    page.evaluate(async () => {
      const response = await renewable.fetch('/v1/session')
      return { status: response.status, user: (await response.json()).externalUserId as string | undefined }
    })
  const living = async () => {
    const all = []
    for await (const session of host.gp.sessions.list({ externalUserId: host.user!, status: 'active' }))
      all.push(session)
    return all
  }
  const count = (call: string) => host.calls.filter((one) => one === call).length
  /** As an old browser: no locks, and no channel to ask other tabs. */
  const withoutLocks = () =>
    context.addInitScript(() => {
      Object.defineProperty(navigator, 'locks', { value: undefined })
      Object.defineProperty(globalThis, 'BroadcastChannel', { value: undefined })
      Object.defineProperty(globalThis, 'localStorage', { value: undefined })
    })

  describe('in a cookie of the host’s', () => {
    test('no script of the page can read the refresh token, and the session is believed', async () => {
      const page = await tab()
      expect(await whoAmI(page)).toEqual({ status: 200, user: host.user })
      expect(await page.evaluate(() => document.cookie)).toBe('')
      expect(
        (await context.cookies()).map(({ name, httpOnly, sameSite }) => [name, httpOnly, sameSite]),
      ).toEqual([['gp_refresh_test', true, 'Strict']])
      expect((await living()).map(({ renewable }) => renewable)).toEqual([true])
    })

    test('two tabs refresh at once, ten times: one request each time, and both stay in', async () => {
      const tabs = await Promise.all([tab(), tab()])
      await Promise.all(tabs.map(token))
      for (let round = 0; round < 10; round++) {
        const tokens = await Promise.all(tabs.map(refresh))
        expect(new Set(tokens).size).toBe(1)
      }
      for (const page of tabs) expect((await whoAmI(page)).status).toBe(200)
      expect(await living()).toHaveLength(1)
      expect(host.calls.length).toBe(11)
    })

    test('two tabs without locks refresh at once, ten times: both get a good token, and nothing looks stolen', async () => {
      await withoutLocks()
      const tabs = [await tab(), await tab()]
      for (const page of tabs) await token(page)
      for (let round = 0; round < 10; round++) await Promise.all(tabs.map(refresh))
      for (const page of tabs) expect((await whoAmI(page)).status).toBe(200)
      expect(count('POST /session/refresh')).toBe(20)
      expect(await living()).toHaveLength(1)
    })

    test('an answer that is lost on the way is asked for again, and the session goes on', async () => {
      const page = await tab()
      const before = await token(page)
      host.loseAnswers = 2
      await page.evaluate(() => renewable.refresh().catch(() => {}))
      await page.waitForFunction(async (old) => (await renewable.getToken()) !== old, before, {
        polling: 100,
      })
      expect(count('POST /session/refresh')).toBe(3)
      expect(await refresh(page)).not.toBe(before)
      expect([(await whoAmI(page)).status, (await living()).length]).toEqual([200, 1])
    })

    test('offline and back: nobody is signed out', async () => {
      const page = await tab()
      const before = await token(page)
      await context.setOffline(true)
      await page.evaluate(() => renewable.refresh().catch(() => {}))
      await reaches(page, 'offline')
      expect(await token(page)).toBe(before)
      await context.setOffline(false)
      await reaches(page, 'active')
      expect(await token(page)).not.toBe(before)
      expect(await living()).toHaveLength(1)
    })

    test('a sleeping laptop: the access token is over, and the page goes on when it wakes', async () => {
      const page = await context.newPage()
      await page.clock.install()
      await page.goto(host.url())
      await page.waitForFunction(() => globalThis.guestpass)
      await page.evaluate((userId) => {
        globalThis.renewable = guestpass!.createRefreshClient({ sessionTokenUrl: '/session', userId })
        renewable.start()
      }, host.user!)
      const before = await token(page)
      await page.clock.fastForward('08:00:00')
      expect(await token(page)).not.toBe(before)
      expect([count('POST /session/refresh'), (await living()).length]).toEqual([1, 1])
    })

    test('a page that is left in the middle of a refresh still gets the new cookie', async () => {
      const page = await tab()
      await token(page)
      const cookie = async () => (await context.cookies())[0]?.value
      const before = await cookie()
      host.delayMs = 1000
      await page.evaluate(() => void renewable.refresh().catch(() => {}))
      await vi.waitFor(() => expect(count('POST /session/refresh')).toBe(1))
      await page.goto(host.url('/'))
      await vi.waitFor(async () => expect(await cookie()).not.toBe(before), 4000)
    })

    test('a suspended session is shown as such: in the page, in Node, and by the host’s route until it logs in anew', async () => {
      server.set('--on-suspicion', 'suspend')
      onTestFinished(() => server.set('--on-suspicion', 'record'))
      const page = await tab()
      await token(page)
      for (let round = 0; round < 11; round++) await refresh(page) // more than 10 in a minute
      await vi.waitFor(async () => expect((await whoAmI(page)).status).toBe(401), 4000)
      expect(await page.evaluate(() => renewable.getState())).toMatchObject({
        status: 'active',
        session: { suspended: true },
      })
      const verifier = new Verifier({ issuer: `${server.url}/test`, pollSeconds: 1 })
      await expect(verifier.verify(await token(page))).rejects.toMatchObject({ code: 'SESSION_SUSPENDED' })
      const { data } = await host.gp.auth.anomalies().page()
      expect(data[0]).toMatchObject({ kind: 'rate', outcome: 'suspended', externalUserId: host.user })
      await page.close()
      const another = await tab()
      await reaches(another, 'signedOut')
      expect(await state(another)).toEqual({ status: 'signedOut', reason: 'suspended' })
      await host.gp.auth.login({ externalUserId: host.user! }) // the host has asked for the password again
      await refresh(another)
      expect((await whoAmI(another)).status).toBe(200)
    })

    test('a log-out in one tab reaches the other and the server', async () => {
      const tabs = await Promise.all([tab(), tab()])
      const tokens = await Promise.all(tabs.map(token))
      await tabs[0]!.evaluate(() => renewable.end())
      await reaches(tabs[1]!, 'signedOut')
      expect(await state(tabs[1]!)).toEqual({ status: 'signedOut', reason: 'ended' })
      const headers = { Authorization: `Bearer ${tokens[1]}` }
      expect((await fetch(`${server.url}/v1/session`, { headers })).status).toBe(401)
      expect([await context.cookies(), await living()]).toEqual([[], []])
    })

    test('a revoke ends it, and no tab logs in anew by itself', async () => {
      const page = await tab()
      await token(page)
      await host.gp.sessions.revoke({ externalUserId: host.user! })
      await page.evaluate(() => renewable.refresh().catch(() => {}))
      expect(await state(page)).toEqual({ status: 'signedOut', reason: 'revoked' })
      expect(count('GET /session')).toBe(1)
      await refresh(page) // the user asks for it
      expect(await living()).toHaveLength(1)
    })

    test('another user signs in at the host: the page of the first is out, and so is the first session', async () => {
      const page = await tab()
      await token(page)
      const first = host.user!
      host.user = `bob_${crypto.randomUUID()}`
      await page.evaluate(() => renewable.refresh().catch(() => {}))
      await reaches(page, 'signedOut')
      await token(await tab())
      const of = await host.gp.sessions.list({ externalUserId: first, status: 'active' }).page()
      expect([of.data.length, (await living()).length]).toEqual([0, 1])
    })

    test('a page of another site can neither refresh nor end', async () => {
      const page = await tab()
      await token(page)
      const elsewhere = await context.newPage()
      await elsewhere.goto(host.url('/', '127.0.0.1'))
      const sent = await elsewhere.evaluate(async (base) => {
        const send = (path: string, method: string) =>
          fetch(base + path, { method, mode: 'no-cors', credentials: 'include' }).then(() => path)
        return Promise.all([
          send('session', 'GET'),
          send('session/refresh', 'POST'),
          send('session/end', 'POST'),
        ])
      }, host.url())
      expect(sent).toHaveLength(3)
      expect([(await whoAmI(page)).status, (await living()).length]).toEqual([200, 1])
    })
  })

  describe('React', () => {
    test('a provider with sessionTokenUrl alone works with the routes, on a page as wide as a phone', async () => {
      host.user = 'ada'
      const html = renderToString(createElement(HostApp))
      const script = '<script type="module" src="/js/hydrate.js"></script>'
      const viewport = '<meta name="viewport" content="width=device-width">'
      host.pages.set('/app', `<!doctype html>${viewport}<div id="root">${html}</div>${script}`)
      const phone = await browser.newContext({ viewport: { width: 390, height: 844 }, isMobile: true })
      onTestFinished(() => phone.close())
      const page = await phone.newPage()
      await page.route('**/api/session', (route) => route.continue({ url: host.url('/session') }))
      await page.goto(host.url('/app'))
      await page.waitForFunction(() => document.getElementById('status')?.textContent === 'active')
      expect(host.calls).toEqual(['GET /session'])
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
    })
  })

  describe('a verifier in Node that checks alone', () => {
    const codeOf = (verifier: Verifier, token: string) =>
      verifier.verify(token).then(
        () => 'ok',
        ({ code }: { code: string }) => code,
      )

    test('believes an access token, and sees the log-out within seconds', async () => {
      const verifier = new Verifier({ issuer: `${server.url}/test`, pollSeconds: 1 })
      const { accessToken, refreshToken } = await host.gp.auth.login({ externalUserId: host.user! })
      const { userId } = await verifier.verify(accessToken)
      expect(userId).toBe(host.user)
      await host.gp.auth.logout({ refreshToken })
      await vi.waitFor(async () => expect(await codeOf(verifier, accessToken)).toBe('TOKEN_REVOKED'), 4000)
    })

    test('sees a revoke of all sessions of a user, and believes what was minted after it', async () => {
      const verifier = new Verifier({ issuer: `${server.url}/test`, pollSeconds: 1 })
      const before = await host.gp.createSessionToken({ externalUserId: host.user! })
      expect(await codeOf(verifier, before.sessionToken)).toBe('ok')
      await host.gp.sessions.revoke({ externalUserId: host.user!, reissue: true })
      const after = await host.gp.createSessionToken({ externalUserId: host.user! })
      await vi.waitFor(
        async () => expect(await codeOf(verifier, before.sessionToken)).toBe('TOKEN_REVOKED'),
        4000,
      )
      expect(await codeOf(verifier, after.sessionToken)).toBe('ok')
      const refusal = await verifier.verify(before.sessionToken).catch((error: unknown) => error)
      expect(asksForANewToken(refusal)).toBe(true)
    })
  })

  describe('in the page', () => {
    test('two tabs with one token in storage refresh at once, ten times', async () => {
      const first = await bodyTab(true)
      const tabs = [first, await bodyTab(false)]
      for (let round = 0; round < 10; round++) await Promise.all(tabs.map(refresh))
      for (const page of tabs) expect((await whoAmI(page)).status).toBe(200)
      expect(await living()).toHaveLength(1)
    })

    test('a reload goes on without a login, and an end reaches the server', async () => {
      const page = await bodyTab(true)
      await token(page)
      await page.close()
      const reloaded = await bodyTab(false)
      expect((await whoAmI(reloaded)).status).toBe(200)
      await refresh(reloaded)
      await reloaded.evaluate(() => renewable.end({ everywhere: true }))
      expect([await living(), await reloaded.evaluate(() => localStorage.length)]).toEqual([[], 0])
    })

    test('a cross-site frame works with third-party cookies blocked', async () => {
      const profile = mkdtempSync(join(tmpdir(), 'guestpass-refresh-'))
      mkdirSync(join(profile, 'Default'))
      const preferences = { profile: { block_third_party_cookies: true, cookie_controls_mode: 1 } }
      writeFileSync(join(profile, 'Default', 'Preferences'), JSON.stringify(preferences))
      const persistent = await chromium.launchPersistentContext(profile, launchOptions)
      onTestFinished(async () => {
        await persistent.close()
        rmSync(profile, { recursive: true, force: true })
      })
      host.pages.set('/outer', `<!doctype html><iframe src="${host.url('/', '127.0.0.1')}"></iframe>`)
      const page = await persistent.newPage()
      await page.goto(host.url('/outer'))
      const frame = page.frames()[1]!
      await frame.waitForFunction(() => globalThis.guestpass)
      const statuses = await frame.evaluate(
        async ([userId, guestpassUrl]) => {
          const tokens = await (await fetch('/login', { method: 'POST' })).json()
          const client = guestpass!.createRefreshClient({ guestpassUrl, userId, tokens })
          client.start()
          const first = (await client.fetch(`${guestpassUrl}/v1/session`)).status
          await client.refresh()
          return [first, client.getState().status]
        },
        [host.user!, server.url] as const,
      )
      expect(statuses[1]).toBe('active')
      expect(await living()).toHaveLength(1)
    })
  })
})

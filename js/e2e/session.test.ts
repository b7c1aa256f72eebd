import type { Browser, BrowserContext, Page } from 'playwright-core'
import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { SessionClient, SessionState } from '../packages/browser/src/index.js'
import { bundlePages } from './bundle.js'
import { launch } from './chromium.js'
import { Host } from './host.js'
import { HostApp } from './pages/HostApp.js'

declare global {
  var guestpass: typeof import('./pages/sdk.js') | undefined
  var session: SessionClient
  var cameBack: boolean | undefined
}

let browser: Browser
let scripts: Map<string, string>
let context: BrowserContext
let host: Host

beforeAll(async () => {
  ;[browser, scripts] = await Promise.all([launch(), bundlePages()])
})
afterAll(() => browser.close())

beforeEach(async () => {
  host = await Host.open(scripts)
  context = await browser.newContext()
})
afterEach(async () => {
  await context.close()
  host.close()
})

type Options = { readonly apiUrl?: string; readonly storage?: 'sessionStorage' }

/** Open a page of the host and start a client in it. */
async function openTab(options: Options = {}, url = host.url()): Promise<Page> {
  const page = await context.newPage()
  await page.goto(url)
  await startClient(page, options)
  return page
}

async function startClient(page: Page, options: Options = {}): Promise<void> {
  await page.waitForFunction(() => globalThis.guestpass)
  await page.evaluate((given) => {
    if (!globalThis.guestpass) throw new Error('the page has no SDK')
    globalThis.session = guestpass!.createSessionClient({
      sessionTokenUrl: '/api/session',
      userId: 'ada',
      ...given,
    })
    session.start()
  }, options)
}

const token = (page: Page) => page.evaluate(() => session.getToken())
const state = (page: Page) => page.evaluate(() => session.getState() as { status: string; reason?: string })
const reaches = (page: Page, status: SessionState['status']) =>
  page.waitForFunction((wanted) => session.getState().status === wanted, status)
const distinct = (tokens: readonly string[]) => new Set(tokens).size

describe('tabs of one user', () => {
  test.each([2, 10])('%i tabs opened at once send one request and hold one token', async (count) => {
    const tabs = await Promise.all(Array.from({ length: count }, () => openTab()))
    expect(distinct(await Promise.all(tabs.map(token)))).toBe(1)
    expect(host.calls).toBe(1)
  })

  test('a tab opened later takes the token of the first', async () => {
    const first = await openTab()
    const held = await token(first)
    expect(await token(await openTab())).toBe(held)
    expect(host.calls).toBe(1)
  })

  test('two tabs renew with one request', async () => {
    host.expiresIn = 5
    const tabs = await Promise.all([openTab(), openTab()])
    const [before] = await Promise.all(tabs.map(token))
    for (const tab of tabs) {
      await tab.waitForFunction((old) => {
        const now = session.getState()
        return 'session' in now && now.session.sessionToken !== old
      }, before)
    }
    expect(distinct(await Promise.all(tabs.map(token)))).toBe(1)
    expect(host.calls).toBe(2)
  })

  test('without Web Locks, on an insecure origin, two tabs still send one request', async () => {
    const url = host.url('/', 'app.test')
    const tabs = await Promise.all([openTab({}, url), openTab({}, url)])
    expect(await tabs[0]?.evaluate(() => 'locks' in navigator)).toBe(false)
    expect(distinct(await Promise.all(tabs.map(token)))).toBe(1)
    expect(host.calls).toBe(1)
  })

  test('end() in one tab ends the session in the other', async () => {
    const tabs = await Promise.all([openTab(), openTab()])
    await Promise.all(tabs.map(token))
    await tabs[0]?.evaluate(() => session.end())
    await reaches(tabs[1]!, 'signedOut')
    expect(await state(tabs[1]!)).toEqual({ status: 'signedOut', reason: 'ended' })
  })
})

describe('time', () => {
  test('after sleep no token that ended meanwhile is handed out', async () => {
    const page = await context.newPage()
    await page.clock.install()
    await page.goto(host.url())
    await startClient(page)
    const held = await token(page)
    await page.clock.fastForward('08:00:00')
    expect(await token(page)).not.toBe(held)
    expect(host.calls).toBe(2)
  })

  test.each([-10, 10])('a clock that is wrong by %i minutes changes nothing', async (minutes) => {
    await context.addInitScript((ms) => {
      const right = Date.now
      Date.now = () => right() + ms
    }, minutes * 60_000)
    host.expiresIn = 60
    const page = await openTab()
    const held = await token(page)
    await page.waitForTimeout(1500)
    expect(await token(page)).toBe(held)
    expect(host.calls).toBe(1)
    const seconds = await page.evaluate(() => {
      const now = session.getState()
      return 'session' in now ? guestpass?.secondsLeft(now.session) : undefined
    })
    expect(seconds).toBeGreaterThan(50)
    expect(seconds).toBeLessThan(60)
  })
})

describe('the network', () => {
  test('is lost and comes back: the session is kept, then renewed at once', async () => {
    host.expiresIn = 10
    const page = await openTab()
    const held = await token(page)
    await context.setOffline(true)
    await reaches(page, 'offline')
    expect(await token(page)).toBe(held)
    await reaches(page, 'restoring')
    await context.setOffline(false)
    await reaches(page, 'active')
    expect(await token(page)).not.toBe(held)
  })
})

describe('the page', () => {
  test('lives in the back-forward cache, and asks again when it comes back', async () => {
    const page = await openTab()
    await token(page)
    await page.evaluate(() => {
      addEventListener('pageshow', ({ persisted }) => {
        globalThis.cameBack = persisted
      })
    })
    await page.goto(host.url('/elsewhere'))
    host.user = null // signed out elsewhere
    await page.evaluate(() => history.back())
    await page.waitForFunction(() => globalThis.cameBack)
    await reaches(page, 'signedOut')
  })

  test('goes on with its token after a reload when storage is asked for', async () => {
    const page = await openTab({ storage: 'sessionStorage' })
    const held = await token(page)
    await page.reload()
    await startClient(page, { storage: 'sessionStorage' })
    expect(await token(page)).toBe(held)
    expect(host.calls).toBe(1)
  })
})

test('a redirect to another origin does not take the token along', async () => {
  const page = await openTab()
  expect(await page.evaluate(async () => (await session.fetch('/v1/away')).status)).toBe(401)
  expect(host.answered).toEqual([{ status: 401, token: undefined }])
})

describe('revoking', () => {
  test('with reissue, the refused call is repeated with a new token and nobody notices', async () => {
    const page = await openTab({ apiUrl: host.url('/', 'localhost') }) // another origin, so CORS counts
    const held = await token(page)
    host.revoked.set(held, { reissue: true })
    expect(await page.evaluate(async () => (await session.fetch('/v1/invoices')).status)).toBe(200)
    expect(host.answered.map(({ status }) => status)).toEqual([401, 200])
    expect(host.calls).toBe(2)
  })

  test('without reissue, the user is out and stays out', async () => {
    const page = await openTab({ apiUrl: host.url('/', 'localhost') })
    host.revoked.set(await token(page), { reissue: false })
    expect(await page.evaluate(async () => (await session.fetch('/v1/invoices')).status)).toBe(401)
    await reaches(page, 'signedOut')
    expect(await state(page)).toEqual({ status: 'signedOut', reason: 'revoked' })
    expect(await page.evaluate(() => session.getToken().catch(({ code }) => code))).toBe('SIGNED_OUT')
    expect(host.calls).toBe(1)
  })
})

describe('React', () => {
  test('a page rendered on the server hydrates without a complaint and fetches once under StrictMode', async () => {
    const html = renderToString(createElement(HostApp))
    expect(html).toContain('wait')
    const script = '<script type="module" src="/js/hydrate.js"></script>'
    host.pages.set('/app', `<!doctype html><div id="root">${html}</div>${script}`)
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(host.url('/app'))
    await page.waitForFunction(() => document.getElementById('shown')?.textContent === 'open')
    expect(await page.textContent('#status')).toBe('active')
    expect(complaints.filter((one) => !one.includes('favicon') && !one.includes('404'))).toEqual([])
    expect(host.calls).toBe(1)
  })
})

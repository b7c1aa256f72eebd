import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bundlePages } from './bundle.js'
import { launch } from './chromium.js'
import { freePort, Guestpass, isInstalled } from './guestpass.js'

const at = (path: string) => new URL(path, import.meta.url).pathname

/** One of the shops of examples/hosts, under way. */
class Shop {
  private constructor(
    readonly url: string,
    readonly process: ChildProcess,
  ) {}

  static async open(name: string, server: Guestpass): Promise<Shop> {
    const port = await freePort()
    const env = {
      ...process.env,
      PORT: `${port}`,
      GUESTPASS_URL: server.url,
      GUESTPASS_SECRET_KEY: server.secretKey,
    }
    const script = at(`../../examples/hosts/shop_${name}.py`)
    const child = spawn(join(at('../../.venv/bin'), 'python'), [script], { env, stdio: 'ignore' })
    const shop = new Shop(`http://127.0.0.1:${port}`, child)
    for (;;) {
      if (child.exitCode !== null) throw new Error(`shop_${name}.py ended with ${child.exitCode}`)
      const there = await fetch(`${shop.url}/api/session`).then(
        () => true,
        () => false,
      )
      if (there) return shop
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

// Needs the Python half on the PATH.
describe.skipIf(!isInstalled())('the session routes of the Python half, and a real page', () => {
  let browser: Browser
  let server: Guestpass
  let scripts: Map<string, string>
  let context: BrowserContext
  const shops = new Map<string, Shop>()
  const names = ['django', 'fastapi', 'flask', 'litestar']

  beforeAll(async () => {
    ;[browser, server, scripts] = await Promise.all([launch(), Guestpass.serve(), bundlePages()])
    await Promise.all(names.map(async (name) => shops.set(name, await Shop.open(name, server))))
  })
  afterAll(async () => {
    for (const { process } of shops.values()) process.kill('SIGKILL')
    await Promise.all([browser.close(), server.close()])
  })
  beforeEach(async () => {
    context = await browser.newContext()
  })
  afterEach(() => context.close())

  /** A page of the shop, whose HTML and script the test brings; everything else is the shop's. */
  async function tab({ url }: Shop): Promise<Page> {
    const page = await context.newPage()
    const load = '<script type="module">globalThis.guestpass = await import("/js/sdk.js")</script>'
    await page.route(`${url}/`, (route) =>
      route.fulfill({ contentType: 'text/html', body: `<!doctype html>${load}` }),
    )
    await page.route(`${url}/js/*`, (route) =>
      route.fulfill({
        contentType: 'text/javascript',
        body: scripts.get(new URL(route.request().url()).pathname) ?? '',
      }),
    )
    await page.goto(`${url}/`)
    await page.waitForFunction(() => globalThis.guestpass)
    return page
  }

  const start = (page: Page) =>
    page.evaluate(() => {
      globalThis.renewable = guestpass!.createRefreshClient({
        sessionTokenUrl: '/api/session',
        userId: 'ada',
      })
      renewable.start()
    })
  const refresh = (page: Page) => page.evaluate(async () => (await renewable.refresh()).sessionToken)
  /** Asked from here, since a page whose requests are routed sends no preflight of its own. */
  const whoHas = async (page: Page) => {
    const headers = { Authorization: `Bearer ${await page.evaluate(() => renewable.getToken())}` }
    return (await (await fetch(`${server.url}/v1/session`, { headers })).json()).externalUserId as string
  }

  test.each(names)('%s: two tabs, ten refreshes at once, and one end for both', async (name) => {
    const shop = shops.get(name)!
    const tabs = [await tab(shop), await tab(shop)] as const
    await tabs[0].evaluate(() => fetch('/sign-in/ada', { method: 'POST' }))
    for (const page of tabs) await start(page)
    for (let round = 0; round < 10; round++) {
      const tokens = await Promise.all(tabs.map(refresh))
      expect(new Set(tokens).size).toBe(1)
    }
    for (const page of tabs) expect(await whoHas(page)).toBe('ada')
    expect(await tabs[0].evaluate(() => document.cookie)).not.toContain('gp_refresh')
    expect((await context.cookies()).map(({ name: cookie }) => cookie)).toContain('gp_refresh_test')

    await tabs[0].evaluate(() => renewable.end())
    await tabs[1].waitForFunction(() => renewable.getState().status === 'signedOut')
    expect((await context.cookies()).map(({ name: cookie }) => cookie)).not.toContain('gp_refresh_test')
  })
})

import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { BareChromium, type BareTab } from './bare.js'
import { bundlePages } from './bundle.js'
import { Host } from './host.js'

let browser: BareChromium
let scripts: Map<string, string>
let host: Host

beforeAll(async () => {
  ;[browser, scripts] = await Promise.all([BareChromium.launch(), bundlePages()])
})
afterAll(() => browser.close())
beforeEach(async () => {
  host = await Host.open(scripts)
})
afterEach(() => host.close())

const START = `import('/js/sdk.js').then(({ createSessionClient }) => {
  globalThis.session = createSessionClient({ sessionTokenUrl: '/api/session', userId: 'ada' })
  session.start()
  return session.getToken()
})`

async function openTab(): Promise<{ tab: BareTab; token: string }> {
  const tab = await browser.tab(host.url('/elsewhere'))
  await reaches(tab, 'document.body?.textContent', 'elsewhere')
  return { tab, token: await tab.evaluate(START) }
}

const reaches = (tab: BareTab, expression: string, value: unknown) =>
  vi.waitFor(async () => expect(await tab.evaluate(expression)).toBe(value), { timeout: 10_000 })

test('in a hidden tab nothing is renewed; when it is seen again, it is renewed at once', async () => {
  host.expiresIn = 3
  const { tab } = await openTab()
  const other = await browser.tab('about:blank')
  await other.show()
  await reaches(tab, 'document.visibilityState', 'hidden')
  const calls = host.calls
  await new Promise((resolve) => setTimeout(resolve, 3500)) // longer than the token lives
  expect(host.calls).toBe(calls)
  await tab.show()
  await reaches(tab, 'session.getState().status', 'active')
  expect(host.calls).toBe(calls + 1)
})

test('a hidden tab still answers getToken with a living token', async () => {
  host.expiresIn = 3
  const { tab, token } = await openTab()
  await (await browser.tab('about:blank')).show()
  await reaches(tab, 'document.visibilityState', 'hidden')
  await reaches(tab, `session.getToken().then((now) => now !== ${JSON.stringify(token)})`, true)
})

test('a browser that slept through the end of its token hands out another', async () => {
  host.expiresIn = 3
  const { tab, token } = await openTab()
  await browser.sleep(3500)
  expect(await tab.evaluate('session.getToken()')).not.toBe(token)
})

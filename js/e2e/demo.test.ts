import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { launch } from './chromium.js'
import { buildDemoPage, DemoHost } from './demo-host.js'

let browser: Browser
let built: Awaited<ReturnType<typeof buildDemoPage>>
let host: DemoHost
let context: BrowserContext

beforeAll(async () => {
  ;[browser, built] = await Promise.all([launch(), buildDemoPage()])
})
afterAll(async () => {
  await browser.close()
  built.remove()
})
beforeEach(async () => {
  host = await DemoHost.open(built.page)
  context = await browser.newContext()
})
afterEach(async () => {
  await context.close()
  await host.close()
})

async function open(): Promise<Page> {
  const page = await context.newPage()
  await page.goto(host.url)
  return page
}

async function signIn(page: Page, name: string): Promise<Page> {
  await press(page, name)
  await seen(page, 'H. Lindqvist')
  return page
}

const press = (page: Page, name: string) => page.getByRole('button', { name }).click()
const seen = (page: Page, text: string) => page.getByText(text).first().waitFor()
const gone = (page: Page, text: string) => page.getByText(text).first().waitFor({ state: 'detached' })
const status = (page: Page, word: string) => page.locator('.inspector .pill', { hasText: word }).waitFor()
const session = (page: Page) => page.locator('.facts .mono').textContent()
const reads = (page: Page, id: string, value: string) =>
  page.locator(`[data-testid=${id}]`, { hasText: new RegExp(`^${value}$`) }).waitFor()
const tally = (page: Page, operation: string) =>
  page.locator(`tr[data-operation=${operation}] td`).allTextContents()
const secondsLeft = async (page: Page) => Number(await page.locator('.ring .seconds').textContent())

describe('a token’s life', () => {
  test('counts down, and what it allows is done while the rest is refused', async () => {
    const page = await signIn(await open(), 'Ben Castle')
    await status(page, 'Active')
    const left = await secondsLeft(page)
    expect(left).toBeGreaterThan(50)
    await page.waitForFunction(
      (before) => Number(document.querySelector('.ring .seconds')?.textContent) < before,
      left,
    )

    await press(page, 'Remind H. Lindqvist')
    await seen(page, 'Reminder sent (INV-2041)')
    await press(page, 'Refund H. Lindqvist')
    await seen(page, 'Refused, 403')
    expect(await tally(page, 'send_reminders')).toEqual(['1', '0'])
    expect(await tally(page, 'refund_payments')).toEqual(['0', '1'])
    await seen(page, 'refund_payments refused')
  })

  test('is renewed before its end, and nothing flashes', async () => {
    const page = await context.newPage()
    await page.clock.install()
    await page.goto(host.url)
    await signIn(page, 'Ada Okafor')
    const before = await session(page)
    await page.clock.fastForward('00:52')
    await reads(page, 'minted', '2')
    await status(page, 'Active')
    expect(await session(page)).not.toBe(before)
    expect(await secondsLeft(page)).toBeGreaterThan(50)
    expect(await page.locator('.invoice strong').count()).toBe(4)
  })
})

describe('the admin desk', () => {
  test('revoke: the page is out at its next call, and back when it asks', async () => {
    const page = await signIn(await open(), 'Ada Okafor')
    await press(page, 'Revoke Ada')
    await seen(page, 'Your access was revoked')
    await status(page, 'Signed out')
    expect(await session(page)).toBe('–')
    await press(page, 'Ask for a new session')
    await seen(page, 'H. Lindqvist')
    await status(page, 'Active')
  })

  test('revoke from another browser: the same', async () => {
    const page = await signIn(await open(), 'Ada Okafor')
    const elsewhere = await browser.newContext()
    const admin = await elsewhere.newPage()
    await admin.goto(host.url)
    await signIn(admin, 'Ben Castle')
    await press(admin, 'Revoke Ada')
    await seen(page, 'Your access was revoked')
    await status(admin, 'Active')
    await elsewhere.close()
  })

  test('a stolen refresh token is seen, and this page’s own session goes on', async () => {
    const page = await signIn(await open(), 'Chloe Marsh')
    const before = await session(page)
    await press(page, 'Steal a refresh token')
    const row = page.locator('.odd tbody tr', { hasText: 'Chloe Marsh' })
    await row.waitFor()
    expect(await row.textContent()).toMatch(
      /Chloe Marsh.*A used token came back.*revoked.*currentGeneration 3/,
    )
    await status(page, 'Active')
    expect(await session(page)).toBe(before)
    await page.setViewportSize({ width: 360, height: 800 })
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
  })

  test('reissue: the session is another, and nobody notices', async () => {
    const page = await signIn(await open(), 'Ada Okafor')
    const before = await session(page)
    await press(page, 'Reissue Ada')
    await seen(page, 'read_invoices repeated')
    await reads(page, 'minted', '2')
    await status(page, 'Active')
    expect(await session(page)).not.toBe(before)
    expect(await page.getByText('Session over').count()).toBe(0)
  })

  test('block: the page is out and stays out, until unblocked', async () => {
    const page = await signIn(await open(), 'Chloe Marsh')
    await press(page, 'Block Chloe')
    await seen(page, 'Your access was revoked')
    await press(page, 'Ask for a new session')
    await seen(page, 'You are blocked')
    await press(page, 'Unblock Chloe')
    await page.getByRole('button', { name: 'Block Chloe Marsh', exact: true }).waitFor()
    await press(page, 'Ask for a new session')
    await seen(page, 'H. Lindqvist')
  })
})

test('two tabs fetch one token', async () => {
  const first = await signIn(await open(), 'Ada Okafor')
  const second = await open()
  await seen(second, 'H. Lindqvist')
  await reads(second, 'minted', '1')
  await reads(second, 'asked', '0')
  await reads(second, 'tabs', '2')
  await reads(first, 'tabs', '2')
  expect(await session(second)).toBe(await session(first))
})

describe('the line', () => {
  test('is cut and mended: the token is kept, and renewed after', async () => {
    const page = await signIn(await open(), 'Ada Okafor')
    const before = await session(page)
    await press(page, 'Cut the line')
    await status(page, 'Offline')
    expect(await session(page)).toBe(before)
    await seen(page, 'These may be out of date')
    await press(page, 'Mend the line')
    await status(page, 'Active')
    await gone(page, 'These may be out of date')
    expect(await session(page)).not.toBe(before)
  })

  test('is lost when a renewal is due, and comes back: renewed at once', async () => {
    const page = await context.newPage()
    await page.clock.install()
    await page.goto(host.url)
    await signIn(page, 'Ada Okafor')
    const before = await session(page)
    await context.setOffline(true)
    await page.clock.fastForward('00:52')
    await status(page, 'Offline')
    expect(await session(page)).toBe(before)
    await context.setOffline(false)
    await status(page, 'Active')
    expect(await session(page)).not.toBe(before)
  })
})

test('signing out empties every tab, and the next person gets a token of her own', async () => {
  const first = await signIn(await open(), 'Ada Okafor')
  const second = await open()
  await seen(second, 'H. Lindqvist')
  const before = await session(first)
  await press(first, 'Sign out')
  await seen(first, 'Who is at the desk today?')
  await seen(second, 'Who is at the desk today?')

  await signIn(second, 'Chloe Marsh')
  await seen(first, 'H. Lindqvist') // the other tab follows
  expect(await session(second)).not.toBe(before)
  await press(second, 'Remind H. Lindqvist')
  await seen(second, 'Refused, 403')
})

describe('the page', () => {
  test('can be used by keyboard alone', async () => {
    const page = await open()
    await seen(page, 'Who is at the desk today?')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await seen(page, 'H. Lindqvist')
    const reached = new Set<string>()
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press('Tab')
      reached.add(await page.evaluate(() => document.activeElement?.textContent ?? ''))
    }
    for (const name of ['Sign out', 'Remind H. Lindqvist', 'Block Ada Okafor', 'Renew now', 'Second tab'])
      expect(reached).toContain(name)
  })

  test.each(['light', 'dark'] as const)(
    'fits a phone, shifts nothing and has no error, %s',
    async (colorScheme) => {
      const page = await context.newPage()
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width: 360, height: 740 })
      const errors: string[] = []
      page.on('pageerror', (error) => errors.push(error.message))
      page.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
      await page.goto(host.url)
      await signIn(page, 'Ada Okafor')
      await press(page, 'Remind H. Lindqvist')
      await seen(page, 'Reminder sent')
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
      expect(await page.evaluate(layoutShift)).toBeLessThan(0.01)
      expect(errors).toEqual([])
    },
  )
})

/** How much moved without the user's doing (web.dev/cls). */
async function layoutShift(): Promise<number> {
  const observer = new PerformanceObserver(() => {})
  observer.observe({ type: 'layout-shift', buffered: true })
  await new Promise((resolve) => setTimeout(resolve, 100))
  const shifts = observer.takeRecords() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[]
  return shifts.reduce((sum, { value, hadRecentInput }) => sum + (hadRecentInput ? 0 : value), 0)
}

describe('the billing API', () => {
  test('answers pages of any origin, and refuses as RFC 6750 says', async () => {
    const preflight = await fetch(`${host.url}/billing/refunds`, { method: 'OPTIONS' })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('Access-Control-Allow-Headers')).toContain('Authorization')

    const bare = await fetch(`${host.url}/billing/invoices`)
    expect([bare.status, bare.headers.get('WWW-Authenticate')]).toEqual([401, 'Bearer'])

    const page = await signIn(await open(), 'Chloe Marsh')
    const { sessionToken } = await page.evaluate(async () => (await fetch('/api/session')).json())
    const headers = { Authorization: `Bearer ${sessionToken}` }
    const narrow = await fetch(`${host.url}/billing/refunds`, { method: 'POST', headers })
    expect(narrow.status).toBe(403)
    expect(narrow.headers.get('WWW-Authenticate')).toContain('error="insufficient_scope"')

    await press(page, 'Reissue Chloe')
    await reads(page, 'minted', '3')
    const dead = await fetch(`${host.url}/billing/invoices`, { headers })
    expect([dead.status, dead.headers.get('Guestpass-Retry')]).toEqual([401, 'token'])
    expect(dead.headers.get('Access-Control-Expose-Headers')).toContain('Guestpass-Retry')
  })

  test('nobody who is signed out gets a token', async () => {
    const answer = await fetch(`${host.url}/api/session`)
    expect([answer.status, (await answer.json()).code]).toEqual([401, 'UNAUTHORIZED'])
  })
})

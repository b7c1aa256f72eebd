import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bundlePages } from './bundle.js'
import { launch } from './chromium.js'
import { Guestpass, isInstalled } from './guestpass.js'
import { Host } from './host.js'

// Needs the Python half on the PATH; without it the other tests stand in with a host of their own.
describe.skipIf(!isInstalled())('with a real Guestpass server, in another origin', () => {
  let browser: Browser
  let server: Guestpass
  let host: Host
  let page: Page

  beforeAll(async () => {
    ;[browser, server] = await Promise.all([launch(), Guestpass.serve()])
  })
  afterAll(async () => {
    await Promise.all([browser.close(), server.close()])
  })

  beforeEach(async () => {
    host = await Host.open(await bundlePages())
    host.mint = (sub) => server.post('/v1/session-tokens', { externalUserId: sub, expiresIn: 600 })
    page = await (await browser.newContext()).newPage()
    await page.goto(host.url())
    await page.waitForFunction(() => globalThis.guestpass)
    await page.evaluate((apiUrl) => {
      const { createSessionClient } = globalThis.guestpass!
      globalThis.session = createSessionClient({ sessionTokenUrl: '/api/session', userId: 'ada', apiUrl })
      session.start()
    }, server.url)
  })
  afterEach(async () => {
    await page.context().close()
    host.close()
  })

  const whoAmI = () =>
    page.evaluate(async () => {
      const response = await session.fetch('/v1/session')
      return { status: response.status, user: (await response.json()).externalUserId }
    })
  const state = () => page.evaluate(() => session.getState() as { status: string; reason?: string })

  test('a minted token is sent and believed', async () => {
    expect(await whoAmI()).toEqual({ status: 200, user: 'ada' })
    expect((await state()).status).toBe('active')
  })

  test('after a revoke with reissue the next call succeeds with a new token', async () => {
    await whoAmI()
    await server.post('/v1/sessions/revoke', { externalUserId: 'ada', reissue: true })
    expect(await whoAmI()).toEqual({ status: 200, user: 'ada' })
    expect(host.calls).toBe(2)
  })

  test('after a revoke without reissue the page is signed out and asks no more', async () => {
    await whoAmI()
    await server.post('/v1/sessions/revoke', { externalUserId: 'ada' })
    expect((await whoAmI()).status).toBe(401)
    await page.waitForFunction(() => session.getState().status === 'signedOut')
    expect(await state()).toEqual({ status: 'signedOut', reason: 'revoked' })
    expect(host.calls).toBe(1)
  })
})

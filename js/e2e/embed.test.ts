import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { bundlePages } from './bundle.js'
import { launchOptions } from './chromium.js'
import { Host } from './host.js'

test('a cross-site embed works with third-party cookies blocked, and needs none', async () => {
  const profile = mkdtempSync(join(tmpdir(), 'guestpass-embed-'))
  mkdirSync(join(profile, 'Default'))
  const preferences = { profile: { block_third_party_cookies: true, cookie_controls_mode: 1 } }
  writeFileSync(join(profile, 'Default', 'Preferences'), JSON.stringify(preferences))
  const host = await Host.open(await bundlePages())
  const context = await chromium.launchPersistentContext(profile, launchOptions)
  onTestFinished(async () => {
    await context.close()
    host.close()
    rmSync(profile, { recursive: true, force: true })
  })

  host.pages.set('/outer', `<!doctype html><iframe src="${host.url('/')}"></iframe>`)
  const page = await context.newPage()
  await page.goto(host.url('/outer', 'localhost'))
  const embed = page.frames()[1]!
  await embed.waitForFunction(() => globalThis.guestpass)

  const cookie = await embed.evaluate(() => {
    // biome-ignore lint/suspicious/noDocumentCookie: we want to see it refused
    document.cookie = 'probe=1; SameSite=None; Secure'
    return document.cookie
  })
  expect(cookie).toBe('')
  const status = await embed.evaluate(async () => {
    globalThis.session = guestpass!.createSessionClient({
      sessionTokenUrl: '/api/session',
      userId: 'ada',
      storage: 'localStorage',
    })
    session.start()
    return (await session.fetch('/v1/invoices')).status
  })
  expect(status).toBe(200)
  expect(host.answered[0]?.token).toMatch(/^gp_session_test_/)
})

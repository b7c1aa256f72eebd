import { readFileSync } from 'node:fs'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { at, bundle } from './bundle.js'
import { launch } from './chromium.js'
import { Host } from './host.js'

/** The one code block of a guide's quickstart, as it stands there. */
function quickstartOf(guide: string): string {
  const text = readFileSync(at(`../../docs/${guide}`), 'utf8')
  const section = /^## Quickstart\n(.*?)^## /ms.exec(text)?.[1] ?? ''
  const blocks = [...section.matchAll(/^```tsx?\n(.*?)^```$/gms)].map(([, code = '']) => code)
  if (blocks.length !== 1) throw new Error(`${guide}: a quickstart of ${blocks.length} code blocks`)
  return blocks[0]!
}

/** What the guides leave to the reader's framework: to put `App` into the page, for the user it was made for. */
const mount = `
  import { StrictMode } from 'react'
  import { createRoot } from 'react-dom/client'
  import { App } from './quickstart-app.tsx'

  const id = document.body.dataset.user
  createRoot(document.body).render(<StrictMode><App user={id ? { id } : null} /></StrictMode>)
`

/** The quickstarts' scripts by their URL path. Plain JavaScript is given no chance to have types. */
async function bundleQuickstarts(): Promise<Map<string, string>> {
  const sources = new Map([
    [at('pages/quickstart-plain.js'), quickstartOf('browser.md')],
    [at('pages/quickstart-app.tsx'), quickstartOf('react.md')],
    [at('pages/quickstart-react.tsx'), mount],
  ])
  const input = { plain: at('pages/quickstart-plain.js'), react: at('pages/quickstart-react.tsx') }
  return await bundle(input, [
    {
      name: 'quickstarts',
      enforce: 'pre',
      resolveId: (id) => [...sources.keys()].find((path) => path === id || path === at(`pages/${id}`)),
      load: (id) => sources.get(id),
    },
  ])
}

let browser: Browser
let scripts: Map<string, string>
let context: BrowserContext
let host: Host
let page: Page
/** Tokens that the host's endpoint gave out. */
let minted: string[]
/** What was asked of https://api.example.com, and as whom. */
let asked: { readonly url: string; readonly authorization: string | undefined }[]
/** Errors in the page's console, and those that nobody caught. */
let logged: string[]
let uncaught: string[]

const invoices = [{ id: 'inv_1' }, { id: 'inv_2' }]

beforeAll(async () => {
  ;[browser, scripts] = await Promise.all([launch(), bundleQuickstarts()])
})
afterAll(() => browser.close())

beforeEach(async () => {
  ;[minted, asked, logged, uncaught] = [[], [], [], []]
  host = await Host.open(scripts)
  host.user = 'user_123'
  const makeUp = host.mint
  host.mint = async (sub) => {
    const answer = (await makeUp(sub)) as { sessionToken: string }
    minted.push(answer.sessionToken)
    return answer
  }
  const script = (name: string) => `<script type="module" src="/js/${name}.js"></script>`
  host.pages.set('/plain', `<!doctype html>${script('plain')}`)
  host.pages.set('/react', `<!doctype html><body data-user="user_123">${script('react')}`)
  host.pages.set('/react/nobody', `<!doctype html><body>${script('react')}`)

  context = await browser.newContext()
  // The API of the guides: it believes the host's tokens, and answers the host's page in another origin.
  await context.route('https://api.example.com/**', async (route) => {
    const { authorization } = await route.request().allHeaders()
    asked.push({ url: route.request().url(), authorization })
    const known = minted.some((token) => authorization === `Bearer ${token}`)
    const headers = { 'Access-Control-Allow-Origin': '*' }
    await route.fulfill({ status: known ? 200 : 401, headers, json: known ? invoices : {} })
  })
  page = await context.newPage()
  page.on('console', (message) => message.type() === 'error' && logged.push(message.text()))
  page.on('pageerror', ({ message }) => uncaught.push(message))
})
afterEach(async () => {
  await context.close()
  host.close()
})

/** One token was fetched, and every call to the API was this one and carried it. */
function expectCallsWithTheToken() {
  expect(host.calls).toBe(1)
  expect(minted).toHaveLength(1)
  expect(asked.length).toBeGreaterThan(0)
  const call = { url: 'https://api.example.com/v1/invoices', authorization: `Bearer ${minted[0]}` }
  for (const one of asked) expect(one).toEqual(call)
  expect(logged).toEqual([])
  expect(uncaught).toEqual([])
}

describe('the quickstart of browser.md', () => {
  test('fetches a token, calls the API with it and logs what it answers', async () => {
    const log = page.waitForEvent('console', (message) => message.type() === 'log')
    await page.goto(host.url('/plain'))
    expect(await (await log).args()[0]!.jsonValue()).toEqual(invoices)
    expectCallsWithTheToken()
    expect(asked).toHaveLength(1)
  })

  test('asks the API nothing while nobody is signed in', async () => {
    host.user = null
    const thrown = page.waitForEvent('pageerror')
    await page.goto(host.url('/plain'))
    expect(await thrown).toMatchObject({ name: 'SessionError' })
    expect(asked).toEqual([])
  })
})

describe('the quickstart of react.md', () => {
  test('shows the fallback until there is a token, then what the API answers to it', async () => {
    const mint = host.mint
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    host.mint = async (sub) => {
      await held
      return mint(sub)
    }
    await page.goto(host.url('/react'))
    await page.getByText('One moment…').waitFor()
    expect(asked).toEqual([])
    release()
    await page.getByText('2 invoices', { exact: true }).waitFor()
    expect(await page.getByText('One moment…').count()).toBe(0)
    expectCallsWithTheToken()
  })

  test.each([
    { who: 'the page knows nobody', path: '/react/nobody', user: 'user_123', calls: 0 },
    { who: 'the endpoint knows nobody', path: '/react', user: null, calls: 1 },
  ])('offers to sign in when $who', async ({ path, user, calls }) => {
    host.user = user
    await page.goto(host.url(path))
    const link = page.getByRole('link', { name: 'Sign in' })
    await link.waitFor()
    expect(await link.getAttribute('href')).toBe('/sign-in')
    expect(host.calls).toBe(calls)
    expect(asked).toEqual([])
    expect(uncaught).toEqual([])
  })
})

/** Whatever happens to pages and network, nobody is signed out whose session lives. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRefreshClient, type RefreshClient } from '../src/refresh-client.js'
import { type TestTab, TestWorld } from '../src/testing/index.js'
import { RenewableServer } from './renewable-server.js'

const RUNS = 8
const TABS = 3

interface Page {
  readonly tab: TestTab
  readonly client: RefreshClient
  /** No line of the page's runs any more, whatever it was doing. */
  readonly leave: () => void
}

type Mode = 'cookie' | 'storage'
type Step = (story: Story) => Promise<void>

/** A few tabs of one user, and what happens to them. */
class Story {
  readonly world = new TestWorld()
  readonly server: RenewableServer
  readonly pages: Page[] = []
  readonly #mode: Mode
  readonly #locks: boolean

  constructor(mode: Mode, locks: boolean) {
    this.#mode = mode
    this.#locks = locks
    this.server = new RenewableServer(this.world)
    const tokens = mode === 'storage' ? this.server.login() : undefined
    for (let count = 0; count < TABS; count++) this.pages.push(this.#open(count ? undefined : tokens))
  }

  #open(tokens?: ReturnType<RenewableServer['login']>): Page {
    // Without locks and channels every tab is on its own, and the grace alone keeps them in.
    const none = { locks: { request: () => Promise.reject() }, channel: () => undefined }
    const tab = this.world.tab(this.#locks ? {} : none)
    const platform = { ...tab.platform }
    const common = { userId: 'ada', platform } as const
    const client =
      this.#mode === 'cookie'
        ? createRefreshClient({ ...common, sessionTokenUrl: '/api/session' })
        : createRefreshClient({
            ...common,
            guestpassUrl: 'https://guestpass.example.com',
            storage: 'localStorage',
            tokens,
          })
    const stop = client.start()
    const leave = () => {
      stop()
      platform.setTimeout = () => 0
      platform.fetch = () => new Promise(() => {})
    }
    return { tab, client, leave }
  }

  async reload(at: number): Promise<void> {
    // In cookie mode the request itself outlives the page; an answer that the network loses does not come again.
    for (let waited = 0; this.#mode === 'cookie' && this.server.isMissing && waited < 30; waited++)
      await this.world.clock.advance(1)
    this.pages[at]?.leave()
    this.pages[at] = this.#open()
  }

  check(): void {
    expect(this.server.over).toBe(undefined)
    for (const { client } of this.pages) expect(client.getState().status).not.toBe('signedOut')
  }
}

const page = fc.nat(TABS - 1)
const seconds = fc.integer({ min: 1, max: 2000 })
const steps: fc.Arbitrary<readonly [string, Step]>[] = [
  seconds.map((many) => [`${many} s pass`, ({ world }) => world.clock.advance(many)] as const),
  page.map((at) => [`tab ${at} is hidden`, async ({ pages }) => pages[at]?.tab.setVisible(false)] as const),
  page.map((at) => [`tab ${at} is shown`, async ({ pages }) => pages[at]?.tab.setVisible(true)] as const),
  page.map((at) => [`tab ${at} is reloaded`, async (story) => story.reload(at)] as const),
  page.map(
    (at) =>
      [`tab ${at} refreshes`, async ({ pages }) => void pages[at]?.client.refresh().catch(() => {})] as const,
  ),
  seconds.map(
    (many) =>
      [
        `all refresh, and ${many % 7} s pass`,
        async ({ pages, world }) => {
          for (const { client } of pages) client.refresh().catch(() => {})
          await world.clock.advance(many % 7)
        },
      ] as const,
  ),
  fc.tuple(page, fc.integer({ min: 1, max: 2 }), fc.boolean()).map(
    ([at, lost, hides]) =>
      [
        `tab ${at} refreshes, ${lost} answers are lost${hides ? ', and it is hidden' : ''}`,
        async ({ pages, world, server }) => {
          server.loseAnswers = lost
          pages[at]?.client.refresh().catch(() => {})
          await world.clock.advance(0.2)
          if (hides) pages[at]?.tab.setVisible(false)
          await world.clock.advance(2)
          server.loseAnswers = 0
          for (let waited = 0; server.isMissing && waited < 30; waited++) await world.clock.advance(1)
        },
      ] as const,
  ),
  fc.tuple(seconds, fc.constantFrom(429, 500, 503)).map(
    ([many, status]) =>
      [
        `${many} s of ${status}`,
        async ({ world, server }) => {
          server.refuse = () => Response.json({}, { status })
          await world.clock.advance(many)
          server.refuse = undefined
        },
      ] as const,
  ),
  seconds.map(
    (many) =>
      [
        `offline for ${many} s`,
        async ({ world, pages }) => {
          world.online = false
          await world.clock.advance(many)
          world.online = true
          for (const { tab } of pages) tab.tell('online')
        },
      ] as const,
  ),
]

test.each<[Mode, boolean]>([
  ['cookie', true],
  ['cookie', false],
  ['storage', true],
  ['storage', false],
])(
  'in %s mode, with locks and channels: %s',
  async (mode, locks) => {
    const story = fc.array(fc.oneof(...steps), { minLength: 5, maxLength: 25 })
    await fc.assert(
      fc.asyncProperty(story, async (all) => {
        const told = new Story(mode, locks)
        try {
          await told.world.clock.advance(1)
          for (const [, step] of all) {
            await step(told)
            told.check()
          }
          for (const { tab } of told.pages) tab.setVisible(true)
          await told.world.clock.advance(120)
          told.check()
          for (const { client } of told.pages) expect(client.getState().status).toBe('active')
        } finally {
          for (const { leave } of told.pages) leave()
        }
      }),
      { numRuns: RUNS },
    )
  },
  120_000,
)

import type { PageEvent, Platform } from '../platform.js'
import type { Channel, TabPlatform, TokenStorage } from '../tabs.js'
import { settle, TestClock } from './clock.js'
import { mintTestToken } from './token.js'

/** The host's endpoint that hands out tokens. */
export interface TestEndpoint {
  /** Requests that have arrived. */
  calls: number
  /** Seconds that the tokens live. */
  expiresIn: number
  /** Who is signed in at the host; null: it answers 401. */
  user: string | null
  /** Answer in another way, until set back to undefined; a rejection stands for a broken network. */
  respond: ((request: Request) => Response | Promise<Response>) | undefined
}

/** Your API, behind the origin of the page and `https://api.example.com`. */
export interface TestApi {
  /** What has arrived, in order. */
  readonly requests: { readonly url: string; readonly authorization: string | null }[]
  /** Answer in another way than with `{}`. */
  respond: ((request: Request) => Response | Promise<Response>) | undefined
}

/** One tab of the browser. */
export interface TestTab {
  /** Give this to `createSessionClient` as `platform`. */
  readonly platform: Platform
  /** What the developer was told on the console. */
  readonly warnings: string[]
  /** Hide the tab or show it again. */
  setVisible(visible: boolean): void
  /** Tell a page event as the browser would. */
  tell(type: PageEvent['type'], persisted?: boolean): void
}

/** A browser with its tabs, a clock, the host's endpoint and an API: all that a session meets. */
export class TestWorld {
  readonly clock: TestClock = new TestClock()
  readonly api: TestApi = { requests: [], respond: undefined }
  readonly endpoint: TestEndpoint = { calls: 0, expiresIn: 3600, user: 'ada', respond: undefined }
  /** Whether requests get anywhere. */
  online = true
  /** Where tokens are asked for; anything else is the API. */
  readonly sessionTokenUrl: string = 'https://app.example.com/api/session'
  readonly localStorage: Map<string, string> = new Map()
  readonly #queues = new Map<string, Promise<unknown>>()
  readonly #channels = new Map<string, Set<Channel>>()
  readonly #sessionStorage = new Map<string, string>()

  /** Open a tab. `tabs` takes away or replaces what its browser can do. */
  tab(tabs: Partial<TabPlatform> = {}): TestTab {
    const listeners = new Set<(event: PageEvent) => void>()
    const warnings: string[] = []
    let visible = true
    const platform: Platform = {
      ...this.clock.parts(),
      random: () => 0.5,
      fetch: (request) => this.#answer(request),
      warn: (message) => void warnings.push(message),
      visible: () => visible,
      listen: (listener) => {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
      baseUrl: 'https://app.example.com/',
      tabs: { ...this.#tabs(), ...tabs },
    }
    const tell: TestTab['tell'] = (type, persisted = false) => {
      for (const listener of [...listeners]) listener({ type, persisted })
    }
    const setVisible = (now: boolean) => {
      visible = now
      tell('visibilitychange')
    }
    return { platform, warnings, setVisible, tell }
  }

  /** What the endpoint answers to a signed-in user. */
  mint(): { sessionToken: string; expiresIn: number; expiresAt: string } {
    const { user, expiresIn } = this.endpoint
    const iat = Math.floor(this.clock.wall / 1000)
    const sessionToken = mintTestToken({ sub: user ?? 'nobody', iat, expiresIn })
    return { sessionToken, expiresIn, expiresAt: new Date((iat + expiresIn) * 1000).toISOString() }
  }

  /** Wait until nothing more happens without time passing. */
  settle(): Promise<void> {
    return settle()
  }

  async #answer(request: Request): Promise<Response> {
    if (request.url === this.sessionTokenUrl) {
      this.endpoint.calls++
      if (!this.online) throw new TypeError('Failed to fetch')
      const { respond, user } = this.endpoint
      if (respond) return respond(request)
      return user ? Response.json(this.mint()) : Response.json({ code: 'UNAUTHORIZED' }, { status: 401 })
    }
    if (!this.online) throw new TypeError('Failed to fetch')
    this.api.requests.push({ url: request.url, authorization: request.headers.get('Authorization') })
    return this.api.respond?.(request) ?? Response.json({})
  }

  #tabs(): TabPlatform {
    return {
      locks: { request: (name, { signal }, work) => this.#inTurn(name, signal, work) },
      channel: (name) => this.#channel(name),
      storage: (kind) => storageOf(kind === 'localStorage' ? this.localStorage : this.#sessionStorage),
    }
  }

  async #inTurn(name: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const before = this.#queues.get(name) ?? Promise.resolve()
    const mine = before.then(() => (signal.aborted ? undefined : work()))
    this.#queues.set(
      name,
      mine.catch(() => {}),
    )
    await mine
  }

  #channel(name: string): Channel {
    const all = this.#channels.get(name) ?? new Set()
    this.#channels.set(name, all)
    const own: Channel = {
      onmessage: null,
      postMessage: (message) => {
        const data = structuredClone(message)
        for (const other of all) if (other !== own) queueMicrotask(() => other.onmessage?.({ data }))
      },
      close: () => void all.delete(own),
    }
    all.add(own)
    return own
  }
}

function storageOf(kept: Map<string, string>): TokenStorage {
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  }
}

// Loaded when needed: values of the core come through the ports, so that an import cannot split the core in two.
import type { Current, Held, hold } from './current.js'
import { exclusively, type LockPorts } from './lock.js'
import type { SessionClientOptions } from './options.js'
import type { SignedOutReason } from './state.js'
import { browserTabs, type Channel, type TabPlatform, type TokenStorage } from './tabs.js'

/** How long a tab waits for another's token before it fetches, ms. Too short costs a second fetch, no more. */
export const PEER_WAIT_MS = 40

/** What leaves the tab: to the other tabs of this browser and to storage. Fields are only ever added. */
interface Shared {
  readonly userId: string
  readonly sessionToken: string
  readonly lifeSeconds: number
  /** All tabs and reloads read one wall clock, so it may be wrong; a jump makes the record void. */
  readonly localExpiresAt: number
}

/** Between tabs: who has a token? here is one; the session has ended (if that token is yours, when one is named). */
interface Message {
  readonly ask?: boolean
  readonly session?: Shared
  readonly ended?: SignedOutReason
  readonly sessionToken?: string | undefined
}

/** Whose token is shared, where, and who is told what other tabs say. */
export interface SharePorts extends LockPorts {
  readonly hold: typeof hold
  readonly current: Current
  readonly options: SessionClientOptions
  readonly userId: string
  /** Make a token the current one, if it may be. */
  take(held: Held): boolean
  arrived(held: Held): void
  /** The session is over; nobody else needs to be told. */
  left(reason: SignedOutReason): void
}

/** One user's token in the other tabs and in storage. A new user gets a new one. */
export class Share {
  readonly #ports: SharePorts
  readonly #tabs: TabPlatform
  readonly #key: string
  readonly #name: string
  readonly #shelf: TokenStorage | undefined
  #channel: Channel | undefined

  constructor(ports: SharePorts) {
    const { platform, options, userId } = ports
    const { sessionTokenUrl, apiUrl, apiUrls, storage = 'memory' } = options
    this.#ports = ports
    this.#tabs = platform.tabs ?? browserTabs()
    this.#key = `guestpass ${JSON.stringify([sessionTokenUrl, apiUrl, apiUrls])}`
    this.#name = `${this.#key} ${userId}`
    if (storage !== 'memory')
      this.#shelf = typeof storage === 'object' ? storage : this.#tabs.storage(storage)
  }

  open(): void {
    if (this.#channel) return
    this.#channel = this.#tabs.channel(this.#name)
    if (this.#channel) this.#channel.onmessage = ({ data }) => this.#hear(data)
  }

  /** An open channel keeps a page out of the back-forward cache, and a process alive. */
  close(): void {
    this.#channel?.close()
    this.#channel = undefined
  }

  /**
   * A token that `accept` takes: another tab's or a stored one, else what `fetch` brings, which everybody is told.
   * Only one tab at a time is in here, as far as locks can be had. A token from another tab arrives through the
   * ports, and `signal` is aborted if it will do.
   */
  async obtain(
    accept: (held: Held) => boolean,
    signal: AbortSignal,
    fetch: () => Promise<Held>,
  ): Promise<Held> {
    const { sleep, take } = this.#ports
    this.open()
    return exclusively(this.#ports, this.#tabs, this.#name, signal, async () => {
      // A second look: another tab may have fetched while we waited.
      const found = await this.#stored()
      signal.throwIfAborted() // the user may have changed meanwhile: this token is nobody's then
      if (found && accept(found) && take(found)) return found
      this.#post({ ask: true })
      await sleep(this.#channel ? PEER_WAIT_MS : 0, signal)
      signal.throwIfAborted()
      const held = await fetch()
      signal.throwIfAborted() // or a listener has changed the user, or ended the session
      this.#publish(held)
      await sleep(0, signal) // the message leaves before the lock does
      return held
    })
  }

  forget(): void {
    this.#onShelf((shelf) => shelf.removeItem(this.#key))
  }

  tellEnded(ended: SignedOutReason, sessionToken?: string): void {
    this.#openly(this.#channel, () => this.#post({ ended, sessionToken }))
  }

  /** The page has brought a token itself; `stay`: and goes on listening to the other tabs. */
  given(held: Held, stay: unknown): void {
    if (this.#ports.current.held === held) this.#openly(stay || this.#channel, () => this.#publish(held))
  }

  #openly(stay: unknown, tell: () => void): void {
    this.open()
    tell()
    if (!stay) this.close()
  }

  #publish(held: Held): void {
    const session = this.#pack(held)
    this.#post({ session })
    this.#onShelf((shelf) => shelf.setItem(this.#key, JSON.stringify(session)))
  }

  #stored(): Promise<Held | undefined> {
    return this.#onShelf(async (shelf) => {
      const text = await shelf.getItem(this.#key)
      const held = text ? this.#unpack(JSON.parse(text)) : undefined
      if (text && !held) shelf.removeItem(this.#key) // another user's, or over
      return held
    })
  }

  #post(message: Message): void {
    this.#channel?.postMessage(message)
  }

  #hear({ ask, session, ended, sessionToken }: Message): void {
    const { current, arrived, left } = this.#ports
    const { held, living } = current
    if (ask && living) this.#post({ session: this.#pack(living) })
    const news = session && this.#unpack(session)
    if (news) arrived(news)
    if (ended && (!sessionToken || sessionToken === held?.sessionToken)) left(ended)
  }

  #pack(held: Held): Shared {
    const { platform, current, userId } = this.#ports
    const { sessionToken, lifeSeconds } = held
    return { userId, sessionToken, lifeSeconds, localExpiresAt: platform.now() + current.left(held) }
  }

  #unpack({ userId, sessionToken, lifeSeconds, localExpiresAt }: Shared): Held | undefined {
    const { platform, hold, userId: ours } = this.#ports
    const left = localExpiresAt - platform.now()
    // More left than the whole life: the clock was set back since, and nothing can be said of the token.
    return userId === ours && left > 0 && left <= lifeSeconds * 1000
      ? hold(platform, sessionToken, lifeSeconds, left)
      : undefined
  }

  /** Storage may be full, refused or hold what we did not write: then the session goes on in memory. */
  async #onShelf<T>(use: (shelf: TokenStorage) => T): Promise<Awaited<T> | undefined> {
    const shelf = this.#shelf
    try {
      return shelf && (await use(shelf))
    } catch {
      return undefined
    }
  }
}

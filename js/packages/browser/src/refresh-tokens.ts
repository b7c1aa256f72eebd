import type { Platform, TokenStorage } from './index.js'
import { browserTabs } from './tabs.js'

/** What is kept in storage. Fields are only ever added. */
interface Kept {
  readonly userId: string | null | undefined
  readonly refreshToken: string
  /** When it was last sent, by this machine's clock, while no answer has come. */
  readonly sentAt?: number
}

/** So long (ms) the server repeats the answer to a token that was used last. */
const GRACE_MS = 30_000

/**
 * The refresh token of a page, or that of all tabs of a user, where there is storage. Then the storage alone counts,
 * not what this tab remembers: another may have moved on, and an old token would end the session for all of them.
 */
export class RefreshTokens {
  readonly #platform: Platform
  readonly #shelf: TokenStorage | undefined
  readonly #key: string
  #userId: string | null | undefined
  #memory: string | undefined
  /** Storage that was refused once is not believed again: the tab goes on with what it remembers. */
  #broken = false
  /** The page has just said whose it is, so it knows better than what it finds. Later, another tab may know better. */
  #isNews = true
  #queue: Promise<unknown> = Promise.resolve()

  constructor(
    platform: Platform,
    storage: 'memory' | 'localStorage' | TokenStorage,
    name: string,
    userId: string | null | undefined,
  ) {
    const tabs = platform.tabs ?? browserTabs()
    this.#platform = platform
    this.#key = `guestpass refresh ${name}`
    this.#userId = userId
    if (storage !== 'memory') this.#shelf = typeof storage === 'object' ? storage : tabs.storage(storage)
  }

  /** It is this user's page from now on; what the last one left here is forgotten. */
  enter(userId: string | null | undefined): void {
    void this.remove()
    this.#userId = userId
    this.#isNews = true
  }

  read(): Promise<string | undefined> {
    const userId = this.#userId
    const isNews = this.#isNews
    this.#isNews = false
    return this.#inTurn(async () => {
      const found = await this.#of(userId)
      // Somebody else's, whose page never heard that they left.
      if (isNews && !found) await this.#onShelf((shelf) => shelf.removeItem(this.#key))
      return found
    })
  }

  /** A token is on its way to the server. If this page is left before the answer comes, the next one knows. */
  sending(token: string): Promise<void> {
    const userId = this.#userId
    return this.#inTurn(async () => {
      if ((await this.#of(userId)) === token)
        await this.#keep({ userId, refreshToken: token, sentAt: this.#platform.now() })
    })
  }

  /** Whether an answer is missing that the server would still repeat. */
  async isAnswerMissing(): Promise<boolean> {
    const { userId, sentAt = 0 } = parsed(await this.#onShelf((shelf) => shelf.getItem(this.#key)))
    const age = this.#platform.now() - sentAt
    return userId === this.#userId && age >= 0 && age < GRACE_MS
  }

  /** Put `after` where `before` is; without `before`, whatever is there. A faster tab's successor is left alone. */
  write(after: string, before?: string): Promise<void> {
    const userId = this.#userId
    this.#isNews = false
    return this.#inTurn(async () => {
      if (before !== undefined && (await this.#of(userId)) !== before) return
      this.#memory = after
      await this.#keep({ userId, refreshToken: after })
    })
  }

  /** Forget this user's token; with `token`, only if it is that one. */
  remove(token?: string): Promise<void> {
    const userId = this.#userId
    return this.#inTurn(async () => {
      const present = await this.#of(userId)
      if (present === undefined || (token ?? present) !== present) return
      this.#memory = undefined
      await this.#onShelf((shelf) => shelf.removeItem(this.#key))
    })
  }

  async #of(userId: string | null | undefined): Promise<string | undefined> {
    const text = await this.#onShelf((shelf) => shelf.getItem(this.#key))
    if (!this.#shelf || this.#broken) return this.#memory
    const kept = parsed(text)
    this.#memory = kept.userId === userId ? kept.refreshToken : undefined
    return this.#memory
  }

  async #keep(kept: Kept): Promise<void> {
    await this.#onShelf((shelf) => shelf.setItem(this.#key, JSON.stringify(kept)))
  }

  async #onShelf<T>(use: (shelf: TokenStorage) => T): Promise<Awaited<T> | undefined> {
    try {
      return this.#shelf && !this.#broken ? await use(this.#shelf) : undefined
    } catch {
      this.#broken = true
      return undefined
    }
  }

  /** One after the other: storage may be slow, and what was asked later must not be done earlier. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work)
    this.#queue = turn.catch(() => {})
    return turn
  }
}

function parsed(text: string | null | undefined): Partial<Kept> {
  try {
    return JSON.parse(text ?? '') ?? {}
  } catch {
    return {}
  }
}

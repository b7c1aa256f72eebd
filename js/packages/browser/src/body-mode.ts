import { bodyOf, checkEnded, inTime, refusalOf, signedOut } from './ask.js'
import { type CommonOptions, SessionError, type TabPlatform, type TokenStorage } from './index.js'
import { type EndOptions, type Mode, type RenewableTokens, sessionTokenOf } from './mode.js'
import type { Platform } from './platform.js'
import { RefreshTokens } from './refresh-tokens.js'
import type { Exchange } from './rotation.js'

/** Body mode: the page holds the refresh token and sends it to the Guestpass server in a body. No cookie. */
export interface BodyOptions extends CommonOptions {
  /**
   * The Guestpass server, the only place that the refresh token is sent to. Default: `apiUrl`, or that one of
   * `apiUrls` which is of the token's environment.
   */
  readonly guestpassUrl?: string | undefined
  /** What your backend's login has just answered. Without it: what `storage` still has. */
  readonly tokens?: RenewableTokens | undefined
  /**
   * Where the tokens outlive the page. Default `memory`: nowhere, and every tab has a session of its own.
   * `localStorage`, or storage of your own, is shared by all tabs of the user: it needs a `userId`, and any script
   * on the page can read it. `sessionStorage` is not offered, because a tab that is duplicated copies it.
   */
  readonly storage?: 'memory' | 'localStorage' | TokenStorage | undefined
  readonly sessionTokenUrl?: undefined
}

/** Each tab has tokens of its own, so it neither asks others nor is asked. */
const ALONE: TabPlatform = { locks: undefined, channel: () => undefined, storage: () => undefined }

/** The page holds the refresh token. */
export class BodyMode implements Mode {
  readonly options: Mode['options']
  readonly #platform: Platform
  readonly #given: BodyOptions
  readonly #tokens: RefreshTokens

  /** @throws SessionError `VALIDATION_ERROR`. */
  constructor(platform: Platform, given: BodyOptions) {
    checkOptions(given)
    const { apiUrl, apiUrls, guestpassUrl, storage = 'memory', userId } = given
    const name = JSON.stringify(guestpassUrl ?? apiUrl ?? apiUrls)
    this.#platform = platform
    this.#given = given
    this.#tokens = new RefreshTokens(platform, storage, name, userId)
    const alone = storage === 'memory'
    this.options = { platform: alone ? { ...platform, tabs: ALONE } : platform, storage }
  }

  readonly exchange: Exchange = async (signal, sent) => {
    const tokens = this.#tokens
    const before = await tokens.read()
    if (!before) throw signedOut('none')
    await tokens.sending(before)
    signal.throwIfAborted()
    sent()
    const response = await this.#send('refresh', { refreshToken: before }, { signal })
    if (response.ok) {
      const renewed = (await bodyOf(response)) as unknown as RenewableTokens
      checkRefreshToken(renewed)
      signal.throwIfAborted() // the user has left meanwhile
      await tokens.write(renewed.refreshToken, before)
      return sessionTokenOf(renewed)
    }
    const refusal = await refusalOf(this.#platform, response)
    if (refusal.code !== 'SIGNED_OUT') throw refusal
    // Another tab may have logged in anew, which can be what ended this one.
    if ((await tokens.read()) !== before) return this.exchange(signal, sent)
    await tokens.remove(before)
    throw refusal
  }

  isAnswerMissing(): Promise<boolean> {
    return this.#tokens.isAnswerMissing()
  }

  keep(tokens: RenewableTokens): void {
    checkRefreshToken(tokens)
    void this.#tokens.write(tokens.refreshToken)
  }

  enter(userId: string | null | undefined): void {
    this.#tokens.enter(userId)
  }

  /** Nothing: another tab may have logged in anew by now. What a token is worth, the server says when it is shown. */
  left(): void {}

  async tellEnd({ everywhere }: EndOptions): Promise<void> {
    const refreshToken = await this.#tokens.read()
    if (!refreshToken) return
    await this.#tokens.remove(refreshToken)
    const body = { refreshToken, ...(everywhere ? { everywhere } : {}) }
    await inTime(this.#platform, async (signal) =>
      checkEnded(this.#platform, await this.#send('logout', body, { signal, keepalive: true })),
    )
  }

  #send(path: string, body: { readonly refreshToken: string }, init: RequestInit): Promise<Response> {
    const { apiUrl = '', apiUrls, guestpassUrl } = this.#given
    const environment = body.refreshToken.includes('_refresh_live_') ? 'live' : 'test'
    const base = guestpassUrl ?? apiUrls?.[environment] ?? apiUrl
    const url = new URL(`${base.replace(/\/$/, '')}/v1/auth/${path}`, this.#platform.baseUrl)
    return this.#platform.fetch(
      new Request(url, {
        ...init,
        method: 'POST',
        headers: { Accept: 'application/json', 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
        cache: 'no-store',
        credentials: 'omit',
        redirect: 'error', // else the token would follow to wherever it points
      }),
    )
  }
}

function checkOptions({ apiUrl, apiUrls, guestpassUrl, storage }: BodyOptions): void {
  const problem =
    (storage as unknown) === 'sessionStorage'
      ? 'sessionStorage is copied with its tab, and a refresh token must not be: choose localStorage.'
      : !(guestpassUrl ?? apiUrl ?? apiUrls) && 'Give guestpassUrl: where is the refresh token sent?'
  if (problem) throw new SessionError('VALIDATION_ERROR', problem)
}

function checkRefreshToken({ refreshToken }: RenewableTokens): void {
  if (typeof refreshToken === 'string' && /^\w+_refresh_(test|live)_\w+$/.test(refreshToken)) return
  throw new SessionError('TOKEN_MALFORMED', 'There is no refreshToken.')
}

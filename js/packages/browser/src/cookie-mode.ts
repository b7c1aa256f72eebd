import { bodyOf, checkEnded, inTime, refusalOf } from './ask.js'
import { codeOf } from './fetch.js'
import { type AutomaticCommonOptions, type Platform, SessionError, type SessionTokenAnswer } from './index.js'
import type { EndOptions, Mode } from './mode.js'
import type { Exchange } from './rotation.js'

/** Cookie mode: the refresh token is in a cookie of the host's, which no script can read. */
export interface CookieOptions extends AutomaticCommonOptions {
  /**
   * Where the host's ready-made routes are, on the page's own origin: `/session` stands for `GET /session`,
   * `POST /session/refresh` and `POST /session/end`.
   */
  readonly sessionTokenUrl: string | URL
  readonly tokens?: undefined
}

/** The host's routes hold the refresh token, and this page what proves that it is the host's own. */
export class CookieMode implements Mode {
  readonly options: Mode['options']
  readonly #platform: Platform
  readonly #url: string | URL
  /** Of the session, so it outlives its tokens. */
  #csrf: string | undefined

  constructor(platform: Platform, { sessionTokenUrl, storage }: CookieOptions) {
    this.options = { platform, storage }
    this.#platform = platform
    this.#url = sessionTokenUrl
  }

  readonly exchange: Exchange = async (signal, sent) => {
    if (this.#csrf) {
      sent()
      // A page that is left meanwhile still gets the cookie: the next one will need it.
      const response = await this.#send('/refresh', { signal, keepalive: true }, this.#csrf)
      if (!(await isForAnother(response))) return this.#answerOf(response, signal)
      this.#csrf = undefined
    }
    return this.#answerOf(await this.#send('', { signal }), signal)
  }

  /** The browser takes the cookie even where the page has gone. */
  async isAnswerMissing(): Promise<boolean> {
    return false
  }

  keep(): never {
    throw new SessionError('VALIDATION_ERROR', 'In cookie mode the host logs in, and keeps the tokens.')
  }

  enter(): void {
    this.#csrf = undefined
  }

  left(): void {
    this.#csrf = undefined
  }

  tellEnd({ everywhere }: EndOptions): Promise<void> {
    if (everywhere)
      throw new SessionError('VALIDATION_ERROR', 'everywhere is for your backend: gp.auth.logout().')
    const known = this.#csrf
    return inTime(this.#platform, async (signal) => {
      const end = (csrf: string) => this.#send('/end', { signal, keepalive: true }, csrf)
      let response = known && (await end(known))
      if (!response || (await isForAnother(response))) {
        const csrf = await this.#csrfOf(signal)
        response = csrf && (await end(csrf))
      }
      if (response) await checkEnded(this.#platform, response, 'host')
    })
  }

  /** A tab that has its token from another one never heard it. */
  async #csrfOf(signal: AbortSignal): Promise<string | undefined> {
    const response = await this.#send('', { signal })
    await checkEnded(this.#platform, response, 'host')
    return response.ok ? csrfIn(await bodyOf(response)) : undefined
  }

  async #answerOf(response: Response, signal: AbortSignal): Promise<SessionTokenAnswer> {
    if (!response.ok) throw await refusalOf(this.#platform, response, 'host')
    const body = await bodyOf(response)
    signal.throwIfAborted() // the user has left meanwhile
    this.#csrf = csrfIn(body)
    return body as unknown as SessionTokenAnswer
  }

  #send(path: string, init: RequestInit, csrf?: string): Promise<Response> {
    const url = new URL(this.#url, this.#platform.baseUrl)
    url.pathname = url.pathname.replace(/\/$/, '') + path
    const headers = new Headers({ Accept: 'application/json' })
    if (csrf) headers.set('X-Guestpass-CSRF', csrf)
    const method = csrf ? 'POST' : 'GET'
    return this.#platform.fetch(
      new Request(url, { ...init, method, headers, cache: 'no-store', credentials: 'same-origin' }),
    )
  }
}

function csrfIn({ csrfToken }: Readonly<Record<string, unknown>>): string | undefined {
  return typeof csrfToken === 'string' && csrfToken ? csrfToken : undefined
}

/** The cookie is that of a newer session, perhaps somebody else's: the host knows. */
async function isForAnother(response: Response): Promise<boolean> {
  return response.status === 403 && (await codeOf(response)) === 'CSRF_FAILED'
}

import type { RenewableTokens } from '../src/refresh-client.js'
import type { TestWorld } from '../src/testing/index.js'
import { mintTestToken } from '../src/testing/token.js'

/** The server's grace, ms. */
export const GRACE_MS = 30_000

type Reply = () => Response

/**
 * A server with one renewable session, and a host whose routes keep its refresh token in a cookie. Tokens are
 * `gp_refresh_test_{session}x{generation}`.
 */
export class RenewableServer {
  readonly #world: TestWorld
  /** Refreshes that have arrived, by the token they showed. */
  readonly shown: string[] = []
  /** Bodies of logouts that have arrived. */
  readonly logouts: unknown[] = []
  /** Requests to the host's routes, like `POST /api/session/refresh`. */
  readonly asked: string[] = []
  /** Answers that are sent and never arrive. */
  loseAnswers = 0
  /** One was lost, and none has arrived since. */
  isMissing = false
  /** In place of the next refreshes' answers. */
  refuse: Reply | undefined
  /** How the session ended. */
  over: 'REVOKED' | 'REUSED' | 'EXPIRED' | undefined
  /** Seconds that access tokens live. */
  expiresIn = 900
  sub = 'ada'
  #session = 1
  #generation = 0
  #rotatedAt = Number.NEGATIVE_INFINITY
  #cookie: string | undefined

  constructor(world: TestWorld) {
    this.#world = world
    world.api.respond = (request) => this.#answer(request)
    world.endpoint.respond = (request) => this.#host(request)
  }

  /** What a login answers to the page's backend. A later one opens another session. */
  login(): RenewableTokens {
    if (this.#generation) this.#session++
    this.#generation = 1
    this.#rotatedAt = Number.NEGATIVE_INFINITY
    this.over = undefined
    return this.#pair()
  }

  get refreshToken(): string {
    return this.#token(this.#generation)
  }

  #token = (generation: number) => `gp_refresh_test_${this.#session}x${generation}`

  #accessToken(): string {
    const { clock } = this.#world
    const iat = Math.floor(clock.wall / 1000)
    const token = mintTestToken({ sub: this.sub, iat, expiresIn: this.expiresIn })
    return token.replace('gp_session_test_', '')
  }

  #pair(): RenewableTokens & { sessionId: string } {
    return {
      sessionId: `sess_${this.#session}`,
      accessToken: this.#accessToken(),
      accessTokenExpiresIn: this.expiresIn,
      refreshToken: this.refreshToken,
    }
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    if (pathname.startsWith('/api/session')) return this.#host(request)
    if (pathname === '/v1/auth/logout') return this.#logout(await request.json())
    if (pathname !== '/v1/auth/refresh') return Response.json({})
    return this.#refresh((await request.json()).refreshToken)
  }

  #logout(body: { readonly refreshToken?: string }): Response {
    this.logouts.push(body)
    const isEarlier = body.refreshToken && !body.refreshToken.includes(`_${this.#session}x`)
    if (isEarlier) return Response.json({ tokensRevoked: 0 })
    const tokensRevoked = this.over ? 0 : 1
    this.over ??= 'REVOKED'
    return Response.json({ tokensRevoked })
  }

  #refresh(token: string): Response {
    this.shown.push(token)
    if (this.refuse) return this.refuse()
    const { clock } = this.#world
    const now = clock.wall
    const again = token === this.#token(this.#generation - 1) && now - this.#rotatedAt <= GRACE_MS
    if (token === this.refreshToken && !this.over) {
      this.#generation++
      this.#rotatedAt = now
    } else if (!again) this.over ??= 'REUSED'
    if (this.over) return Response.json({ code: `REFRESH_TOKEN_${this.over}` }, { status: 401 })
    return this.#arrives(Response.json(this.#pair()))
  }

  #arrives(response: Response): Response {
    this.isMissing = this.loseAnswers-- > 0
    if (this.isMissing) throw new TypeError('Failed to fetch')
    this.loseAnswers = 0
    return response
  }

  #host(request: Request): Response {
    const { pathname } = new URL(request.url)
    this.asked.push(`${request.method} ${pathname}`)
    const { user } = this.#world.endpoint
    if (!user) return Response.json({ code: 'UNAUTHORIZED' }, { status: 401 })
    if (pathname === '/api/session') {
      if (this.refuse) return this.refuse()
      if (this.over || !this.#cookie) this.login()
      this.#cookie ??= this.refreshToken
      return this.#session200()
    }
    if (request.headers.get('X-Guestpass-CSRF') !== `csrf of ${this.#session}`)
      return Response.json({ code: 'CSRF_FAILED' }, { status: 403 })
    if (pathname === '/api/session/end') {
      this.#cookie = undefined
      return this.#logout({})
    }
    const response = this.#refresh(this.#cookie ?? '')
    if (!response.ok) return response
    this.#cookie = this.refreshToken
    return this.#session200()
  }

  #session200(): Response {
    const { expiresIn } = this
    const csrfToken = `csrf of ${this.#session}`
    return Response.json({ sessionToken: this.#accessToken(), expiresIn, csrfToken })
  }
}

// Loaded when needed: values of the core come through the ports, so that an import cannot split the core in two.
import type { Current } from './current.js'
import type { SessionError } from './errors.js'
import type { CommonOptions } from './options.js'
import type { Platform } from './platform.js'
import type { SignedOutReason } from './state.js'
import type { claimsOf } from './token.js'

/** At most one token is fetched because an API refused the last one in this time, ms. */
export const RENEWAL_PAUSE_MS = 10_000

/** What sending needs of the client. */
export interface SendPorts {
  readonly platform: Platform
  readonly current: Current
  readonly options: CommonOptions
  readonly claimsOf: typeof claimsOf
  readonly SessionError: typeof SessionError
  getToken(options?: { readonly skipCache?: boolean }): Promise<string>
  ended(reason: SignedOutReason): void
}

/** Where a request goes, and the token it may carry there. */
export interface Target {
  readonly url: string
  /** Undefined when that is not the API's origin. */
  readonly token?: string
}

/** Attaches the token to the API's requests, and to no others. */
export class Sender {
  readonly #ports: SendPorts
  /** Tokens that requests of this session have carried. */
  readonly #carried = new Set<string>()
  #era = 0
  #renewal: Promise<string> | undefined
  #renewed: string | undefined
  #renewedAt = Number.NEGATIVE_INFINITY
  #warned = false

  constructor(ports: SendPorts) {
    this.#ports = ports
  }

  readonly fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const { platform } = this.#ports
    const given = input instanceof Request
    const { url, token } = await this.target(given ? input.url : input)
    const request = new Request(given ? input : url, init)
    if (!token || request.headers.has('Authorization')) return platform.fetch(request)
    const send = (credential: string) => {
      const copy = request.clone() // a body can be read once, and there may be a second try
      copy.headers.set('Authorization', `Bearer ${credential}`)
      return platform.fetch(copy)
    }
    const response = await send(token)
    const renewed = await this.renewRefused(token, response)
    return renewed ? send(renewed) : response
  }

  readonly target = async (input: string | URL): Promise<Target> => {
    const { platform, current, options, getToken, claimsOf, SessionError } = this.#ports
    const { baseUrl } = platform
    const { apiUrl = baseUrl ?? '', apiUrls } = options
    const { test, live } = apiUrls ?? { test: apiUrl, live: apiUrl }
    const originOf = (url: string | URL) => new URL(url, baseUrl).origin
    if (URL.canParse(input) && ![test, live].map(originOf).includes(originOf(input))) return this.#bare(input)
    const token = await getToken()
    // The prefix decides, else the claim.
    const environment = /^[\w-]+?_session_(test|live)_/.exec(token)?.[1] ?? claimsOf(token).environment
    if (apiUrls && environment !== 'test' && environment !== 'live') {
      throw new SessionError(
        'TOKEN_ENVIRONMENT_MISMATCH',
        'The token names no environment to choose an API by.',
      )
    }
    const base = new URL(environment === 'live' ? live : test, baseUrl)
    const url = new URL(input, base)
    if (url.origin !== base.origin) return this.#bare(url)
    if (this.#era !== current.era) this.#carried.clear()
    this.#era = current.era
    this.#carried.add(token)
    return { url: url.href, token }
  }

  readonly renewRefused = async (token: string, response: Response): Promise<string | undefined> => {
    const { platform, current, getToken, ended } = this.#ports
    const { era } = current
    // What one user asked for must not be done in the name of the next.
    if (response.status !== 401 || era !== this.#era || !this.#carried.has(token)) return undefined
    const isCurrent = current.held?.sessionToken === token
    if (response.headers.get('Guestpass-Retry') !== 'token') {
      // A 401 may be about anything else; only these codes speak of the session itself.
      const code = isCurrent && (await codeOf(response))
      const { held } = current
      if (held?.sessionToken !== token) return undefined // reading took time
      if (code === 'TOKEN_REVOKED') ended('revoked') // for good
      if (code === 'SESSION_SUSPENDED' && !held.suspended) current.issue({ ...held, suspended: true })
      return undefined
    }
    if (isCurrent && platform.monotonic() - this.#renewedAt >= RENEWAL_PAUSE_MS) {
      this.#renewedAt = platform.monotonic()
      this.#renewed = token
      this.#renewal = getToken({ skipCache: true })
    } else if (isCurrent && this.#renewed !== token) return undefined
    const renewed = await (isCurrent ? this.#renewal : getToken())?.catch(() => undefined) // the state tells why not
    return era === current.era ? renewed : undefined
  }

  #bare(url: string | URL): Target {
    if (!this.#warned)
      this.#ports.platform.warn(`Guestpass: no token goes to ${new URL(url).origin}, only to apiUrl.`)
    this.#warned = true
    return { url: `${url}` }
  }
}

/** The code of a refusal in the contract's shape; the body can be read again. */
export async function codeOf(response: Response): Promise<unknown> {
  try {
    return (await response.clone().json()).code
  } catch {
    return undefined
  }
}

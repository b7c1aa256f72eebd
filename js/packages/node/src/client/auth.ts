import { inspect } from 'node:util'
import { RequestError } from '../errors.js'
import { fields, type Wire, withDates } from './codec.js'
import type {
  AccessToken,
  Anomaly,
  ListAnomaliesParams,
  LoginParams,
  Logout,
  LogoutParams,
  TokenPair,
} from './model.js'
import { Paged } from './paged.js'
import type { CallOptions, Transport } from './transport.js'

/** The service repeats the answer of a refresh for 30 s: room for three tries with what they wait between them. */
const GRACE = { seconds: 30, trySeconds: 8 } as const
const NO_TOKEN = ''

/** `gp.auth`: renewable sessions, whose short access tokens a refresh token renews. */
export class Auth {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /**
   * Opens a renewable session for a user whom your backend has authenticated; suspended ones of the same user end.
   *
   * @throws RequestError (`VALIDATION_ERROR`, `INVALID_NOT_BEFORE`), CallerError (`FORBIDDEN`, `CUSTOMER_BLOCKED`),
   * ServiceError.
   */
  async login(params: LoginParams, options?: CallOptions): Promise<TokenPair> {
    const path = '/v1/auth/login'
    const body = fields(params)
    return pairOf(await this.#transport.send({ method: 'POST', path, body, changes: true, options }))
  }

  /**
   * Uses a refresh token; it is answered with its successor and an access token. Trying again after a lost answer is
   * safe for 30 s, so a try takes at most 8 s and none is made that could come later. Your API key is not sent.
   *
   * @throws RefreshTokenError: `REFRESH_TOKEN_INVALID`, `_EXPIRED`, `_REVOKED`, or `_REUSED` where the token was used
   * before, which has ended the session; CallerError (`CUSTOMER_BLOCKED`).
   */
  async refresh(params: { refreshToken: string }, options?: CallOptions): Promise<TokenPair> {
    const path = '/v1/auth/refresh'
    const body = { refreshToken: params.refreshToken }
    const call = { method: 'POST', path, body, grace: GRACE, token: NO_TOKEN, options } as const
    return pairOf(await this.#transport.send(call))
  }

  /**
   * An access token of the session `sess_…`, by your API key. Nothing is rotated, and no end moves.
   *
   * @throws RequestError (`NOT_FOUND`), RefreshTokenError (`REFRESH_TOKEN_EXPIRED`, `REFRESH_TOKEN_REVOKED`) where it
   * has ended, TokenError (`SESSION_SUSPENDED`).
   */
  async accessToken(params: { sessionId: string }, options?: CallOptions): Promise<AccessToken> {
    const path = '/v1/auth/refresh'
    const body = { sessionId: params.sessionId }
    const answer = await this.#transport.send({ method: 'POST', path, body, options })
    return hidden(withDates<AccessToken>(answer, ['accessTokenExpiresAt']))
  }

  /**
   * Ends the session of a token; with `everywhere`, every session of its user, fixed and renewable.
   *
   * @throws RequestError where not exactly one of the three has a value: an `undefined` must end nothing else than was
   * meant; RefreshTokenError, TokenError.
   */
  async logout(params: LogoutParams, options?: CallOptions): Promise<Logout> {
    const { accessToken, ...others } = fields(params)
    const named = ['refreshToken', 'accessToken', 'externalUserId'] as const
    const [which, ...more] = named.filter((name) => (params as Wire)[name] !== undefined)
    if (which === undefined || more.length > 0)
      throw new RequestError('VALIDATION_ERROR', `auth.logout() needs exactly one of ${named.join(', ')}.`)
    if (which === 'externalUserId' && others.everywhere !== true)
      throw new RequestError('VALIDATION_ERROR', 'auth.logout() by externalUserId needs everywhere: true.')
    // Only the key's own call can be told apart from its repetition; a token that has ended stays ended.
    const proof = which === 'externalUserId' ? { changes: true } : { token: `${accessToken ?? NO_TOKEN}` }
    const call = { method: 'POST', path: '/v1/auth/logout', body: others, ...proof, options } as const
    return withDates<Logout>(await this.#transport.send(call), [])
  }

  /** Refreshes that were odd, the newest first: `for await (const anomaly of gp.auth.anomalies())`. */
  anomalies(params: ListAnomaliesParams = {}, options?: CallOptions): AnomalyList {
    const path = '/v1/auth/anomalies'
    return new AnomalyList(this.#transport, { path, params: { ...params }, options, read: anomalyOf })
  }
}

/** Odd refreshes, page by page: `for await`. */
export class AnomalyList extends Paged<Anomaly> {}

function anomalyOf(wire: unknown): Anomaly {
  return withDates<Anomaly>(wire, ['at'])
}

function pairOf(answer: unknown): TokenPair {
  return hidden(withDates<TokenPair>(answer, ['accessTokenExpiresAt', 'refreshTokenExpiresAt']))
}

/** `console.log` must not write a credential into a log; JSON keeps it, since it may be meant for a page. */
function hidden<T extends AccessToken>(tokens: T): T {
  const shown: Wire = Object.fromEntries(
    Object.entries(tokens).map(([name, value]) => [name, /Token$/.test(name) ? '[hidden]' : value]),
  )
  return Object.defineProperty(tokens, inspect.custom, { value: () => shown })
}

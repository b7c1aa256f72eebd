import { BodyMode, type BodyOptions } from './body-mode.js'
import { CookieMode, type CookieOptions } from './cookie-mode.js'
import { createSessionClient, type SessionClient, type SessionTokenAnswer } from './index.js'
import { type EndOptions, type RenewableTokens, sessionTokenOf } from './mode.js'
import { browserPlatform } from './platform.js'
import { Rotation } from './rotation.js'

export type { BodyOptions } from './body-mode.js'
export type { CookieOptions } from './cookie-mode.js'
export type { EndOptions, RenewableTokens } from './mode.js'

/** Either mode: the page holds the refresh token, or a cookie of the host does. */
export type RefreshClientOptions = BodyOptions | CookieOptions

/** A session client whose session is renewable, and is over on the server too when it is ended. */
export interface RefreshClient extends SessionClient {
  /**
   * Log out: here and in this user's other tabs at once, then on the server.
   *
   * @throws SessionError `UNAVAILABLE` or `RATE_LIMITED` when the server could not be told: the session then goes on
   * there, though no tab uses it. `VALIDATION_ERROR` for `everywhere` in cookie mode.
   */
  end(options?: EndOptions): Promise<void>
  /**
   * Body mode: the tokens of a new login take the place of the present ones, also after a sign-out.
   *
   * @throws SessionError for tokens that are none; `VALIDATION_ERROR` in cookie mode, where the host keeps them.
   */
  setTokens(tokens: RenewableTokens): void
}

/**
 * Make a client of a renewable session: `createSessionClient` with the same states, tabs and clocks, which gets its
 * tokens by refreshing.
 *
 * @throws SessionError `VALIDATION_ERROR` for options that could never work, and as `setTokens` for `tokens`.
 */
export function createRefreshClient(options: RefreshClientOptions): RefreshClient {
  const platform = options.platform ?? browserPlatform()
  const mode =
    options.sessionTokenUrl === undefined
      ? new BodyMode(platform, options)
      : new CookieMode(platform, options)
  const deliver = (answer: SessionTokenAnswer) => {
    if (client.getState().status !== 'signedOut') client.setSessionToken(answer)
  }
  const rotation = new Rotation(platform, mode.exchange, deliver)
  const client = createSessionClient({
    ...options,
    ...mode.options,
    sessionTokenUrl: undefined,
    fetchToken: () => rotation.run(),
  })
  client.on('ended', () => {
    rotation.stop()
    mode.left()
  })
  const setTokens = (tokens: RenewableTokens) => {
    mode.keep(tokens)
    client.setSessionToken(sessionTokenOf(tokens))
    rotation.stop()
  }
  let { userId } = options
  if (options.tokens && userId !== null) setTokens(options.tokens)
  /** Or nobody would ask before the present access token ends, and that is too late. */
  const makeUpForLost = async () => {
    if (await mode.isAnswerMissing()) deliver(await rotation.run())
  }
  return {
    ...client,
    setTokens,
    start: () => {
      makeUpForLost().catch(() => {}) // whoever needs the token is told
      return client.start()
    },
    setUserId: (next) => {
      if (next === userId) return
      userId = next
      rotation.stop()
      mode.enter(next)
      client.setUserId(next)
    },
    end: async (how = {}) => {
      const told = mode.tellEnd(how)
      client.end()
      await told
    },
  }
}

import type { AutomaticCommonOptions, SessionTokenAnswer } from './index.js'
import type { Exchange } from './rotation.js'

/** What a login answers: hand `gp.auth.login()`'s result to the page as it is. */
export interface RenewableTokens {
  readonly accessToken: string
  /** Seconds the access token still lives. Preferred: it needs no clock of ours to be right. */
  readonly accessTokenExpiresIn?: number | undefined
  /** RFC 3339 text or a `Date`; for an access token that is no JWT and comes without `accessTokenExpiresIn`. */
  readonly accessTokenExpiresAt?: string | Date | undefined
  readonly refreshToken: string
}

/** How a session ends. */
export interface EndOptions {
  /** All sessions of this user, on every device; only where the page holds the refresh token. */
  readonly everywhere?: boolean | undefined
}

/** Where the refresh token is, and how it is used: all that the two modes do differently. */
export interface Mode {
  /** Options of the session client that depend on the mode. */
  readonly options: Pick<AutomaticCommonOptions, 'platform' | 'storage'>
  readonly exchange: Exchange
  /** Whether a page that was left has asked, and the server would still repeat what it answered. */
  isAnswerMissing(): Promise<boolean>
  /** Keep the tokens of a new login. */
  keep(tokens: RenewableTokens): void
  /** Another user's page from now on. */
  enter(userId: string | null | undefined): void
  /** The session is over in this tab. */
  left(): void
  /** Tell the server. Throws at once what can never work; what it needs is read before it returns. */
  tellEnd(how: EndOptions): Promise<void>
}

/** An access token as the session client takes it. */
export function sessionTokenOf(tokens: RenewableTokens): SessionTokenAnswer {
  const { accessToken, accessTokenExpiresIn, accessTokenExpiresAt } = tokens
  return { sessionToken: accessToken, expiresIn: accessTokenExpiresIn, expiresAt: accessTokenExpiresAt }
}

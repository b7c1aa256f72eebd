export {
  createSessionClient,
  type GetTokenOptions,
  type SessionClient,
  type SessionEventOf,
} from './client.js'
export { SessionError, type SessionErrorCode } from './errors.js'
export type { Target } from './fetch.js'
export type {
  AutomaticCommonOptions,
  AutomaticOptions,
  CommonOptions,
  Expiring,
  ManualOptions,
  SessionClientOptions,
} from './options.js'
export type { PageEvent, Platform, Timer } from './platform.js'
export type { Session, SessionEvent, SessionState, SignedOutReason } from './state.js'
export type { Channel, Locks, TabPlatform, TokenStorage } from './tabs.js'
export {
  decodeToken,
  type Environment,
  isExpired,
  type SessionTokenAnswer,
  secondsLeft,
  type TokenClaims,
} from './token.js'

export type { ApiKeyList, ApiKeys } from './client/api-keys.js'
export type { AuditEventList, AuditEvents } from './client/audit-events.js'
export type { AnomalyList, Auth } from './client/auth.js'
export { Guestpass } from './client/guestpass.js'
export type * from './client/model.js'
export type { Paged } from './client/paged.js'
export type { Customers, SessionList, Sessions, SessionTokens, Tokens, Users } from './client/resources.js'
export type { GuestpassOptions } from './client/settings.js'
export { canonicalText, type SignedParts, signatureOf } from './client/signing.js'
export type { CallOptions } from './client/transport.js'
export {
  type AnyErrorCode,
  asksForANewToken,
  CallerError,
  type ErrorCode,
  type ErrorDetail,
  type ErrorInit,
  GuestpassError,
  OperationNotAllowed,
  RefreshTokenError,
  RequestError,
  ServiceError,
  TokenError,
  type TokenErrorCode,
} from './errors.js'
export {
  type Refusal,
  type RequireSessionOptions,
  requireSession,
  type SessionMiddleware,
  sessionOf,
} from './http/require-session.js'
export {
  type SessionRoute,
  type SessionRouteOptions,
  type SessionUser,
  sessionRoute,
} from './http/session-route.js'
export {
  type LoginUser,
  type SessionRoutes,
  type SessionRoutesOptions,
  sessionRoutes,
} from './http/session-routes.js'
export type { AsymmetricAlgorithm } from './verify/keys.js'
export { Session } from './verify/session.js'
export { Verifier, type VerifierOptions, type VerifyOptions } from './verify/verifier.js'

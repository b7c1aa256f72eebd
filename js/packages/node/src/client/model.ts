/** What the service takes and answers. Times of answers are `Date`s; fields of newer servers are kept. */

export type Environment = 'test' | 'live'
/** Later servers may add words. */
export type SessionStatus = 'scheduled' | 'active' | 'expired' | 'revoked' | 'suspended' | (string & {})

/** Whose session it is, and what it may do. `undefined` is the same as not given. */
export interface LoginParams {
  /** Your own id of the user: 1 to 255 characters. */
  externalUserId: string
  /** Binds an imported customer on first use, when it is verified. */
  email?: string | undefined
  /** That you checked that the user owns `email`. */
  emailVerified?: boolean | undefined
  /** 1 to 255 characters. */
  externalOrganizationId?: string | undefined
  /** When its life begins: at most 60 s past, and before its end. Text is RFC 3339. */
  notBefore?: Date | string | undefined
  /** Not given: all that your key may. Empty: none. At most 64 names, 1 024 bytes together. */
  allowedOperations?: readonly string[] | undefined
  /** At most 16 KiB of JSON; shown to you, never inside a token. */
  metadata?: Readonly<Record<string, unknown>> | undefined
}

/** What a new session token may be given. `undefined` is the same as not given. */
export interface CreateSessionTokenParams extends LoginParams {
  /** Whole seconds from issue: 60 to 86 400; 3 600 when not given. */
  expiresIn?: number | undefined
  /** `jwt` (default), or `opaque` for a token that only the service can read. */
  format?: 'jwt' | 'opaque' | undefined
  /** How often it may be used: 1 or more. */
  maxUses?: number | undefined
}

/** A session that was just opened, with its token: answered once and never again. `util.inspect` hides the token. */
export interface SessionToken {
  /** The session, `sess_…`: what `revokeSessionToken` takes. */
  readonly id: string
  /** The credential for the browser. */
  readonly sessionToken: string
  readonly expiresAt: Date
  /** Seconds from issue to end. Schedule on this, not on `expiresAt`, where clocks may differ. */
  readonly expiresIn: number
  readonly issuedAt: Date
  readonly environment: Environment
  readonly externalUserId: string
  /** Sorted names; `['*']` is unrestricted, `[]` is none. */
  readonly allowedOperations: readonly string[]
  /** Asked for, but beyond what the API key may give. */
  readonly deniedOperations?: readonly string[]
  readonly externalOrganizationId?: string
  readonly notBefore?: Date
  /** Imported customers that still wait for their first session; absent when none do. */
  readonly unresolvedCustomers?: number
}

/** An access token of a renewable session. `util.inspect` hides it. */
export interface AccessToken {
  readonly accessToken: string
  readonly accessTokenExpiresAt: Date
  /** Seconds from issue to end. Schedule on this where clocks may differ. */
  readonly accessTokenExpiresIn: number
  /** Of `auth.accessToken`: true where the session is suspended. */
  readonly suspended?: boolean
}

/** The tokens of a renewable session, each answered once: of a login, or of a refresh. `util.inspect` hides them. */
export interface TokenPair extends AccessToken {
  /** `sess_…`: what `auth.accessToken` and `sessions.revoke` take. */
  readonly sessionId: string
  /** For the next `auth.refresh`, once. */
  readonly refreshToken: string
  /** When the session ends, unless it is refreshed before. */
  readonly refreshTokenExpiresAt: Date
}

/** Which session to end: exactly one of three. */
export type LogoutParams =
  /** An older refresh token of the session ends it too, but never `everywhere`. */
  | { refreshToken: string; everywhere?: boolean | undefined }
  /** So does an expired access token. */
  | { accessToken: string; everywhere?: boolean | undefined }
  /** Your API key says whose sessions end. */
  | { externalUserId: string; everywhere: true }

/** How many living sessions ended; exact to 10 000, null above. */
export interface Logout {
  readonly tokensRevoked: number | null
}

/** An act that matters for security. Later servers may add words to `action`. */
export interface AuditEvent {
  readonly id: string
  readonly action: string
  /** The id of the API key, `command line`, `system`, `restore`, or `session`: its own token. */
  readonly actor: string
  /** Ids of what it was done to. */
  readonly targets: readonly string[]
  readonly at: Date
  readonly requestId: string | null
  readonly detail: Readonly<Record<string, unknown>>
  /** What names a person, by field; `null` once it was erased. */
  readonly personal: Readonly<Record<string, string>> | null
}

export interface ListAuditEventsParams {
  /** Like `session.revoked`. */
  action?: string | undefined
  /** An id that an event names. */
  target?: string | undefined
  /** Events in one page: 1 to 100, 20 by default. */
  limit?: number | undefined
}

/** Later servers may add words. */
export type AnomalyKind = 'reuse' | 'rate' | 'origin' | 'pause' | (string & {})
/** Later servers may add words. */
export type AnomalyOutcome = 'recorded' | 'suspended' | 'revoked' | (string & {})

/** A refresh that was odd. */
export interface Anomaly {
  readonly id: string
  /** `reuse`: an old token; `rate`: over 10 in 60 s; `origin`: network and agent changed at once; `pause`: after 72 h. */
  readonly kind: AnomalyKind
  readonly at: Date
  readonly sessionId: string
  /** Null once the session was purged, as `externalUserId`. */
  readonly customerId: string | null
  readonly externalUserId: string | null
  /** What was done. */
  readonly outcome: AnomalyOutcome
  /** By what it was seen; each kind has fields of its own. */
  readonly evidence: Readonly<Record<string, unknown>>
}

export interface ListAnomaliesParams {
  /** Anomalies in one page: 1 to 100, 20 by default. */
  limit?: number | undefined
}

/** A session that is over. Revoking again answers the same. */
export interface RevokedSessionToken {
  readonly id: string
  readonly revokedAt: Date
}

/** One session as its host sees it; never a token. */
export interface SessionDetails {
  readonly id: string
  readonly environment: Environment
  readonly status: SessionStatus
  readonly renewable: boolean
  readonly format: 'jwt' | 'opaque'
  /** `cust_…`: what `customers.block` takes. */
  readonly customerId?: string
  readonly externalUserId: string
  readonly externalOrganizationId: string | null
  readonly allowedOperations: readonly string[]
  /** As it was sent at the mint; some answers leave it out. */
  readonly metadata?: Readonly<Record<string, unknown>> | null
  readonly apiKeyId: string | null
  readonly issuedAt: Date
  readonly notBefore: Date | null
  readonly expiresAt: Date
  readonly lastRefreshedAt: Date | null
  readonly revokedAt: Date | null
  readonly revokedBy: string | null
}

export interface ListSessionsParams {
  externalUserId?: string | undefined
  externalOrganizationId?: string | undefined
  status?: SessionStatus | undefined
  /** Sessions in one page: 1 to 100, 20 by default. */
  limit?: number | undefined
}

/** One page of a list; `nextCursor` is null on the last. */
export interface Page<T> {
  readonly data: readonly T[]
  readonly nextCursor: string | null
}

interface RevokeSessionsCommon {
  /** Only what was issued before; not in the future. Text is RFC 3339. */
  issuedBefore?: Date | string | undefined
  /** Whether the browsers of these users may fetch a new token at once; false by default. */
  reissue?: boolean | undefined
}
/** Which sessions to end: exactly one of five. */
export type RevokeSessionsParams = RevokeSessionsCommon &
  (
    | { id: string }
    | { externalUserId: string }
    | { externalOrganizationId: string }
    | { apiKeyId: string }
    | { all: true }
  )

/** A bulk revoke that is done: whatever was minted before `before` is dead. */
export interface Revocation {
  /** How many living sessions ended; exact to 10 000, null above. */
  readonly revoked: number | null
  readonly before: Date
}

export interface RevokeUserParams {
  externalUserId: string
  /** Whether to refuse new sessions too, until unblocked; false by default. */
  block?: boolean | undefined
}

export interface UserRevocation extends Revocation {
  readonly blocked: boolean
  /** `cust_…`, for `customers.unblock`. */
  readonly customerId: string
}

/** While a customer is blocked, no session can be opened for them. */
export interface CustomerBlock {
  readonly id: string
  readonly blocked: boolean
  /** How many living sessions a block ended; exact to 10 000, null above. */
  readonly revoked?: number | null
  /** Whatever was minted for the customer before is dead. */
  readonly before?: Date
}

export interface VerifyTokenParams {
  token: string
  /** Also check that the token allows this operation. */
  operation?: string | undefined
}

/** The verdict on one token. It is an object, so always truthy: look at `valid`. */
export interface Verification {
  readonly valid: boolean
  /** Why not; absent when valid. */
  readonly code?: string
  /** Absent until the signature holds. */
  readonly session?: VerifiedSession
  /** The ordered checklist; `passed` is null where it was not reached. */
  readonly checks: readonly {
    readonly check: string
    readonly passed: boolean | null
    readonly detail?: string
  }[]
}

export type VerifiedSession = Pick<SessionDetails, 'id' | 'externalUserId'> & Partial<SessionDetails>

/** Later servers may add words. */
export type ApiKeyCan = 'mint' | 'read' | 'revoke' | 'verify' | 'manage' | (string & {})

interface ApiKeyBounds {
  /** What it may call. */
  can?: readonly ApiKeyCan[] | undefined
  /** The most that its tokens may do; `['*']` is everything. */
  operations?: readonly string[] | undefined
  /** Networks that it may be used from, like `10.0.0.0/8`; `null` is anywhere. */
  ipRanges?: readonly string[] | null | undefined
  /** From then on it works no more; `null` is never. Text is RFC 3339. */
  expiresAt?: Date | string | null | undefined
}

/** A new API key. A bound that is not given is as your own key's. */
export interface CreateApiKeyParams extends ApiKeyBounds {
  /** For people. */
  name: string
  /** Whether requests may be signed with it; its secret is then kept, sealed. */
  signing?: boolean | undefined
}

/** What is not given stays as it is. */
export interface EditApiKeyParams extends ApiKeyBounds {
  name?: string | undefined
}

export interface RotateApiKeyParams {
  /** How long older secrets work on: 0 to 604 800, by default 86 400. */
  overlapSeconds?: number | undefined
}

export interface RevokeApiKeyParams {
  /** Whether the sessions that it minted live on; false by default. */
  keepSessions?: boolean | undefined
}

export interface ListApiKeysParams {
  /** Keys in one page: 1 to 100, 20 by default. */
  limit?: number | undefined
}

/** One API key; never its secret. */
export interface ApiKey {
  readonly id: string
  readonly name: string
  readonly environment: Environment
  readonly projectId: string
  readonly can: readonly ApiKeyCan[]
  readonly operations: readonly string[]
  readonly ipRanges: readonly string[] | null
  readonly signing: boolean
  readonly createdAt: Date
  readonly expiresAt: Date | null
  /** To the minute, and up to a minute late. */
  readonly lastUsedAt: Date | null
  readonly revokedAt: Date | null
  /** Those that work, the newest first; `endsAt` is null of the newest. None when the key has ended. */
  readonly secrets: readonly { readonly createdAt: Date; readonly endsAt: Date | null }[]
}

/** An API key with its newest secret: answered once and never again. `util.inspect` hides the secret. */
export interface NewApiKey extends ApiKey {
  readonly secret: string
}

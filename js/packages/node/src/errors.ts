/**
 * Every error a user of this package can meet: one stable code each, with its HTTP status.
 *
 *     GuestpassError
 *     ├── RequestError          what was sent cannot be accepted (400, 404, 405, 409, 413, 415)
 *     ├── CallerError           who called (401, 403)
 *     ├── TokenError            the token that was shown (401)
 *     ├── OperationNotAllowed   the token is good, the operation is not in it (403)
 *     ├── RefreshTokenError     the refresh token that was shown (401)
 *     └── ServiceError          the service's side, or the way to it (429, 500, 503)
 *
 * A code never changes its meaning. A code that this version does not know keeps its text in `code`
 * and takes its class from the status.
 */

type Row = readonly [status: number, meaning: string]

const REQUEST = {
  VALIDATION_ERROR: [400, 'The request has a field that breaks a rule; details name it.'],
  INVALID_EXPIRATION: [400, 'The life asked for is not whole seconds within the allowed range.'],
  INVALID_NOT_BEFORE: [400, 'The start asked for is too far in the past, or not before the end.'],
  NOT_FOUND: [404, 'There is nothing here, or it is not yours.'],
  METHOD_NOT_ALLOWED: [405, 'This address exists, but not with this method; Allow names the methods.'],
  CONFLICT: [409, 'The thing is not in a state that allows this.'],
  IDEMPOTENCY_CONFLICT: [409, 'This Idempotency-Key was used with another body.'],
  PAYLOAD_TOO_LARGE: [413, 'The body is over 64 KiB.'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'Send the body as JSON, with the header Content-Type: application/json.'],
} as const

const CALLER = {
  UNAUTHORIZED: [401, 'No API key was sent, or it is not one that works here.'],
  REQUEST_REPLAYED: [401, 'This signed request was already accepted once; send X-API-Nonce.'],
  FORBIDDEN: [403, 'The API key is good, but it may not do this.'],
  CUSTOMER_BLOCKED: [403, 'The customer is blocked; unblock before minting.'],
  CSRF_FAILED: [403, 'The request did not prove that it came from the page that owns the cookie.'],
} as const

const TOKEN = {
  TOKEN_MISSING: [401, 'No token was sent; send Authorization: Bearer <token>.'],
  TOKEN_MALFORMED: [401, 'This is not a token of ours: its shape is wrong.'],
  TOKEN_ENVIRONMENT_MISMATCH: [401, 'A test token met a live service, or the reverse.'],
  TOKEN_ALGORITHM_REFUSED: [
    401,
    'The token names an algorithm that this verifier does not use with this key.',
  ],
  TOKEN_KEY_UNKNOWN: [401, 'The token names a signing key that the issuer does not publish (any more).'],
  TOKEN_SIGNATURE_INVALID: [
    401,
    'The signature does not fit the token: it was changed, or made by someone else.',
  ],
  TOKEN_TYPE_MISMATCH: [401, 'This kind of token is not accepted here.'],
  TOKEN_ISSUER_MISMATCH: [401, 'The token comes from another issuer.'],
  TOKEN_AUDIENCE_MISMATCH: [401, 'The token was made for another audience.'],
  TOKEN_DESTINATION_MISMATCH: [401, 'The script token was made for another host.'],
  TOKEN_PROJECT_MISMATCH: [401, 'The token belongs to another project.'],
  TOKEN_EXPIRED: [401, "The token's life is over."],
  TOKEN_NOT_YET_VALID: [401, "The token's life has not begun."],
  TOKEN_TOO_OLD: [401, 'The token is good, but older than this call allows.'],
  TOKEN_REVOKED: [401, 'The session was ended before its time.'],
  TOKEN_REPLAYED: [401, 'The token was already used as often as it may be.'],
  SESSION_SUSPENDED: [401, 'The session is suspended; only the operations named in discovery go on.'],
} as const

const OPERATION = {
  OPERATION_NOT_ALLOWED: [403, 'The token does not allow this operation.'],
} as const

const REFRESH = {
  REFRESH_TOKEN_INVALID: [401, 'This is not a refresh token that this server knows.'],
  REFRESH_TOKEN_EXPIRED: [401, "The refresh token's life is over; sign in again."],
  REFRESH_TOKEN_REVOKED: [401, 'The session was ended; sign in again.'],
  REFRESH_TOKEN_REUSED: [
    401,
    'An old refresh token was used again; the session was ended, since it may be stolen.',
  ],
} as const

const SERVICE = {
  RATE_LIMITED: [
    429,
    'Too many failed credentials, mints or requests within a minute; wait for Retry-After seconds.',
  ],
  JWT_CONFIGURATION_ERROR: [500, 'The server has no usable signing key or issuer.'],
  INTERNAL_ERROR: [500, 'Something broke on the server; the log has it under this requestId.'],
  UNAVAILABLE: [503, 'The service cannot be reached or cannot answer just now; try again later.'],
} as const

const TABLE: Readonly<Record<string, Row>> = {
  ...REQUEST,
  ...CALLER,
  ...TOKEN,
  ...OPERATION,
  ...REFRESH,
  ...SERVICE,
}

export type TokenErrorCode = keyof typeof TOKEN
/** Every code of the contract. */
export type ErrorCode =
  | keyof typeof REQUEST
  | keyof typeof CALLER
  | keyof typeof TOKEN
  | keyof typeof OPERATION
  | keyof typeof REFRESH
  | keyof typeof SERVICE
/** A code of the contract, or one that a newer server has. */
export type AnyErrorCode = ErrorCode | (string & {})

/** One field that broke one rule: `path` like `allowedOperations[0]`, and the rule in words. */
export interface ErrorDetail {
  readonly path: string
  readonly message: string
}

export interface ErrorInit {
  /** HTTP status; by default the one that the code has in the contract. */
  status?: number | undefined
  details?: readonly ErrorDetail[] | undefined
  docUrl?: string | undefined
  /** The `X-Request-Id` of the answer, for support. */
  requestId?: string | undefined
  /** Whole seconds, from `Retry-After`. */
  retryAfterSeconds?: number | undefined
  cause?: unknown
}

/** Root of all errors of this package. `message` is public: never a credential, and nothing of a token. */
export class GuestpassError extends Error {
  override readonly name: string = 'GuestpassError'
  readonly code: AnyErrorCode
  readonly status: number
  readonly details: readonly ErrorDetail[]
  readonly docUrl: string | undefined
  readonly requestId: string | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(code: AnyErrorCode, message?: string, init: ErrorInit = {}) {
    const row = rowOf(code)
    super(message || row?.[1] || code, init.cause === undefined ? undefined : { cause: init.cause })
    this.code = code
    this.status = init.status ?? row?.[0] ?? 500
    this.details = init.details ?? []
    this.docUrl = init.docUrl
    this.requestId = init.requestId
    this.retryAfterSeconds = init.retryAfterSeconds
  }
}

/** What was sent cannot be accepted; sending the same again will not help. */
export class RequestError extends GuestpassError {
  override readonly name: string = 'RequestError'
}

/** Who called is unknown, or may not do this. */
export class CallerError extends GuestpassError {
  override readonly name: string = 'CallerError'
}

/** The token that was shown is not accepted. The code says why; nothing of the token is repeated. */
export class TokenError extends GuestpassError {
  override readonly name: string = 'TokenError'
  /** With `TOKEN_REVOKED`: whether the revoke said that browsers may fetch a new token at once (`reissue`). */
  readonly reissue: boolean

  constructor(
    code: AnyErrorCode,
    message?: string,
    init: ErrorInit & { reissue?: boolean | undefined } = {},
  ) {
    super(code, message, init)
    this.reissue = init.reissue ?? false
  }
}

/** The token is good; the operation asked for is not among its operations. */
export class OperationNotAllowed extends GuestpassError {
  override readonly name: string = 'OperationNotAllowed'
  /** The operation asked for, where this package knows it. */
  readonly operation: string | undefined

  constructor(message?: string, init: ErrorInit & { operation?: string | undefined } = {}) {
    super('OPERATION_NOT_ALLOWED', message, init)
    this.operation = init.operation
  }
}

/** The refresh token that was shown is not accepted. */
export class RefreshTokenError extends GuestpassError {
  override readonly name: string = 'RefreshTokenError'
}

/** The service's side, or the way to it: the request may be right; try again later. */
export class ServiceError extends GuestpassError {
  override readonly name: string = 'ServiceError'
}

/** The contract's sentence for a code; the code itself where it is unknown. */
export function meaningOf(code: AnyErrorCode): string {
  return rowOf(code)?.[1] ?? code
}

/** Makes the error of the class that owns `code`. */
export function errorOf(code: AnyErrorCode, message?: string, init: ErrorInit = {}): GuestpassError {
  if (Object.hasOwn(REQUEST, code)) return new RequestError(code, message, init)
  if (Object.hasOwn(CALLER, code)) return new CallerError(code, message, init)
  if (Object.hasOwn(TOKEN, code)) return new TokenError(code, message, init)
  if (Object.hasOwn(OPERATION, code)) return new OperationNotAllowed(message, init)
  if (Object.hasOwn(REFRESH, code)) return new RefreshTokenError(code, message, init)
  if (Object.hasOwn(SERVICE, code)) return new ServiceError(code, message, init)
  const status = init.status ?? 500
  if (status >= 500 || status === 429) return new ServiceError(code, message, init)
  return status === 401 || status === 403
    ? new CallerError(code, message, init)
    : new RequestError(code, message, init)
}

/** The code for an answer without a body of ours, from a proxy on the way for example. */
export function codeOfStatus(status: number): ErrorCode {
  const known: Readonly<Record<number, ErrorCode>> = {
    401: 'UNAUTHORIZED',
    403: 'FORBIDDEN',
    404: 'NOT_FOUND',
    405: 'METHOD_NOT_ALLOWED',
    408: 'UNAVAILABLE',
    409: 'CONFLICT',
    413: 'PAYLOAD_TOO_LARGE',
    415: 'UNSUPPORTED_MEDIA_TYPE',
    429: 'RATE_LIMITED',
    500: 'INTERNAL_ERROR',
  }
  return known[status] ?? (status >= 500 ? 'UNAVAILABLE' : 'VALIDATION_ERROR')
}

/** A browser should fetch a fresh token and retry once (header `Guestpass-Retry: token`). */
export function asksForANewToken(error: unknown): boolean {
  return error instanceof TokenError && (RETRY_TOKEN_CODES.has(error.code) || error.reissue)
}

// TOKEN_REVOKED joins only after a revoke with `reissue`.
const RETRY_TOKEN_CODES: ReadonlySet<string> = new Set([
  'TOKEN_EXPIRED',
  'TOKEN_TOO_OLD',
  'TOKEN_KEY_UNKNOWN',
  'TOKEN_REPLAYED',
])

function rowOf(code: string): Row | undefined {
  return Object.hasOwn(TABLE, code) ? TABLE[code] : undefined
}

import { inspect } from 'node:util'
import { type HostProofs, hostProofs } from '../host/proofs.js'
import { ApiKeys } from './api-keys.js'
import { AuditEvents } from './audit-events.js'
import { Auth } from './auth.js'
import type { CreateSessionTokenParams, Environment, RevokedSessionToken, SessionToken } from './model.js'
import { Customers, Sessions, SessionTokens, Tokens, Users } from './resources.js'
import { type GuestpassOptions, readSettings } from './settings.js'
import { type CallOptions, Transport } from './transport.js'

/**
 * A backend's client of one Guestpass server, with one secret key.
 *
 * A call that cannot connect, times out, or is answered 408, 429 or 5xx is tried again, with a growing,
 * jittered pause that honours `Retry-After` up to 10 s; calls that change something carry one
 * `Idempotency-Key` over all their tries. Every failure is a `GuestpassError` with `code`, `status`, `requestId`.
 *
 * @example
 * const gp = new Guestpass({ secretKey: process.env.GUESTPASS_SECRET_KEY })
 * const { sessionToken, expiresAt } = await gp.createSessionToken({ externalUserId: 'user_123' })
 */
export class Guestpass {
  readonly baseUrl: string
  /** As the key says. */
  readonly environment: Environment
  readonly sessionTokens: SessionTokens
  readonly sessions: Sessions
  readonly tokens: Tokens
  readonly customers: Customers
  readonly users: Users
  readonly apiKeys: ApiKeys
  readonly auditEvents: AuditEvents
  readonly auth: Auth

  /**
   * @throws CallerError (`UNAUTHORIZED`) for a missing or wrong kind of key, RequestError (`VALIDATION_ERROR`)
   * for an option that cannot be used. Neither repeats what was given.
   */
  constructor(options: GuestpassOptions = {}) {
    const settings = readSettings(options, process.env)
    const transport = new Transport(settings)
    this.baseUrl = settings.baseUrl
    this.environment = settings.secretKey.startsWith('sk_live_') ? 'live' : 'test'
    this.sessionTokens = new SessionTokens(transport)
    this.sessions = new Sessions(transport)
    this.tokens = new Tokens(transport)
    this.customers = new Customers(transport)
    this.users = new Users(transport)
    this.apiKeys = new ApiKeys(transport)
    this.auditEvents = new AuditEvents(transport)
    this.auth = new Auth(transport)
    const proofs = (earlier: readonly string[]) => hostProofs(settings.secretKey, earlier)
    Object.defineProperty(this, PROOFS, { value: proofs })
    Object.defineProperty(this, inspect.custom, { value: () => ({ Guestpass: this.toJSON() }) })
  }

  /** Short for `gp.sessionTokens.create()`. */
  createSessionToken(params: CreateSessionTokenParams, options?: CallOptions): Promise<SessionToken> {
    return this.sessionTokens.create(params, options)
  }

  /** Short for `gp.sessionTokens.revoke()`. */
  revokeSessionToken(id: string, options?: CallOptions): Promise<RevokedSessionToken> {
    return this.sessionTokens.revoke(id, options)
  }

  /** The address and the environment; never the key. */
  toJSON(): { baseUrl: string; environment: Environment } {
    return { baseUrl: this.baseUrl, environment: this.environment }
  }
}

// By a name that import and require share, since a host may load this package both ways.
const PROOFS = Symbol.for('@guestpass/node host proofs')

/** What the client's API key proves to the host's own session routes. The key itself is not handed out. */
export function proofsOf(gp: Guestpass, earlierSecrets: readonly string[]): HostProofs {
  const { [PROOFS]: proofs } = gp as unknown as Record<symbol, (earlier: readonly string[]) => HostProofs>
  if (proofs === undefined) throw new TypeError('The first argument must be a Guestpass client.')
  return proofs(earlierSecrets)
}

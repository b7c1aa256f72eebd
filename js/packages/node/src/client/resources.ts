import { inspect } from 'node:util'
import { RequestError } from '../errors.js'
import { fields, pathId, type Wire, withDates } from './codec.js'
import type {
  CreateSessionTokenParams,
  CustomerBlock,
  ListSessionsParams,
  Revocation,
  RevokedSessionToken,
  RevokeSessionsParams,
  RevokeUserParams,
  SessionDetails,
  SessionToken,
  UserRevocation,
  Verification,
  VerifyTokenParams,
} from './model.js'
import { Paged } from './paged.js'
import type { CallOptions, Transport } from './transport.js'

/** `gp.sessionTokens`: one fixed session and its token. */
export class SessionTokens {
  readonly #transport: Transport
  #warned = false

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /**
   * Opens a session for a user whom your backend has authenticated.
   *
   * @throws RequestError (`VALIDATION_ERROR`, `INVALID_EXPIRATION`, `INVALID_NOT_BEFORE`), CallerError
   * (`FORBIDDEN`, `CUSTOMER_BLOCKED`), ServiceError.
   */
  async create(params: CreateSessionTokenParams, options?: CallOptions): Promise<SessionToken> {
    const path = '/v1/session-tokens'
    const answer = await this.#transport.send({
      method: 'POST',
      path,
      body: fields(params),
      changes: true,
      options,
    })
    const minted = withDates<SessionToken>(answer, ['expiresAt', 'issuedAt', 'notBefore'])
    if (params.email === undefined && (minted.unresolvedCustomers ?? 0) > 0)
      this.#warnOnce(minted.unresolvedCustomers)
    return hideToken(minted)
  }

  /** Ends a session by its id (`sess_…`). Ending it again answers the same. @throws RequestError (`NOT_FOUND`). */
  async revoke(id: string, options?: CallOptions): Promise<RevokedSessionToken> {
    const path = `/v1/session-tokens/${pathId(id, 'sess_')}`
    const answer = await this.#transport.send({ method: 'DELETE', path, options })
    return withDates<RevokedSessionToken>(answer, ['revokedAt'])
  }

  #warnOnce(waiting: number | undefined): void {
    if (this.#warned) return
    this.#warned = true
    process.emitWarning(
      `${waiting} imported customers wait for their first session, and this one was opened without an email: ` +
        'pass email and emailVerified, so that customers are recognised. This is said once.',
      { type: 'GuestpassWarning', code: 'GUESTPASS_EMAIL_MISSING' },
    )
  }
}

/** `gp.sessions`: every session of this project and environment. */
export class Sessions {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** The sessions that fit, a page fetched whenever one is needed: `for await (const session of gp.sessions.list())`. */
  list(params: ListSessionsParams = {}, options?: CallOptions): SessionList {
    const path = '/v1/sessions'
    return new SessionList(this.#transport, { path, params: { ...params }, options, read: sessionOf })
  }

  /** @throws RequestError (`NOT_FOUND`), also for another project's id. */
  async get(id: string, options?: CallOptions): Promise<SessionDetails> {
    const path = `/v1/sessions/${pathId(id, 'sess_')}`
    return sessionOf(await this.#transport.send({ method: 'GET', path, options }))
  }

  /**
   * Ends many sessions with one cheap write. What was minted before the answer is dead.
   *
   * @throws RequestError where not exactly one selector has a value: an `undefined` must never widen what ends.
   */
  async revoke(params: RevokeSessionsParams, options?: CallOptions): Promise<Revocation> {
    const body = fields(params)
    const chosen = SELECTORS.filter((name) => body[name] !== undefined)
    if (chosen.length !== 1 || (chosen[0] === 'all' && body.all !== true)) {
      throw new RequestError(
        'VALIDATION_ERROR',
        `sessions.revoke() needs exactly one of ${SELECTORS.join(', ')}.`,
      )
    }
    const path = '/v1/sessions/revoke'
    const answer = await this.#transport.send({ method: 'POST', path, body, changes: true, options })
    return withDates<Revocation>(answer, ['before'])
  }
}

const SELECTORS = ['id', 'externalUserId', 'externalOrganizationId', 'apiKeyId', 'all'] as const

/** Sessions, page by page: `for await`. */
export class SessionList extends Paged<SessionDetails> {}

/** `gp.tokens`: ask the service about one token. */
export class Tokens {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** Walks the ordered checklist. A refused token is an answer (`valid: false`), not an error. */
  async verify(params: VerifyTokenParams, options?: CallOptions): Promise<Verification> {
    const call = { method: 'POST', path: '/v1/tokens/verify', body: fields(params), options } as const
    const answer = withDates<Verification>(await this.#transport.send(call), [])
    return answer.session === undefined ? answer : { ...answer, session: sessionOf(answer.session) }
  }
}

/** `gp.customers`: your users as Guestpass knows them (`cust_…`). */
export class Customers {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** Ends the customer's sessions and refuses new ones with `CUSTOMER_BLOCKED`. */
  async block(id: string, options?: CallOptions): Promise<CustomerBlock> {
    return this.#post(id, 'block', options)
  }

  async unblock(id: string, options?: CallOptions): Promise<CustomerBlock> {
    return this.#post(id, 'unblock', options)
  }

  async #post(
    id: string,
    what: 'block' | 'unblock',
    options: CallOptions | undefined,
  ): Promise<CustomerBlock> {
    const path = `/v1/customers/${pathId(id, 'cust_')}/${what}`
    const answer = await this.#transport.send({ method: 'POST', path, changes: true, options })
    return withDates<CustomerBlock>(answer, ['before'])
  }
}

/** `gp.users`: by your own user id, also for a user never seen. */
export class Users {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** The stolen-laptop call: ends every session of one user, and blocks them if asked. */
  async revoke(params: RevokeUserParams, options?: CallOptions): Promise<UserRevocation> {
    const call = {
      method: 'POST',
      path: '/v1/users/revoke',
      body: fields(params),
      changes: true,
      options,
    } as const
    return withDates<UserRevocation>(await this.#transport.send(call), ['before'])
  }
}

function sessionOf(wire: unknown): SessionDetails {
  return withDates<SessionDetails>(wire, [
    'issuedAt',
    'notBefore',
    'expiresAt',
    'lastRefreshedAt',
    'revokedAt',
  ])
}

/** `console.log(minted)` must not write a credential into a log; JSON keeps it, since it is meant to be answered. */
function hideToken(minted: SessionToken): SessionToken {
  const shown: Wire = { ...minted, sessionToken: '[hidden]' }
  return Object.defineProperty(minted, inspect.custom, { value: () => shown })
}

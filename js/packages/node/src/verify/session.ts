import type { Environment } from '../client/model.js'
import { OperationNotAllowed, TokenError } from '../errors.js'
import type { SessionClaims } from './claims.js'

/** What a verified token says. Frozen. */
export class Session {
  /** `sess_…`. */
  readonly id: string
  /** The host's own id of the user (`externalUserId` at the mint). */
  readonly userId: string
  readonly organizationId: string | null
  /** Names; `['*']` is unrestricted, `[]` is none. Ask with `allows`. */
  readonly operations: readonly string[]
  readonly projectId: string
  readonly environment: Environment
  readonly issuedAt: Date
  readonly expiresAt: Date
  /** The session is suspended, and `operations` are those that go on all the same. */
  readonly suspended: boolean

  /** @param goesOn - Of a suspended session: the operations that go on, `['*']` for all. */
  constructor(claims: SessionClaims, goesOn?: readonly string[]) {
    this.id = claims.sid
    this.userId = claims.sub
    this.organizationId = claims.organization_id ?? null
    const granted = claims.scope ? claims.scope.split(' ') : []
    this.operations = Object.freeze(goesOn === undefined ? granted : within(granted, goesOn))
    this.suspended = goesOn !== undefined
    this.projectId = claims.project_id
    this.environment = claims.environment as Environment
    this.issuedAt = new Date(claims.iat * 1000)
    this.expiresAt = new Date(claims.exp * 1000)
    Object.freeze(this)
  }

  /** Whether the token allows the operation. A token without a scope allows nothing. */
  allows(operation: string): boolean {
    return this.#isUnrestricted() || this.operations.includes(operation)
  }

  /**
   * @throws OperationNotAllowed (403) where the token does not allow the operation; TokenError (401,
   * `SESSION_SUSPENDED`) where the session is suspended and this does not go on.
   */
  require(operation: string): void {
    if (this.allows(operation)) return
    if (this.suspended) throw new TokenError('SESSION_SUSPENDED')
    throw new OperationNotAllowed(`The token does not allow the operation ${operation}.`, { operation })
  }

  #isUnrestricted(): boolean {
    return isUnrestricted(this.operations)
  }
}

/** "*" is unrestricted only where it stands alone, as the service writes it. */
function isUnrestricted(operations: readonly string[]): boolean {
  return operations.length === 1 && operations[0] === '*'
}

function within(granted: readonly string[], ceiling: readonly string[]): readonly string[] {
  if (isUnrestricted(ceiling)) return granted
  return isUnrestricted(granted) ? [...ceiling] : granted.filter((name) => ceiling.includes(name))
}

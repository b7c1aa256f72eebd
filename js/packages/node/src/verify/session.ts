import type { Environment } from '../client/model.js'
import { OperationNotAllowed } from '../errors.js'
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

  constructor(claims: SessionClaims) {
    this.id = claims.sid
    this.userId = claims.sub
    this.organizationId = claims.organization_id ?? null
    this.operations = Object.freeze(claims.scope ? claims.scope.split(' ') : [])
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

  /** @throws OperationNotAllowed (403) where the token does not allow the operation. */
  require(operation: string): void {
    if (this.allows(operation)) return
    throw new OperationNotAllowed(`The token does not allow the operation ${operation}.`, { operation })
  }

  // "*" is unrestricted only where it stands alone, as the service writes it.
  #isUnrestricted(): boolean {
    return this.operations.length === 1 && this.operations[0] === '*'
  }
}

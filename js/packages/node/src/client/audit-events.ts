import { withDates } from './codec.js'
import type { AuditEvent, ListAuditEventsParams } from './model.js'
import { Paged } from './paged.js'
import type { CallOptions, Transport } from './transport.js'

/** `gp.auditEvents`: who did what in your project and environment, for a key that can `read`. */
export class AuditEvents {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** Events that fit every filter, the newest first: `for await (const event of gp.auditEvents.list())`. */
  list(params: ListAuditEventsParams = {}, options?: CallOptions): AuditEventList {
    const path = '/v1/audit-events'
    return new AuditEventList(this.#transport, { path, params: { ...params }, options, read: auditEventOf })
  }
}

/** What was done, page by page: `for await`. */
export class AuditEventList extends Paged<AuditEvent> {}

function auditEventOf(wire: unknown): AuditEvent {
  return withDates<AuditEvent>(wire, ['at'])
}

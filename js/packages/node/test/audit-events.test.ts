import { expect, test } from 'vitest'
import { Guestpass } from '../src/index.js'
import { SECRET_KEY, startService } from './service.js'

test('what was done comes page by page, with Dates, and filters go with every page', async () => {
  const service = await startService()
  const gp = new Guestpass({ secretKey: SECRET_KEY, baseUrl: service.url, maxRetries: 0 })
  const event = {
    id: 'evt_1',
    action: 'session.revoked',
    actor: 'key_1',
    targets: ['sess_1', 'cust_1'],
    at: '2026-11-26T10:00:00.125Z',
    requestId: 'req_1',
    detail: { scope: 'session', reissue: false },
    personal: { externalUserId: 'ada' },
  }
  service.reply(
    { body: { data: [event], nextCursor: 'more' } },
    { body: { data: [{ ...event, id: 'evt_2', personal: null }], nextCursor: null } },
  )
  const found = []
  for await (const one of gp.auditEvents.list({ action: 'session.revoked', target: 'sess_1', limit: 1 }))
    found.push(one)
  expect(found[0]).toEqual({ ...event, at: new Date(event.at) })
  expect(found[1]?.personal).toBeNull()
  expect(service.received.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'GET /v1/audit-events?action=session.revoked&target=sess_1&limit=1',
    'GET /v1/audit-events?action=session.revoked&target=sess_1&limit=1&cursor=more',
  ])
})

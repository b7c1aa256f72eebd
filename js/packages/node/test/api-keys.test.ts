import { inspect } from 'node:util'
import { beforeEach, describe, expect, test } from 'vitest'
import { Guestpass, RequestError } from '../src/index.js'
import { SECRET_KEY, type Service, startService } from './service.js'

const ID = 'key_01jd0000000000000000000000'
const A_KEY = {
  id: ID,
  name: 'backend',
  environment: 'test',
  projectId: 'proj_01jd0000000000000000000000',
  can: ['mint', 'read'],
  operations: ['*'],
  ipRanges: ['10.0.0.0/8'],
  signing: false,
  createdAt: '2026-11-21T10:00:00Z',
  expiresAt: null,
  lastUsedAt: '2026-11-21T11:00:00Z',
  revokedAt: null,
  secrets: [
    { createdAt: '2026-11-21T11:00:00Z', endsAt: null },
    { createdAt: '2026-11-21T10:00:00Z', endsAt: '2026-11-22T11:00:00Z' },
  ],
} as const
const A_NEW_KEY = { ...A_KEY, secret: SECRET_KEY }

let service: Service
let gp: Guestpass

beforeEach(async () => {
  service = await startService()
  gp = new Guestpass({ secretKey: SECRET_KEY, baseUrl: service.url })
})

describe('API keys', () => {
  test('each method goes where the contract says, with what was given and nothing else', async () => {
    service.reply({ body: A_NEW_KEY })
    await gp.apiKeys.create({ name: 'backend' })
    await gp.apiKeys.create({
      name: 'x',
      ipRanges: null,
      expiresAt: new Date('2031-01-01T00:00:00Z'),
      signing: true,
    })
    await gp.apiKeys.get(ID)
    await gp.apiKeys.edit(ID, { can: ['mint'], operations: undefined, ipRanges: null })
    await gp.apiKeys.rotate(ID)
    await gp.apiKeys.rotate(ID, { overlapSeconds: 0 })
    await gp.apiKeys.revoke(ID)
    await gp.apiKeys.revoke(ID, { keepSessions: true })
    const sent = service.received.map(({ method, path, body }) => [
      `${method} ${path}`,
      body && JSON.parse(body),
    ])
    expect(sent).toEqual([
      ['POST /v1/api-keys', { name: 'backend' }],
      [
        'POST /v1/api-keys',
        { name: 'x', ipRanges: null, expiresAt: '2031-01-01T00:00:00.000Z', signing: true },
      ],
      [`GET /v1/api-keys/${ID}`, ''],
      [`POST /v1/api-keys/${ID}`, { can: ['mint'], ipRanges: null }],
      [`POST /v1/api-keys/${ID}/rotate`, {}],
      [`POST /v1/api-keys/${ID}/rotate`, { overlapSeconds: 0 }],
      [`POST /v1/api-keys/${ID}/revoke`, {}],
      [`POST /v1/api-keys/${ID}/revoke`, { keepSessions: true }],
    ])
  })

  test('times are Dates, those of its secrets too', async () => {
    service.reply({ body: A_KEY })
    const key = await gp.apiKeys.get(ID)
    expect(key.lastUsedAt).toEqual(new Date('2026-11-21T11:00:00Z'))
    expect(key.expiresAt).toBeNull()
    expect(key.secrets.map(({ endsAt }) => endsAt)).toEqual([null, new Date('2026-11-22T11:00:00Z')])
  })

  test('a new secret is there, and printing the key does not show it', async () => {
    service.reply({ status: 201, body: A_NEW_KEY })
    const key = await gp.apiKeys.rotate(ID)
    expect(key.secret).toBe(SECRET_KEY)
    expect(inspect({ deep: [key] }, { depth: 9, showHidden: true, getters: true })).not.toContain(SECRET_KEY)
  })

  test('listing fetches the pages while iterating', async () => {
    service.reply(
      { body: { data: [{ ...A_KEY, id: 'key_2' }], nextCursor: 'c1' } },
      { body: { data: [{ ...A_KEY, id: 'key_1' }], nextCursor: null } },
    )
    const seen = []
    for await (const key of gp.apiKeys.list({ limit: 1 })) seen.push(key.id)
    expect(seen).toEqual(['key_2', 'key_1'])
    expect(service.received.map(({ path }) => path)).toEqual([
      '/v1/api-keys?limit=1',
      '/v1/api-keys?limit=1&cursor=c1',
    ])
  })

  test('a secret never gets into an address', async () => {
    for (const call of [
      () => gp.apiKeys.get(SECRET_KEY),
      () => gp.apiKeys.edit(SECRET_KEY, { name: 'x' }),
      () => gp.apiKeys.rotate(SECRET_KEY),
      () => gp.apiKeys.revoke(SECRET_KEY),
    ]) {
      const error = await call().catch((fault: unknown) => fault)
      expect(error).toBeInstanceOf(RequestError)
      expect((error as Error).message).not.toContain(SECRET_KEY)
    }
    expect(service.received).toHaveLength(0)
  })
})

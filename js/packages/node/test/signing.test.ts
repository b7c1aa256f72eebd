import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { canonicalText, Guestpass, type SignedParts, signatureOf } from '../src/index.js'
import { MINTED, SECRET_KEY, startService } from './service.js'

const NONCE = 'nonce-0123456789_AB'
const text = (parts: SignedParts): string => Buffer.from(canonicalText(parts)).toString()

describe('the canonical text', () => {
  const vectors: readonly (readonly [string, SignedParts, string])[] = [
    [
      'a GET without a body',
      { method: 'GET', path: '/v1/sessions?limit=20', timestamp: 1_790_000_000 },
      'GET\n/v1/sessions?limit=20\n1790000000\n\n',
    ],
    [
      'a nonce joins the timestamp',
      { method: 'DELETE', path: '/v1/session-tokens/sess_1', timestamp: 1_790_000_000, nonce: NONCE },
      `DELETE\n/v1/session-tokens/sess_1\n1790000000.${NONCE}\n\n`,
    ],
    [
      'an idempotency key joins the nonce',
      {
        method: 'POST',
        path: '/v1/session-tokens',
        timestamp: 1_790_000_000,
        nonce: NONCE,
        idempotencyKey: 'order.7',
        contentType: 'application/json',
        body: '{"externalUserId":"zoë"}',
      },
      `POST\n/v1/session-tokens\n1790000000.${NONCE}.order.7\napplication/json\n{"externalUserId":"zoë"}`,
    ],
    [
      'a body with line breaks stays as it is, at the end',
      { method: 'POST', path: '/', timestamp: 1_790_000_000, contentType: 'text/plain', body: 'a\nb\n' },
      'POST\n/\n1790000000\ntext/plain\na\nb\n',
    ],
  ]
  test.each(vectors)('%s', (_name, parts, expected) => {
    expect(text(parts)).toBe(expected)
    const bytes = Buffer.from(SECRET_KEY, 'ascii')
    expect(signatureOf(SECRET_KEY, parts)).toBe(createHmac('sha256', bytes).update(expected).digest('hex'))
  })

  test('covers bytes that are no text', () => {
    const body = Uint8Array.of(0, 0xff, 0x0a)
    const signed = canonicalText({ method: 'POST', path: '/', timestamp: 1_790_000_000, body })
    expect([...signed.slice(-3)]).toEqual([0, 0xff, 0x0a])
  })

  const good = {
    method: 'POST',
    path: '/v1',
    timestamp: 1_790_000_000,
    nonce: NONCE,
    body: '{}',
  } as const
  test.each([
    ['a method in lower case', { method: 'post' }],
    ['a method with a line break', { method: 'GET\nX' }],
    ['a path that does not begin with a slash', { path: 'v1' }],
    ['a path with a line break', { path: '/v1\n1790000000' }],
    ['a content type with a line break', { contentType: 'a\nb' }],
    ['a timestamp in milliseconds', { timestamp: 1_790_000_000_000 }],
    ['a timestamp with a fraction', { timestamp: 1_790_000_000.5 }],
    ['a short nonce', { nonce: 'short' }],
    ['a nonce with a dot, which would blur where the key begins', { nonce: `${NONCE}.x` }],
    ['an idempotency key without a nonce', { nonce: undefined, idempotencyKey: 'a' }],
    ['an idempotency key with a space', { idempotencyKey: 'a b' }],
  ])('%s is refused', (_name, change) => {
    expect(() => canonicalText({ ...good, ...change })).toThrow(RangeError)
  })
})

describe('a client in signed mode', () => {
  test('signs what it sends, with a new nonce for each try and the secret left at home', async () => {
    const service = await startService()
    service.reply({ status: 500, body: {} }, { status: 201, body: MINTED })
    const clock = (): number => 1_790_000_000_999
    const gp = new Guestpass({ secretKey: SECRET_KEY, baseUrl: service.url, signingKeyId: 'key_01', clock })
    await gp.createSessionToken({ externalUserId: 'zoë' })
    expect(service.received).toHaveLength(2)
    for (const { method, path, headers, body } of service.received) {
      expect(headers.authorization).toBeUndefined()
      expect(JSON.stringify(headers)).not.toContain(SECRET_KEY)
      expect(headers['x-api-key']).toBe('key_01')
      expect(headers['x-api-timestamp']).toBe('1790000000')
      const third = `1790000000.${headers['x-api-nonce']}.${headers['idempotency-key']}`
      const signed = [method, path, third, headers['content-type'], body].join('\n')
      expect(headers['x-api-signature']).toBe(createHmac('sha256', SECRET_KEY).update(signed).digest('hex'))
    }
    const [first, second] = service.received
    expect(first?.headers['x-api-nonce']).not.toBe(second?.headers['x-api-nonce'])
    expect(first?.headers['idempotency-key']).toBe(second?.headers['idempotency-key'])
  })

  test('signs the query as it is sent', async () => {
    const service = await startService()
    service.reply({ body: { data: [], nextCursor: null } })
    const gp = new Guestpass({ secretKey: SECRET_KEY, baseUrl: service.url, signingKeyId: 'key_01' })
    await gp.sessions.list({ externalUserId: 'a b&ü/+' }).page()
    const { path, headers } = service.received[0]!
    const signed = ['GET', path, `${headers['x-api-timestamp']}.${headers['x-api-nonce']}`, '', ''].join('\n')
    expect(headers['x-api-signature']).toBe(createHmac('sha256', SECRET_KEY).update(signed).digest('hex'))
  })
})

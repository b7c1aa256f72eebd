import { beforeEach, describe, expect, test, vi } from 'vitest'
import { pauseSeconds, retryAfterSecondsOf } from '../src/client/retry.js'
import { Transport } from '../src/client/transport.js'
import type { ServiceError } from '../src/index.js'
import { SECRET_KEY, type Service, startService } from './service.js'

let service: Service
const wait = vi.fn(async (_seconds: number) => {})

beforeEach(async () => {
  service = await startService()
  wait.mockClear()
})

const transport = (timeoutSeconds = 5): Transport =>
  new Transport({
    baseUrl: service.url,
    secretKey: SECRET_KEY,
    signingKeyId: undefined,
    timeoutSeconds,
    maxRetries: 2,
    fetch,
    nowMs: Date.now,
    wait,
  })
const MINT = { method: 'POST', path: '/v1/session-tokens', body: {}, changes: true } as const

describe('a call is tried again', () => {
  test.each([408, 429, 500, 502, 503])(
    'after %i, with one idempotency key over all tries',
    async (status) => {
      service.reply(
        { status, body: { code: 'X' } },
        { status, body: '' },
        { status: 201, body: { ok: true } },
      )
      expect(await transport().send(MINT)).toEqual({ ok: true })
      const keys = service.received.map(({ headers }) => headers['idempotency-key'])
      expect(keys).toHaveLength(3)
      expect(new Set(keys).size).toBe(1)
      expect(keys[0]).toBeTruthy()
    },
  )

  test('after a connection that broke', async () => {
    service.reply({ hangUp: true }, { status: 201, body: { ok: true } })
    expect(await transport().send(MINT)).toEqual({ ok: true })
    expect(service.received).toHaveLength(2)
  })

  test('after a try without an answer in time', async () => {
    service.reply({ silent: true }, { status: 201, body: { ok: true } })
    expect(await transport(0.1).send(MINT)).toEqual({ ok: true })
  })

  test('not before Retry-After, and not at all when that is over 10 s', async () => {
    service.reply({ status: 503, headers: { 'Retry-After': '2' }, body: {} }, { body: { ok: true } })
    await transport().send(MINT)
    expect(wait.mock.calls[0]?.[0]).toBeGreaterThanOrEqual(2)
    expect(wait.mock.calls[0]?.[0]).toBeLessThanOrEqual(2.5)
    service.reply({ status: 429, headers: { 'Retry-After': '11' }, body: { code: 'RATE_LIMITED' } })
    await expect(transport().send(MINT)).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterSeconds: 11,
    })
    expect(wait).toHaveBeenCalledTimes(1)
  })
})

describe('a call is given up', () => {
  test.each([400, 401, 403, 404, 409])('at once after %i: the same again would not help', async (status) => {
    service.reply({ status, body: { code: 'X' } })
    await expect(transport().send(MINT)).rejects.toMatchObject({ status })
    expect(service.received).toHaveLength(1)
  })

  test('after two retries, with the last refusal', async () => {
    service.reply({ status: 503, body: { code: 'UNAVAILABLE', requestId: 'req_9' } })
    await expect(transport().send(MINT)).rejects.toMatchObject({ code: 'UNAVAILABLE', requestId: 'req_9' })
    expect(service.received).toHaveLength(3)
  })

  test('when nothing listens: UNAVAILABLE, naming the address', async () => {
    const nobody = new Transport({
      baseUrl: 'http://127.0.0.1:9',
      secretKey: SECRET_KEY,
      signingKeyId: undefined,
      timeoutSeconds: 5,
      maxRetries: 1,
      fetch,
      nowMs: Date.now,
      wait,
    })
    const error = (await nobody.send(MINT).catch((reason: unknown) => reason)) as ServiceError
    expect(error).toMatchObject({ code: 'UNAVAILABLE', status: 503 })
    expect(error.message).toContain('http://127.0.0.1:9')
  })

  test('before it is made, when its timeout is none', async () => {
    for (const timeoutSeconds of [0, -1, Number.NaN, 1e9]) {
      await expect(transport().send({ ...MINT, options: { timeoutSeconds } })).rejects.toThrow(
        /timeoutSeconds/,
      )
    }
    expect(service.received).toHaveLength(0)
  })

  test('with the reason of the signal, when the caller aborts', async () => {
    service.reply({ silent: true })
    const controller = new AbortController()
    const call = transport().send({ ...MINT, options: { signal: controller.signal } })
    await vi.waitFor(() => expect(service.received).toHaveLength(1))
    controller.abort(new Error('the user left'))
    await expect(call).rejects.toThrow('the user left')
    expect(service.received).toHaveLength(1)
    await expect(transport().send({ ...MINT, options: { signal: controller.signal } })).rejects.toThrow(
      'the user left',
    )
    expect(service.received).toHaveLength(1)
  })
})

describe('pauses', () => {
  test('grow, are jittered by half, and are bounded by 8 s', () => {
    expect([1, 2, 3, 5, 9].map((tries) => pauseSeconds(tries, undefined, 0))).toEqual([0.25, 0.5, 1, 4, 4])
    expect([1, 2, 3, 5, 9].map((tries) => pauseSeconds(tries, undefined, 1))).toEqual([0.5, 1, 2, 8, 8])
  })

  test('Retry-After is read as seconds and as a date, and anything else is absent', () => {
    const now = Date.parse('2026-11-21T09:00:00Z')
    expect(retryAfterSecondsOf('7', now)).toBe(7)
    expect(retryAfterSecondsOf('Sat, 21 Nov 2026 09:00:05 GMT', now)).toBe(5)
    expect(retryAfterSecondsOf('Sat, 21 Nov 2026 08:00:00 GMT', now)).toBe(0)
    expect(retryAfterSecondsOf('soon', now)).toBeUndefined()
    expect(retryAfterSecondsOf(null, now)).toBeUndefined()
  })
})

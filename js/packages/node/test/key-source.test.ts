import { beforeEach, describe, expect, test, vi } from 'vitest'
import { KeySource } from '../src/verify/key-source.js'
import { type Issuer, makeKey, startIssuer } from './issuer.js'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const first = makeKey('EdDSA', 'first')
const second = makeKey('EdDSA', 'second')
let now: number
let issuer: Issuer
let source: KeySource

beforeEach(async () => {
  now = 5 * HOUR
  issuer = await startIssuer(first)
  source = new KeySource({ url: `${issuer.issuer}/.well-known/jwks.json`, fetch, elapsedMs: () => now })
})

const kids = async (): Promise<string[]> => [...(await source.current()).keys()]

describe('keys', () => {
  test('are fetched again beside the next call once they are a minute old, which does not wait', async () => {
    expect(await kids()).toEqual(['first'])
    issuer.keys = [first, second]
    now += MINUTE - 1
    expect(await kids()).toEqual(['first'])
    expect(issuer.fetches).toBe(1)
    now += 1
    expect(await kids()).toEqual(['first'])
    await vi.waitFor(async () => expect(await kids()).toEqual(['first', 'second']))
    expect(issuer.fetches).toBe(2)
  })

  test('that were taken out, after a theft, are gone after the next fetch', async () => {
    await kids()
    issuer.keys = [second]
    now += MINUTE
    await kids()
    await vi.waitFor(async () => expect(await kids()).toEqual(['second']))
  })

  test('count for an hour while the issuer is away, and no longer', async () => {
    await kids()
    issuer.down = true
    now += HOUR - 1
    expect(await kids()).toEqual(['first'])
    await vi.waitFor(() => expect(issuer.fetches).toBe(2))
    now += 1
    await expect(source.current()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    issuer.down = false
    now += 30 * SECOND
    expect(await kids()).toEqual(['first'])
  })

  test('are asked for ever more slowly while the issuer is away, at most every 30 s', async () => {
    issuer.down = true
    const attempts: number[] = []
    for (let second = 0; second < 120; second += 1) {
      const before = issuer.fetches
      await source.current().catch(() => {})
      if (issuer.fetches > before) attempts.push(second)
      now += SECOND
    }
    expect(attempts).toEqual([0, 1, 3, 7, 15, 31, 61, 91])
  })

  test.each([
    ['no JSON', 'x'],
    ['no key set', '{}'],
    ['too big', `{"keys":[],"x":"${'x'.repeat(300_000)}"}`],
  ])('an answer that is %s is a failure, and does not replace what is there', async (_name, body) => {
    const replies = [JSON.stringify({ keys: [first.jwk] }), body]
    const odd = new KeySource({
      url: issuer.issuer,
      fetch: async () => new Response(replies.shift()),
      elapsedMs: () => now,
    })
    await odd.current()
    now += MINUTE
    await odd.current()
    await vi.waitFor(() => expect(replies).toHaveLength(0))
    expect([...(await odd.current()).keys()]).toEqual(['first'])
  })
})

describe('an unknown key id', () => {
  beforeEach(async () => {
    await kids()
    now += 30 * SECOND
  })

  test('earns one fetch, which finds a key that was just published', async () => {
    issuer.keys = [first, second]
    expect([...((await source.afterUnknown('second')) ?? new Map()).keys()]).toEqual(['first', 'second'])
    expect(issuer.fetches).toBe(2)
  })

  test('earns no other for 30 s, whatever it is called', async () => {
    await Promise.all(Array.from({ length: 50 }, (_, index) => source.afterUnknown(`flood-${index}`)))
    expect(issuer.fetches).toBe(2)
    now += 30 * SECOND - 1
    for (let index = 0; index < 2000; index += 1)
      expect(await source.afterUnknown(`x-${index}`)).toBeUndefined()
    expect(issuer.fetches).toBe(2)
  })

  test('is remembered: the same again earns none after the cooldown either', async () => {
    await source.afterUnknown('unknown')
    now += 31 * SECOND
    expect(await source.afterUnknown('unknown')).toBeUndefined()
    await source.afterUnknown('another')
    expect(issuer.fetches).toBe(3)
  })

  test('is not remembered when the fetch failed', async () => {
    issuer.down = true
    await source.afterUnknown('second')
    issuer.down = false
    issuer.keys = [first, second]
    now += 30 * SECOND
    expect((await source.afterUnknown('second'))?.has('second')).toBe(true)
  })
})

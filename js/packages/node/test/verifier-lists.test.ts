/** What a verifier that checks alone learns from the issuer's lists: endings, suspensions, and when it must not know. */
import { randomBytes } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { asksForANewToken, type Session, TokenError, Verifier, type VerifierOptions } from '../src/index.js'
import {
  claimsOf,
  headerOf,
  hs256,
  INDEX,
  type Issuer,
  makeKey,
  sessionToken,
  startIssuer,
} from './issuer.js'

const KEY = makeKey('ES256', 'first')
const MINTED_MS = Date.UTC(2026, 10, 26)
/** Its first 48 bits are MINTED_MS. */
const SID = `sess_${crockford(MINTED_MS)}${'0'.repeat(16)}`
const TAG = 'tag_of_ada__'
const zipped = (bytes: Uint8Array): string => deflateSync(bytes).toString('base64url')
const EMPTY = deflateSync(Buffer.alloc(16))
let issuer: Issuer
let offsetMs: number

beforeEach(async () => {
  issuer = await startIssuer(KEY)
  offsetMs = 0
  issuer.now = () => Math.floor(clock() / 1000)
})

const clock = (): number => Date.now() + offsetMs
const pass = (seconds: number): void => {
  offsetMs += seconds * 1000
}
const verifier = (options: VerifierOptions = {}): Verifier =>
  new Verifier({ issuer: issuer.issuer, clock, ...options })
const times = () => ({
  iat: Math.floor(clock() / 1000) - 10,
  exp: Math.floor(clock() / 1000) + 7200,
  sid: SID,
})
const token = (change: Record<string, unknown> = {}): string =>
  sessionToken(KEY, issuer.issuer, { ...times(), ...change })
const verdict = (promise: Promise<Session>): Promise<string> =>
  promise.then(
    () => 'ok',
    (error: { code?: string }) => error.code ?? String(error),
  )

function crockford(milliseconds: number): string {
  const digits = '0123456789abcdefghjkmnpqrstvwxyz'
  let text = ''
  for (let rest = milliseconds; text.length < 10; rest = Math.floor(rest / 32))
    text = digits[rest % 32] + text
  return text
}

describe('a session that has ended', () => {
  test.each([
    [1, 'TOKEN_REVOKED', false],
    [3, 'TOKEN_REVOKED', true],
  ])(
    'by itself (%i) is refused with %s; a browser may fetch a new token: %s',
    async (status, code, again) => {
      issuer.statuses = { [INDEX]: status }
      const error: unknown = await verifier()
        .verify(token())
        .catch((fault: unknown) => fault)
      expect(error).toMatchObject({ code })
      expect(asksForANewToken(error)).toBe(again)
    },
  )

  test.each<[string, object, boolean, string]>([
    ['of its user', { [TAG]: [MINTED_MS + 1, 0] }, false, 'TOKEN_REVOKED'],
    ['of its user, with reissue', { [TAG]: [0, MINTED_MS + 1] }, true, 'TOKEN_REVOKED'],
    [
      'with reissue and without',
      { [TAG]: [0, MINTED_MS + 9], '*': [MINTED_MS + 1, 0] },
      false,
      'TOKEN_REVOKED',
    ],
    ['of everybody', { '*': [MINTED_MS + 1, 0] }, false, 'TOKEN_REVOKED'],
    ['of the same millisecond, before it', { [TAG]: [MINTED_MS, MINTED_MS] }, false, 'ok'],
    ['of somebody else', { tag_of_bob__: [MINTED_MS + 1, 0] }, false, 'ok'],
  ])('by a cut %s', async (_, cuts, again, code) => {
    issuer.cuts = { ...cuts }
    const found: unknown = await verifier()
      .verify(token())
      .catch((fault: unknown) => fault)
    expect(found instanceof TokenError ? found.code : 'ok').toBe(code)
    expect(asksForANewToken(found)).toBe(again)
  })

  test('a token without tags, or with an id that tells no time, is ended by any cut', async () => {
    issuer.cuts = { tag_of_bob__: [MINTED_MS + 1, 0] }
    const place = { status_list: { idx: INDEX, uri: `${issuer.issuer}/status-lists/1` } }
    expect(await verdict(verifier().verify(token({ status: place })))).toBe('TOKEN_REVOKED')
    issuer.cuts = { [TAG]: [1, 0] }
    expect(await verdict(verifier().verify(token({ sid: 'sess_of_its_own_kind' })))).toBe('TOKEN_REVOKED')
  })

  test('is seen when the lists are fetched next, and one fetch serves all who wait', async () => {
    const one = verifier()
    const tokens = Array.from({ length: 50 }, () => token())
    await Promise.all(tokens.map((each) => one.verify(each)))
    expect(issuer.asked.filter((path) => path.includes('status-lists'))).toHaveLength(2)
    issuer.statuses = { [INDEX]: 1 }
    pass(5)
    expect(await Promise.all(tokens.map((each) => verdict(one.verify(each))))).toEqual(
      Array(50).fill('TOKEN_REVOKED'),
    )
    expect(issuer.asked.filter((path) => path.includes('status-lists'))).toHaveLength(4)
  })

  test('stays so, whatever comes late or from a cache', async () => {
    issuer.statuses = { [INDEX]: 1, 3: 3, 4: 2 }
    issuer.cuts = { [TAG]: [MINTED_MS + 1, 0] }
    const one = verifier()
    await verdict(one.verify(token()))
    issuer.statuses = {}
    issuer.cuts = {}
    pass(6)
    const at = (idx: number) => ({
      status: { status_list: { idx, uri: `${issuer.issuer}/status-lists/1` }, cuts: [] },
    })
    expect(await verdict(one.verify(token()))).toBe('TOKEN_REVOKED')
    expect(await verdict(one.verify(token(at(3))))).toBe('TOKEN_REVOKED')
    expect(await verdict(one.verify(token(at(4))))).toBe('ok') // a suspension may be lifted
    expect(await verdict(one.verify(token({ ...at(9), status: { ...at(9).status, cuts: [TAG] } })))).toBe(
      'TOKEN_REVOKED',
    )
  })
})

describe('a session that is suspended', () => {
  beforeEach(() => {
    issuer.statuses = { [INDEX]: 2 }
  })

  test('goes on with the operations that its issuer names, within its own', async () => {
    issuer.suspendedOperations = ['read_invoices', 'sign_out']
    const session = await verifier().verify(token())
    expect([session.suspended, session.operations]).toEqual([true, ['read_invoices']])
    expect(() => session.require('write_invoices')).toThrow(
      expect.objectContaining({ code: 'SESSION_SUSPENDED' }),
    )
    const all = await verifier().verify(token({ scope: '*' }))
    expect(all.operations).toEqual(['read_invoices', 'sign_out'])
  })

  test.each<[string, unknown]>([
    ['none', []],
    ['nothing', undefined],
    ['what is no operation', ['Read Invoices']],
    ['what is no list', 'read_invoices'],
  ])('is refused where its issuer names %s', async (_, names) => {
    issuer.suspendedOperations = names
    expect(await verdict(verifier().verify(token()))).toBe('SESSION_SUSPENDED')
  })
})

describe('when the lists cannot be had', () => {
  test('from the start: UNAVAILABLE, with the address and when to return, never a 401', async () => {
    issuer.listsDown = true
    await expect(verifier().verify(token())).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      status: 503,
      retryAfterSeconds: 5,
      message: expect.stringContaining('/test/status-lists/'),
    })
  })

  test('those that are known count for maxStaleSeconds more, and not a second longer', async () => {
    const one = verifier({ maxStaleSeconds: 60 })
    await one.verify(token())
    issuer.listsDown = true
    pass(60)
    expect(await verdict(one.verify(token()))).toBe('ok')
    pass(6)
    expect(await verdict(one.verify(token()))).toBe('UNAVAILABLE')
  })

  test('with maxStaleSeconds 0 its absence closes the API within the bound', async () => {
    const one = verifier({ maxStaleSeconds: 0 })
    await one.verify(token())
    issuer.listsDown = true
    pass(6)
    expect(await verdict(one.verify(token()))).toBe('UNAVAILABLE')
  })

  test('nobody waits for one failure after another', async () => {
    issuer.listsDown = true
    const one = verifier()
    for (let count = 0; count < 20; count++) await verdict(one.verify(token()))
    const asked = () => issuer.asked.filter((path) => path.includes('status-lists')).sort()
    await vi.waitFor(() => expect(asked()).toEqual(['/test/status-lists/1', '/test/status-lists/cuts']))
  })
})

describe('a list that must not be used', () => {
  const other = makeKey('ES256', 'first')
  const later = () => Math.floor(clock() / 1000)
  const refusals: Record<string, () => void> = {
    'is signed by another key of the same name': () => {
      issuer.listKey = other
    },
    'is of another type': () => {
      issuer.change.header = { typ: 'guestpass-session+jwt' }
    },
    'is of another address': () => {
      issuer.change.list = { sub: 'https://other.example/test/status-lists/1' }
    },
    'is over': () => {
      issuer.change.list = { exp: later() }
    },
    'is of the future': () => {
      issuer.change.list = { iat: later() + 100 }
    },
    'has no life': () => {
      issuer.change.list = { ttl: 0 }
    },
    'is of a width that nobody has': () => {
      issuer.change.list = { status_list: { bits: 3, lst: 'eJxjYBgFwxAAAQAAAQ' } }
    },
    'is no ZLIB': () => {
      issuer.change.list = { status_list: { bits: 2, lst: 'AAAA' } }
    },
    'is followed by something': () => {
      issuer.change.list = {
        status_list: { bits: 2, lst: Buffer.concat([EMPTY, Buffer.from('x')]).toString('base64url') },
      }
    },
    'was cut': () => {
      issuer.change.list = { status_list: { bits: 2, lst: EMPTY.subarray(0, -2).toString('base64url') } }
    },
    'would fill the memory': () => {
      issuer.change.list = { status_list: { bits: 2, lst: zipped(Buffer.alloc(200_000)) } }
    },
    'has no place for the token': () => {
      issuer.change.list = { status_list: { bits: 2, lst: zipped(Buffer.alloc(1)) } }
    },
    'holds cuts that are no times': () => {
      issuer.change.cuts = { cuts: { [TAG]: ['1', 2] } }
    },
    'holds half a cut': () => {
      issuer.change.cuts = { cuts: { [TAG]: [1] } }
    },
    'holds no cuts at all': () => {
      issuer.change.cuts = { cuts: null }
    },
  }

  test.each(Object.entries(refusals))('%s', async (_, change) => {
    change()
    expect(await verdict(verifier().verify(token()))).toBe('UNAVAILABLE')
    issuer.change = {}
    issuer.listKey = undefined
    expect(await verdict(verifier().verify(token()))).toBe('ok')
  })

  test('is an alarm only: what is known goes on', async () => {
    issuer.statuses = { [INDEX]: 1 }
    const one = verifier()
    await verdict(one.verify(token()))
    issuer.listKey = other
    issuer.statuses = {}
    pass(6)
    expect(await verdict(one.verify(token()))).toBe('TOKEN_REVOKED')
  })
})

describe('size', () => {
  test('the largest list, which does not compress at all, is read; nothing longer is', async () => {
    const bytes = randomBytes(128 * 1024)
    bytes[Math.floor(INDEX / 4)] = 0b00_00_00_00
    issuer.change.list = { status_list: { bits: 2, lst: zipped(bytes) } }
    expect(await verdict(verifier().verify(token()))).toBe('ok')
    issuer.change.list = { status_list: { bits: 2, lst: zipped(Buffer.concat([bytes, Buffer.alloc(1)])) } }
    expect(await verdict(verifier().verify(token()))).toBe('UNAVAILABLE')
  })

  test('50 000 cuts are read, and each is found', async () => {
    const tags = Array.from({ length: 50_000 }, (_, number) => String(number).padStart(12, '0'))
    issuer.cuts = Object.fromEntries(tags.map((tag) => [tag, [MINTED_MS + 1, 0]]))
    const one = verifier()
    const of = (tag: string) => ({
      status: { status_list: { idx: INDEX, uri: `${issuer.issuer}/status-lists/1` }, cuts: [tag] },
    })
    expect(await verdict(one.verify(token(of('000000049999'))))).toBe('TOKEN_REVOKED')
    expect(await verdict(one.verify(token(of('000000050000'))))).toBe('ok')
  })
})

describe('keys and addresses', () => {
  test('a list that a new key signed is read at once', async () => {
    const one = verifier()
    await one.verify(token())
    issuer.listKey = makeKey('ES256', 'second')
    issuer.keys = [KEY, issuer.listKey]
    issuer.statuses = { [INDEX]: 1 }
    pass(6)
    await vi.waitFor(async () => expect(await verdict(one.verify(token()))).toBe('TOKEN_REVOKED'), 7000)
  }, 10_000)

  test.each<[string, unknown]>([
    ['no list', undefined],
    ['the list of cuts', { status_list: { idx: 0, uri: 'https://x.example/test/status-lists/cuts' } }],
    ['what is no address of a list', { status_list: { idx: 0, uri: 'https://x.example/lists/1' } }],
  ])('a token that names %s is refused: nobody could tell whether it was revoked', async (_, status) => {
    expect(await verdict(verifier().verify(token({ status })))).toBe('TOKEN_MALFORMED')
  })

  test('an address in a token is never fetched from', async () => {
    const place = { status_list: { idx: INDEX, uri: 'http://169.254.169.254/latest/status-lists/1' } }
    expect(await verdict(verifier().verify(token({ status: place })))).toBe('UNAVAILABLE')
    expect(issuer.asked).toContain('/test/status-lists/1')
  })

  test('with a secret, tokens are sealed by it and lists by the published keys', async () => {
    const secret = 's'.repeat(32)
    const header = headerOf({ ...KEY, alg: 'HS256' as never })
    const sealed = hs256(secret, header, claimsOf(issuer.issuer, times()))
    expect(await verdict(verifier({ secret }).verify(sealed))).toBe('ok')
    issuer.statuses = { [INDEX]: 1 }
    expect(await verdict(verifier({ secret }).verify(sealed))).toBe('TOKEN_REVOKED')
  })

  test('with keys of your own nothing is fetched, and nothing is seen', async () => {
    issuer.statuses = { [INDEX]: 1 }
    expect(await verdict(verifier({ keys: { keys: [KEY.jwk] } }).verify(token()))).toBe('ok')
    expect(issuer.asked).toEqual([])
  })
})

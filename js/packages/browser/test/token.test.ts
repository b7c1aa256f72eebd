import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeToken, isExpired, secondsLeft } from '../src/index.js'
import { mintTestToken } from '../src/testing/index.js'
import { checkToken, lifeSecondsOf } from '../src/token.js'

const token = mintTestToken({ sub: 'ada', iat: 1000, expiresIn: 60, city: 'Zürich' })
const bare = token.replace('gp_session_test_', '')
const code = (work: () => unknown) => {
  try {
    work()
  } catch (thrown) {
    return (thrown as { code: string }).code
  }
  return 'ok'
}

describe('decodeToken', () => {
  test.each([
    ['a prefixed token', token],
    ['a bare JWT', bare],
  ])('reads the claims of %s, in UTF-8', (_, text) => {
    expect(decodeToken(text)).toMatchObject({ sub: 'ada', iat: 1000, exp: 1060, city: 'Zürich' })
  })

  test('refuses whatever is no JWT with TOKEN_MALFORMED', () => {
    for (const text of ['', 'a', 'a.b.c', 'a.bnVsbA.c', 'gp_session_test_01opaque']) {
      expect(code(() => decodeToken(text))).toBe('TOKEN_MALFORMED')
    }
    fc.assert(
      fc.property(fc.string(), (text) => ['ok', 'TOKEN_MALFORMED'].includes(code(() => decodeToken(text)))),
    )
  })
})

describe('secondsLeft and isExpired', () => {
  test('count to exp, and a token is over from the second exp on', () => {
    expect(secondsLeft(token, 1_059_500)).toBe(0.5)
    expect(isExpired(token, 1_059_999)).toBe(false)
    expect(isExpired(token, 1_060_000)).toBe(true)
  })

  test('take a token that does not say when it ends for one that is over', () => {
    expect(isExpired(`x.${btoa('{}')}.y`, 0)).toBe(true)
    expect(isExpired(`x.${btoa('{"exp":"soon"}')}.y`, 0)).toBe(true)
  })

  test('count a session by its own end', () => {
    expect(secondsLeft({ sessionToken: 'opaque', lifeSeconds: 60, localExpiresAt: 5000 }, 2000)).toBe(3)
  })
})

describe('the life of an answer', () => {
  const at = Date.parse('2030-01-01T00:00:00Z')
  test.each([
    ['expiresIn first', { sessionToken: token, expiresIn: 30, expiresAt: '2030-01-01T01:00:00Z' }, 30],
    ['else what the JWT says', { sessionToken: token, expiresAt: '2030-01-01T01:00:00Z' }, 60],
    [
      'else expiresAt against the answer’s own Date',
      { sessionToken: 'opaque', expiresAt: '2030-01-01T00:02:00Z' },
      120,
    ],
    ['and a Date will do', { sessionToken: 'opaque', expiresAt: new Date(at + 1000) }, 1],
  ])('%s', (_, answer, life) => {
    expect(lifeSecondsOf(answer, at)).toBe(life)
  })

  test('is unknown, not endless, where nothing tells it', () => {
    expect(lifeSecondsOf({ sessionToken: 'opaque' }, at)).toBeNaN()
    expect(lifeSecondsOf({ sessionToken: 'opaque', expiresAt: 'soon' }, at)).toBeNaN()
  })
})

test.each([
  ['sk_test_abc', 'SECRET_KEY_REFUSED'],
  ['sk_live_abc', 'SECRET_KEY_REFUSED'],
  ['gp_refresh_test_abc', 'SECRET_KEY_REFUSED'],
  ['acme_refresh_live_abc', 'SECRET_KEY_REFUSED'],
  ['', 'TOKEN_MALFORMED'],
  ['a b', 'TOKEN_MALFORMED'],
  ['a\r\nX-Evil: 1', 'TOKEN_MALFORMED'],
  [undefined, 'TOKEN_MALFORMED'],
  [7, 'TOKEN_MALFORMED'],
  [token, 'ok'],
])('checkToken(%j) is %s', (text, expected) => {
  expect(code(() => checkToken(text))).toBe(expected)
})

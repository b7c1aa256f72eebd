import { LEEWAY_SECONDS_MAX } from './check.js'
import { isObject, type KeySet } from './keys.js'
import { isWhole, malformed, openPublished } from './published.js'
import { INVALID, INVALID_REISSUE, type Status, VALID } from './status-list.js'
import type { Json } from './strict-json.js'

/** Milliseconds below which sessions have ended: for good, and by a revoke with `reissue`; 0: none. */
interface Marks {
  readonly beforeMs: number
  readonly reissueBeforeMs: number
}

/**
 * The cuts of one issuer: how a bulk revoke reaches verifiers, without saying who was meant (docs/adr/0012). A token
 * carries tags of its user, its organization and its API key; a cut names one of them, or `*`, everybody.
 */
export interface CutList {
  readonly iat: number
  readonly exp: number
  readonly ttl: number
  readonly marks: ReadonlyMap<string, Marks>
}

/** The last part of its address, where a status list has its number. */
export const CUTS = 'cuts'
export const CUT_LIST_CHARACTERS_MAX: number = 8 * 1024 * 1024
const EVERYBODY = '*'
const UNMARKED: Marks = { beforeMs: 0, reissueBeforeMs: 0 }
const LIFE_SECONDS_MAX = 86_400
const SESSION_ID = /^sess_([0-7][0-9a-hjkmnp-tv-z]{9})[0-9a-hjkmnp-tv-z]{16}$/
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/** Opens the list that was fetched for `uri`. @throws PublishedRefused. */
export function readCutList(text: string, keys: KeySet, uri: string, now: number): CutList {
  const lengthMax = CUT_LIST_CHARACTERS_MAX
  const { iat, exp, ttl, cuts } = openPublished(text, keys, { typ: CUT_LIST_TYP, uri, lengthMax, now })
  if (!isObject(cuts)) throw malformed()
  return { iat, exp, ttl, marks: new Map(Object.entries(cuts).map(([tag, marks]) => [tag, marksIn(marks)])) }
}

const CUT_LIST_TYP = 'guestpass-cuts+jwt'

/**
 * How a session (`sess_…`) with these tags stands. A token without tags may be meant by any cut, and a session whose id
 * has no time in it has ended by each: both fail closed.
 */
export function cutStatusOf(
  { marks }: CutList,
  sessionId: string,
  tags: readonly string[] | undefined,
): Status {
  if (marks.size === 0) return VALID
  const named =
    tags === undefined ? [...marks.values()] : [EVERYBODY, ...tags].flatMap((tag) => marks.get(tag) ?? [])
  const { beforeMs, reissueBeforeMs } = named.reduce(joined, UNMARKED)
  const mintedMs = mintedMsOf(sessionId)
  if (mintedMs < beforeMs) return INVALID // a cut without `reissue` wins over one with it
  return mintedMs < reissueBeforeMs ? INVALID_REISSUE : VALID
}

/** `fetched` with every cut of `known` that may still cover a living token: a cut is final. */
export function mergedCuts(known: CutList, fetched: CutList): CutList {
  const oldestMs = (fetched.iat - LIFE_SECONDS_MAX - LEEWAY_SECONDS_MAX) * 1000
  const marks = new Map(fetched.marks)
  for (const [tag, its] of known.marks) {
    if (Math.max(its.beforeMs, its.reissueBeforeMs) > oldestMs)
      marks.set(tag, joined(its, marks.get(tag) ?? UNMARKED))
  }
  return { ...fetched, iat: Math.max(known.iat, fetched.iat), marks }
}

function joined(one: Marks, other: Marks): Marks {
  return {
    beforeMs: Math.max(one.beforeMs, other.beforeMs),
    reissueBeforeMs: Math.max(one.reissueBeforeMs, other.reissueBeforeMs),
  }
}

function marksIn(value: Json): Marks {
  const [beforeMs, reissueBeforeMs, ...more] = Array.isArray(value) ? value : []
  if (!isWhole(beforeMs) || !isWhole(reissueBeforeMs) || more.length > 0) throw malformed()
  return { beforeMs, reissueBeforeMs }
}

/** The first 48 bits of a UUIDv7 (RFC 9562 section 5.7) are Unix milliseconds: 3 + 9 * 5 bits of base 32. */
function mintedMsOf(sessionId: string): number {
  const digits = SESSION_ID.exec(sessionId)?.[1] ?? ''
  return [...digits].reduce((number, digit) => number * 32 + ALPHABET.indexOf(digit), 0)
}

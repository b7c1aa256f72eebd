import { isObject } from './keys.js'
import { type Json, type JsonObject, parseStrictJson } from './strict-json.js'

/** RFC 7519 section 4.1 and RFC 9068 section 2.2; times are whole Unix seconds. Claims not named here are ignored. */
export interface SessionClaims {
  readonly iss: string
  readonly aud: string
  /** The host's id of the user. */
  readonly sub: string
  readonly iat: number
  /** Invalid from this second on. */
  readonly exp: number
  /** The session. */
  readonly sid: string
  readonly jti: string
  /** The API key that minted. */
  readonly client_id: string
  readonly project_id: string
  readonly environment: string
  /** Absent: nothing is allowed. */
  readonly scope?: string
  readonly nbf?: number
  readonly organization_id?: string
  readonly max_uses?: number
  /** Where its status is published (Token Status List, section 6.1); `cuts` are its tags, a mechanism of our own. */
  readonly status?: {
    readonly status_list: { readonly idx: number; readonly uri: string }
    readonly cuts?: readonly string[]
  }
}

const TAG_CHARACTERS = 12
const TAGS_MAX = 8

type Rule = (value: Json) => boolean

const isText: Rule = (value) => typeof value === 'string'
// The reader has made NaN of fractions, exponents and what lies beyond 2^53.
const isTime: Rule = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const isCount: Rule = (value) => Number.isSafeInteger(value) && (value as number) >= 1
/** 12 characters, whatever they are, so that a longer kind of tag is a new kind of token. */
const isTag: Rule = (value) => typeof value === 'string' && [...value].length === TAG_CHARACTERS
const isTags: Rule = (value) => Array.isArray(value) && value.length <= TAGS_MAX && value.every(isTag)
const isStatus: Rule = (value) => {
  const { status_list: entry, cuts } = isObject(value) ? value : {}
  const hasPlace = isObject(entry) && isTime(entry.idx ?? null) && isText(entry.uri ?? null)
  return hasPlace && (cuts === undefined || isTags(cuts))
}

const REQUIRED: Readonly<Record<string, Rule>> = {
  iss: isText,
  aud: isText,
  sub: isText,
  iat: isTime,
  exp: isTime,
  sid: isText,
  jti: isText,
  client_id: isText,
  project_id: isText,
  environment: isText,
}
const OPTIONAL: Readonly<Record<string, Rule>> = {
  scope: isText,
  status: isStatus,
  nbf: isTime,
  organization_id: isText,
  max_uses: isCount,
}

/**
 * Reads the payload of a token whose signature holds.
 *
 * @returns undefined where a claim is missing or not of its type: a time that is text, a fraction, negative
 * or beyond 2^53, an audience that is an array, a duplicate member.
 */
export function readClaims(payload: Uint8Array): SessionClaims | undefined {
  const claims = parseStrictJson(payload)
  if (!isObject(claims)) return undefined
  const fits = (name: string, rule: Rule): boolean => claims[name] !== undefined && rule(claims[name])
  const hasAll = Object.entries(REQUIRED).every(([name, rule]) => fits(name, rule))
  const restFits = Object.entries(OPTIONAL).every(
    ([name, rule]) => claims[name] === undefined || fits(name, rule),
  )
  return hasAll && restFits ? (claims as JsonObject & SessionClaims) : undefined
}

/** The unverified `iss` of a payload: it may choose a code and whether to fetch, and nothing else. */
export function unverifiedIssuer(payload: Uint8Array): string | undefined {
  const claims = parseStrictJson(payload)
  const issuer = isObject(claims) ? claims.iss : undefined
  return typeof issuer === 'string' ? issuer : undefined
}

import { inflateSync } from 'node:zlib'
import { decodeBase64url } from './base64url.js'
import { isObject, type KeySet } from './keys.js'
import { malformed, openPublished, PublishedRefused } from './published.js'

/** Token Status List (IETF), sections 4 and 5: one small number for each token. 3 is ours: ended, with `reissue`. */
export const VALID = 0
export const INVALID = 1
export const SUSPENDED = 2
export const INVALID_REISSUE = 3
export type Status = 0 | 1 | 2 | 3

/** A list as a verifier keeps it: a byte for four tokens of ours, which are two bits wide. */
export interface StatusList {
  readonly iat: number
  readonly exp: number
  readonly ttl: number
  readonly bits: number
  readonly packed: Uint8Array
}

const BITS = 2
const WIDTHS: readonly unknown[] = [1, 2, 4, 8]
/** 2^19 tokens of two bits; a list of ours has 2^16. */
const PACKED_BYTES_MAX = 128 * 1024
export const STATUS_LIST_CHARACTERS_MAX: number = 256 * 1024
const LOW_BITS = 0x55

/** Opens the list that was fetched for `uri`. @throws PublishedRefused. */
export function readStatusList(text: string, keys: KeySet, uri: string, now: number): StatusList {
  const lengthMax = STATUS_LIST_CHARACTERS_MAX
  const {
    iat,
    exp,
    ttl,
    status_list: body,
  } = openPublished(text, keys, {
    typ: 'statuslist+jwt',
    uri,
    lengthMax,
    now,
  })
  if (!isObject(body) || !WIDTHS.includes(body.bits) || typeof body.lst !== 'string') throw malformed()
  return { iat, exp, ttl, bits: body.bits as number, packed: inflated(body.lst) }
}

/** @returns undefined beyond the end of the list. A status of a wider list that is not known here is invalid. */
export function statusAt({ packed, bits }: StatusList, index: number): Status | undefined {
  const byte = packed[Math.floor((index * bits) / 8)]
  if (byte === undefined) return undefined
  const status = (byte >> ((index * bits) % 8)) & ((1 << bits) - 1)
  return status <= INVALID_REISSUE ? (status as Status) : INVALID
}

/**
 * `fetched` with every ending that `known` holds. A place is never used twice, so an ending is final: a list that comes
 * late or from a cache revives nobody. Of two endings the one without `reissue` wins; a suspension is the younger's.
 */
export function mergedLists(known: StatusList, fetched: StatusList): StatusList {
  const size = fetched.packed.length
  if (fetched.bits !== BITS || known.bits !== BITS || known.packed.length !== size) return fetched
  const packed = new Uint8Array(size)
  const isYounger = fetched.iat >= known.iat
  for (let at = 0; at < size; at += 1)
    packed[at] = mergedByte(known.packed[at] as number, fetched.packed[at] as number, isYounger)
  return { ...fetched, iat: Math.max(known.iat, fetched.iat), packed }
}

function mergedByte(before: number, after: number, isYounger: boolean): number {
  const ended = (before | after) & LOW_BITS // the low bit alone tells an ending: 1 and 3 have it, 0 and 2 do not
  // Each of the two that ended it says reissue.
  const reissue = (~before | (before >> 1)) & (~after | (after >> 1)) & ended
  const suspended = ((isYounger ? after : before) >> 1) & LOW_BITS & ~ended
  return ended | ((reissue | suspended) << 1)
}

/** Never more than the bound is made, however much was compressed (ZLIB, RFC 1950). */
function inflated(lst: string): Uint8Array {
  const bytes = decodeBase64url(lst)
  if (bytes === undefined) throw new PublishedRefused('the list is not in base64url')
  try {
    const { buffer, engine } = inflateSync(bytes, {
      maxOutputLength: PACKED_BYTES_MAX,
      info: true,
    }) as never as {
      buffer: Buffer
      engine: { bytesWritten: number }
    }
    if (engine.bytesWritten === bytes.length) return new Uint8Array(buffer)
  } catch {
    throw new PublishedRefused(`the list was cut, is no ZLIB, or holds more than ${PACKED_BYTES_MAX} bytes`)
  }
  throw new PublishedRefused('something follows the list')
}

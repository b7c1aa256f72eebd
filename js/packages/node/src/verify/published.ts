import { decodeBase64url } from './base64url.js'
import { type Header, LEEWAY_SECONDS_MAX, readHeader } from './check.js'
import { isObject, type KeySet } from './keys.js'
import { type JsonObject, parseStrictJson } from './strict-json.js'

/**
 * What an issuer publishes about endings: signed, named by its address, and good for a while (Token Status List,
 * section 5.1). Two kinds: status lists, and the list of cuts (docs/adr/0012).
 */
export interface Published {
  /** The address at which it is published. */
  readonly sub: string
  readonly iat: number
  /** Not to be used from this second on. */
  readonly exp: number
  /** Seconds after which a copy is to be fetched again. */
  readonly ttl: number
}

/** A document that must not be used; the text says why, for the message of an error. */
export class PublishedRefused extends Error {}
/** It names a key that is not known here: perhaps a new one. */
export class PublishedKeyUnknown extends PublishedRefused {}

/** Never a secret: who checks a list could write one. */
const ALGORITHMS: ReadonlySet<string> = new Set(['ES256', 'EdDSA', 'RS256'])

/**
 * Opens a document that one of `keys` signed, whatever it says of itself.
 *
 * @throws PublishedRefused for one that was tampered with, is over, belongs to another address or is too long.
 */
export function openPublished(
  text: string,
  keys: KeySet,
  { typ, uri, lengthMax, now }: { typ: string; uri: string; lengthMax: number; now: number },
): JsonObject & Published {
  if (text.length > lengthMax) throw new PublishedRefused(`it is longer than ${lengthMax} characters`)
  const segments = text.split('.')
  const [header, payload, signature] = segments.map(decodeBase64url)
  if (segments.length !== 3 || !header || !payload || !signature) throw new PublishedRefused('it is no JWS')
  checkSeal(header, Buffer.from(text.slice(0, text.lastIndexOf('.'))), signature, keys, typ)
  const document = parseStrictJson(payload)
  if (!isPublished(document)) throw malformed()
  if (document.sub !== uri) throw new PublishedRefused('it is the document of another address')
  if (now >= document.exp)
    throw new PublishedRefused(`it expired ${now - document.exp} s ago by this verifier's clock`)
  if (document.iat - now > LEEWAY_SECONDS_MAX)
    throw new PublishedRefused(`it begins ${document.iat - now} s from now by this verifier's clock`)
  return document
}

/** @returns the refusal of a document whose claims are not what they have to be. */
export function malformed(): PublishedRefused {
  return new PublishedRefused('a claim is missing, or not of its type')
}

/** Whether it is whole and not negative, within 2^53. */
export function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function checkSeal(
  bytes: Uint8Array,
  signed: Uint8Array,
  signature: Uint8Array,
  keys: KeySet,
  typ: string,
): void {
  const header = headerOf(bytes)
  const key = keys.get(header.kid ?? '')
  if (key === undefined) throw new PublishedKeyUnknown('it names a key that the issuer does not publish')
  if (key.algorithm !== header.alg || !ALGORITHMS.has(key.algorithm))
    throw new PublishedRefused("it names an algorithm that is not its key's")
  if (header.typ !== typ) throw new PublishedRefused(`its type is not ${typ}`)
  if (!key.verifies(signed, signature)) throw new PublishedRefused('its signature does not fit')
}

function headerOf(bytes: Uint8Array): Header {
  try {
    return readHeader(bytes)
  } catch {
    throw new PublishedRefused('its header is not one of ours')
  }
}

function isPublished(value: ReturnType<typeof parseStrictJson>): value is JsonObject & Published {
  if (!isObject(value)) return false
  const { sub, iat, exp, ttl } = value
  return typeof sub === 'string' && isWhole(iat) && isWhole(exp) && isWhole(ttl) && ttl >= 1
}

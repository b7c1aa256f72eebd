import { createHmac } from 'node:crypto'

const TIMESTAMP = /^[0-9]{10}$/
const NONCE = /^[A-Za-z0-9_-]{16,64}$/
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/
const LINE_BREAK = /[\r\n]/

/** What a signature covers. Text is taken as UTF-8; pass bytes for a body that is not text. */
export interface SignedParts {
  /** `GET`, `POST`, …: upper case. */
  readonly method: string
  /** The path with its query, byte for byte as it is sent: `/v1/sessions?limit=20`. */
  readonly path: string
  /** Unix seconds, ten digits; the server accepts 300 s either way. */
  readonly timestamp: number
  /** 16 to 64 of `A-Za-z0-9_-`, new for every try. */
  readonly nonce?: string | undefined
  /** 1 to 255 visible ASCII characters, as sent in `Idempotency-Key`; needs a nonce. */
  readonly idempotencyKey?: string | undefined
  /** As sent; counts only beside a body. */
  readonly contentType?: string | undefined
  readonly body?: string | Uint8Array | undefined
}

/**
 * The text that a signed request signs: method, path with query, `timestamp[.nonce[.key]]`, content type
 * and raw body, joined by `\n`. The body is last, so that no other part can be re-cut into it.
 *
 * @throws RangeError where a part breaks its rule, above all a line break in a part before the body.
 */
export function canonicalText(parts: SignedParts): Uint8Array {
  const body = typeof parts.body === 'string' ? Buffer.from(parts.body) : (parts.body ?? new Uint8Array())
  const contentType = body.length > 0 ? (parts.contentType ?? '') : ''
  if (!/^[A-Z]+$/.test(parts.method)) throw new RangeError('method must be upper-case letters')
  if (!parts.path.startsWith('/') || LINE_BREAK.test(parts.path))
    throw new RangeError('path must begin with /')
  if (LINE_BREAK.test(contentType)) throw new RangeError('contentType must be one line')
  const head = [parts.method, parts.path, thirdLine(parts), contentType, ''].join('\n')
  return Buffer.concat([Buffer.from(head), body])
}

/**
 * The value of `X-API-Signature`: lower-case hex HMAC-SHA256 of the canonical text under the bytes of the secret.
 *
 * @param secretKey - The whole `sk_…` text of a key that was made with signing on.
 */
export function signatureOf(secretKey: string, parts: SignedParts): string {
  return createHmac('sha256', Buffer.from(secretKey, 'ascii')).update(canonicalText(parts)).digest('hex')
}

function thirdLine({ timestamp, nonce, idempotencyKey }: SignedParts): string {
  if (!TIMESTAMP.test(String(timestamp))) throw new RangeError('timestamp must be Unix seconds in ten digits')
  if (nonce === undefined) {
    if (idempotencyKey !== undefined) throw new RangeError('an idempotencyKey needs a nonce')
    return String(timestamp)
  }
  if (!NONCE.test(nonce)) throw new RangeError('nonce must be 16 to 64 of A-Za-z0-9_-')
  if (idempotencyKey === undefined) return `${timestamp}.${nonce}`
  if (!IDEMPOTENCY_KEY.test(idempotencyKey)) throw new RangeError(IDEMPOTENCY_KEY_RULE)
  return `${timestamp}.${nonce}.${idempotencyKey}`
}

export const IDEMPOTENCY_KEY_RULE = 'idempotencyKey must be 1 to 255 visible ASCII characters'

export function isIdempotencyKey(text: string): boolean {
  return IDEMPOTENCY_KEY.test(text)
}

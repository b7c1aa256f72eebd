import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

/** Whose session it is: another organization of the same user is another owner, since the token names it. */
export interface Owner {
  readonly externalUserId: string
  readonly externalOrganizationId?: string | null | undefined
}

/** Whose a cookie is, and which page may use it (docs/adr/0021). */
export interface HostProofs {
  /** 43 characters that say: this session (`sess_…`) is this owner's. */
  ofOwner(sessionId: string, owner: Owner): string
  isOwner(proof: string, sessionId: string, owner: Owner): boolean
  /** 43 characters that a page of this session sends back in `X-Guestpass-CSRF`. */
  csrfToken(sessionId: string): string
  isCsrfToken(shown: string, sessionId: string): boolean
}

const KEY_BYTES = 32
const LABELS = { owner: 'guestpass/host/owner/v1', csrf: 'guestpass/host/csrf/v1' } as const

/** One of the two keys that an API key's secret gives: HKDF-SHA256 (RFC 5869), neither is the secret nor gives it away. */
export function hostKey(secret: string, which: keyof typeof LABELS): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', LABELS[which], KEY_BYTES))
}

/**
 * Makes proofs under the secret of an API key, and also believes those of earlier ones while servers change over.
 */
export function hostProofs(secret: string, earlierSecrets: readonly string[] = []): HostProofs {
  const keysOf = (one: string) => ({ owner: hostKey(one, 'owner'), csrf: hostKey(one, 'csrf') })
  const newest = keysOf(secret)
  const all = [newest, ...earlierSecrets.map(keysOf)]
  return {
    ofOwner: (sessionId, owner) => proof(newest.owner, ownerText(sessionId, owner)),
    isOwner: (shown, sessionId, owner) => {
      const text = ownerText(sessionId, owner)
      return all.some((keys) => equal(shown, proof(keys.owner, text)))
    },
    csrfToken: (sessionId) => proof(newest.csrf, Buffer.from(sessionId)),
    isCsrfToken: (shown, sessionId) =>
      all.some(({ csrf }) => equal(shown, proof(csrf, Buffer.from(sessionId)))),
  }
}

/** Each part with its length before it, so that no two owners have one text. */
function ownerText(sessionId: string, { externalUserId, externalOrganizationId }: Owner): Buffer {
  const parts = [sessionId, externalUserId, externalOrganizationId ?? ''].map((part) => Buffer.from(part))
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(part.length)
      return [length, part]
    }),
  )
}

function proof(key: Buffer, text: Buffer): string {
  return createHmac('sha256', key).update(text).digest('base64url')
}

function equal(shown: string, expected: string): boolean {
  const [one, other] = [Buffer.from(shown), Buffer.from(expected)]
  return one.length === other.length && timingSafeEqual(one, other)
}

import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer } from 'node:http'
import { listen } from './service.js'

export const NOW = 1_790_000_000
export const PROJECT = 'proj_01jd0000000000000000000000'

export type Alg = 'ES256' | 'EdDSA' | 'RS256'
export interface SigningKey {
  readonly alg: Alg
  readonly kid: string
  readonly privateKey: KeyObject
  readonly jwk: Record<string, unknown>
}

export function makeKey(alg: Alg = 'ES256', kid = `${alg}-1`): SigningKey {
  const pair = {
    ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    EdDSA: () => generateKeyPairSync('ed25519'),
    RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  }[alg]()
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' }
  return { alg, kid, privateKey: pair.privateKey, jwk }
}

export const base64url = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** The claims of a good token of `issuer`, at `NOW`. */
export const claimsOf = (issuer: string, change: Record<string, unknown> = {}): Record<string, unknown> => ({
  iss: issuer,
  aud: issuer,
  sub: 'user_123',
  iat: NOW - 10,
  exp: NOW + 3590,
  sid: 'sess_01jd0000000000000000000000',
  jti: 'sess_01jd0000000000000000000000',
  client_id: 'key_01jd0000000000000000000000',
  project_id: PROJECT,
  environment: issuer.includes('/live') ? 'live' : 'test',
  scope: 'read_invoices write_invoices',
  ...change,
})

/** Signs header and payload as they are given: objects, or text that no encoder would write. */
export function jws(key: SigningKey, header: unknown, payload: unknown): string {
  const signed = `${base64url(header)}.${base64url(payload)}`
  const bytes = Buffer.from(signed)
  const signature =
    key.alg === 'EdDSA'
      ? sign(null, bytes, key.privateKey)
      : sign('sha256', bytes, { key: key.privateKey, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

export const headerOf = (key: SigningKey, change: Record<string, unknown> = {}): Record<string, unknown> => ({
  alg: key.alg,
  kid: key.kid,
  typ: 'guestpass-session+jwt',
  ...change,
})

export const bareToken = (key: SigningKey, issuer: string, change: Record<string, unknown> = {}): string =>
  jws(key, headerOf(key), claimsOf(issuer, change))

export const sessionToken = (key: SigningKey, issuer: string, change: Record<string, unknown> = {}): string =>
  `gp_session_test_${bareToken(key, issuer, change)}`

export function hs256(secret: string, header: unknown, payload: unknown): string {
  const signed = `${base64url(header)}.${base64url(payload)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

/** A key set on a real port; `keys` may be changed, `down` answers 503, `fetches` counts. */
export interface Issuer {
  readonly base: string
  readonly issuer: string
  keys: SigningKey[]
  down: boolean
  fetches: number
}

export async function startIssuer(...keys: SigningKey[]): Promise<Issuer> {
  const server = createServer((request, response) => {
    state.fetches += 1
    if (state.down || !request.url?.endsWith('/test/.well-known/jwks.json'))
      return response.writeHead(503).end()
    return response.end(JSON.stringify({ keys: state.keys.map(({ jwk }) => jwk) }))
  })
  const base = await listen(server)
  const state: Issuer = { base, issuer: `${base}/test`, keys, down: false, fetches: 0 }
  return state
}

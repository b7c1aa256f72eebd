import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer } from 'node:http'
import { deflateSync } from 'node:zlib'
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

/** Where the token of `claimsOf` is in its list. */
export const INDEX = 7

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
  status: { status_list: { idx: INDEX, uri: `${issuer}/status-lists/1` }, cuts: ['tag_of_ada__'] },
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

/** Statuses of two bits each, as a status list carries them. */
export function packed(statuses: Readonly<Record<number, number>>, places = 64): string {
  const bytes = new Uint8Array(places / 4)
  for (const [index, status] of Object.entries(statuses))
    bytes[Math.floor(Number(index) / 4)]! |= status << ((Number(index) % 4) * 2)
  return deflateSync(bytes).toString('base64url')
}

type Claims = Readonly<Record<string, unknown>>

/** Keys and lists on a real port. What it publishes may be changed; `fetches` counts those of keys, `asked` is all. */
export interface Issuer {
  readonly base: string
  readonly issuer: string
  keys: SigningKey[]
  /** Everything is answered 503. */
  down: boolean
  /** Lists are answered 503. */
  listsDown: boolean
  fetches: number
  readonly asked: string[]
  /** Statuses by place, of the one list. */
  statuses: Record<number, number>
  cuts: Record<string, unknown>
  /** Seconds since 1970 at which lists are made. */
  now: () => number
  /** Changes of the claims of the lists. */
  change: { list?: Claims; cuts?: Claims; header?: Claims }
  /** Who signs lists, where it is not the first of `keys`. */
  listKey: SigningKey | undefined
  suspendedOperations: unknown
}

export async function startIssuer(...keys: SigningKey[]): Promise<Issuer> {
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    state.asked.push(path)
    const isKeys = path.endsWith('/test/.well-known/jwks.json')
    if (isKeys || !path.startsWith('/test/')) state.fetches += 1
    const body = state.down ? undefined : bodyOf(state, path)
    if (body === undefined) return response.writeHead(503).end()
    const etag = `"${body.length} ${body.slice(-20)}"`
    if (!isKeys && request.headers['if-none-match'] === etag) return response.writeHead(304).end()
    return response.writeHead(200, { ETag: etag }).end(body)
  })
  const base = await listen(server)
  const state: Issuer = {
    base,
    issuer: `${base}/test`,
    keys,
    down: false,
    listsDown: false,
    fetches: 0,
    asked: [],
    statuses: {},
    cuts: {},
    now: () => Math.floor(Date.now() / 1000),
    change: {},
    listKey: undefined,
    suspendedOperations: undefined,
  }
  return state
}

function bodyOf(state: Issuer, path: string): string | undefined {
  const { issuer, suspendedOperations } = state
  if (path === '/test/.well-known/jwks.json')
    return JSON.stringify({ keys: state.keys.map(({ jwk }) => jwk) })
  if (path === '/test/.well-known/oauth-authorization-server')
    return JSON.stringify({ issuer, suspendedOperations })
  if (state.listsDown) return undefined
  if (path === '/test/status-lists/1') return publishedList(state)
  return path === '/test/status-lists/cuts' ? publishedCuts(state) : undefined
}

const signed = ({ keys, listKey, change }: Issuer, typ: string, claims: Claims): string => {
  const key = listKey ?? keys[0]!
  return jws(key, headerOf(key, { typ, ...change.header }), claims)
}

function publishedList(state: Issuer): string {
  const now = state.now()
  const claims = { sub: `${state.issuer}/status-lists/1`, iat: now, exp: now + 3600, ttl: 5 }
  const body = { bits: 2, lst: packed(state.statuses) }
  return signed(state, 'statuslist+jwt', { ...claims, status_list: body, ...state.change.list })
}

function publishedCuts(state: Issuer): string {
  const now = state.now()
  const claims = {
    sub: `${state.issuer}/status-lists/cuts`,
    iat: now,
    exp: now + 3600,
    ttl: 5,
    cuts: state.cuts,
  }
  return signed(state, 'guestpass-cuts+jwt', { ...claims, ...state.change.cuts })
}

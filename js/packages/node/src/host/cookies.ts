import type { Environment } from '../client/model.js'

/** The cookie that holds a refresh token on the host's origin: its name, its value, and how it is read. RFC 6265. */
export interface CookieName {
  readonly name: string
  readonly secure: boolean
}

/** A cookie's value that has the right shape; nothing of it is proven yet. */
export interface Kept {
  readonly sessionId: string
  readonly refreshToken: string
  readonly proof: string
}

const VALUE_CHARACTERS_MAX = 512
const LOCAL_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?$/i
const REFRESH_TOKEN = '[a-z]+_refresh_(test|live)_([0-7][0-9a-hjkmnp-tv-z]{25})[0-9A-Za-z_-]{16,}'
const TOKEN = new RegExp(`^${REFRESH_TOKEN}$`)
const VALUE = new RegExp(`^(${REFRESH_TOKEN})\\.([0-9A-Za-z_-]{43})$`)

/**
 * The cookie's name for the address that a request was made to.
 *
 * Browsers differ on whether `http://localhost` may set a Secure cookie, so there the name is plain, for test keys
 * alone: behind a proxy that hides its own name every address looks local, and a live cookie must not lose its guard.
 */
export function cookieName(environment: Environment, scheme: string, host: string): CookieName {
  const plain = environment === 'test' && scheme === 'http' && LOCAL_HOST.test(host)
  return plain
    ? { name: `gp_refresh_${environment}`, secure: false }
    : { name: `__Host-gp_refresh_${environment}`, secure: true }
}

/** The `Set-Cookie` that lets a browser keep `value`; 0 seconds let it forget. */
export function setCookie({ name, secure }: CookieName, value: string, maxAgeSeconds: number): string {
  const flags = `Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`
  return `${name}=${value}; ${flags}`
}

/** The id `sess_…` that a refresh token carries; undefined where it has not the shape of one. */
export function sessionIdOf(refreshToken: string): string | undefined {
  const id = TOKEN.exec(refreshToken)?.[2]
  return id && `sess_${id}`
}

/**
 * The well-formed values that a Cookie header has under `name`, each once, in its order. There may be several: of a
 * cookie without `__Host-`, another path or domain may have set one.
 */
export function readCookies(header: string, name: string, environment: Environment): Kept[] {
  const found = new Map<string, Kept>()
  for (const pair of header.split(';')) {
    const [key, ...rest] = pair.replace(/^[ \t]+|[ \t]+$/g, '').split('=')
    const value = rest.join('=')
    if (key !== name || value.length > VALUE_CHARACTERS_MAX) continue
    const [, refreshToken, where, id, proof] = VALUE.exec(value) ?? []
    if (refreshToken && id && proof && where === environment && !found.has(value))
      found.set(value, { sessionId: `sess_${id}`, refreshToken, proof })
  }
  return [...found.values()]
}

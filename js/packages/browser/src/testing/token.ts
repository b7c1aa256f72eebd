import type { Environment } from '../token.js'

/** What a test token says. */
export interface TestTokenClaims {
  readonly sub?: string
  /** Unix seconds. */
  readonly iat: number
  /** Seconds the token lives. */
  readonly expiresIn: number
  readonly environment?: Environment
  readonly [claim: string]: unknown
}

let minted = 0

/** A token of the right shape with a signature that verifies nowhere; every one is different. */
export function mintTestToken({ iat, expiresIn, environment = 'test', ...claims }: TestTokenClaims): string {
  const sid = `sess_test${String(++minted).padStart(22, '0')}`
  const payload = { ...claims, iat, exp: iat + expiresIn, sid, jti: sid, environment }
  const parts = [{ alg: 'none', typ: 'guestpass-session+jwt' }, payload].map((part) =>
    encode(JSON.stringify(part)),
  )
  return `gp_session_${environment}_${parts.join('.')}.dGVzdA`
}

function encode(text: string): string {
  const binary = String.fromCharCode(...new TextEncoder().encode(text))
  return btoa(binary).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '')
}

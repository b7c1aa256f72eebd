// What the peer is asked to do: client_credentials and introspection, and nothing of OpenID Connect beside them.

import { generateKeyPairSync, randomBytes } from 'node:crypto'

export const CLIENT_ID = 'benchmark'
const RESOURCE = 'urn:guestpass:benchmark'
const LIFETIME_SECONDS = 3_600 // as Guestpass's default

/**
 * @param tokens `opaque`: random, stored, read back at introspection. `jwt`: signed with ES256, nothing stored.
 */
export function configuration({ adapter, tokens, clientSecret }) {
  return {
    adapter,
    clients: [client(clientSecret)],
    jwks: { keys: [signingKey()] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    ttl: { ClientCredentials: LIFETIME_SECONDS },
    // Each token names its user, so that both sides keep as much about as many distinct people.
    extraTokenClaims: (ctx) => ({ user: ctx.oidc.body.user }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: tokens === 'jwt',
        defaultResource: () => RESOURCE,
        getResourceServerInfo: () => ({
          scope: '',
          audience: RESOURCE,
          accessTokenTTL: LIFETIME_SECONDS,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  }
}

function client(clientSecret) {
  return {
    client_id: CLIENT_ID,
    client_secret: clientSecret,
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    id_token_signed_response_alg: 'ES256',
  }
}

function signingKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...privateKey.export({ format: 'jwk' }), kid: 'benchmark', alg: 'ES256', use: 'sig' }
}

import { Guestpass, RefreshTokenError } from '@guestpass/node'

const gp = new Guestpass()

// For a user whom you have signed in.
const login = await gp.auth.login({ externalUserId: 'user_42' })

// Use the refresh token, once; keep the new one in its place.
export const next = await gp.auth.refresh({ refreshToken: login.refreshToken })

// Or an access token by the session's id alone: nothing is rotated.
export const { accessToken } = await gp.auth.accessToken({ sessionId: login.sessionId })

export const { tokensRevoked } = await gp.auth.logout({ refreshToken: next.refreshToken })

export const ended = await gp.auth.refresh({ refreshToken: next.refreshToken }).catch((error: unknown) => {
  if (error instanceof RefreshTokenError) return error.code // REFRESH_TOKEN_REVOKED: sign in again
  throw error // not about the token: try again later
})

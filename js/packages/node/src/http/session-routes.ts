import { type Guestpass, proofsOf } from '../client/guestpass.js'
import type { LoginParams } from '../client/model.js'
import type { Facts } from '../host/facts.js'
import {
  answerFor,
  endSession,
  getSession,
  type Host,
  type HostRoute,
  isEveryday,
  refreshSession,
} from '../host/routes.js'
import { requestIdOf } from './answer.js'
import { addressOf, answerTo, headerOf, type Incoming, incomingOf, methodOf } from './frameworks.js'
import { checkFields, isForTheFramework, type SessionRoute, VARY } from './session-route.js'

/** Who is signed in: what to log them in with. */
export type LoginUser = LoginParams

export interface SessionRoutesOptions {
  /**
   * Hears what broke: `getUser` threw, the service is away or limits, or a call failed for a reason that is the host's.
   * The browser is told nothing of it. By default it goes to `console.error`.
   */
  onError?: ((error: unknown) => void) | undefined
  /** Secrets of API keys that the client's takes the place of: cookies that they sealed stay good. */
  earlierSecrets?: readonly string[] | undefined
}

/** The three routes, each for any of the frameworks, as `sessionRoute` is. */
export interface SessionRoutes {
  /** `GET /session` */
  readonly session: SessionRoute
  /** `POST /session/refresh` */
  readonly refresh: SessionRoute
  /** `POST /session/end` */
  readonly end: SessionRoute
}

// Typed as a record, so that a field added to the login cannot be forgotten here.
const FIELDS: Readonly<Record<keyof LoginUser, true>> = {
  externalUserId: true,
  email: true,
  emailVerified: true,
  externalOrganizationId: true,
  notBefore: true,
  allowedOperations: true,
  metadata: true,
}

/**
 * The routes that keep a renewable session in a cookie on your own origin, for `@guestpass/browser/refresh`: mount them
 * as `GET /session`, `POST /session/refresh` and `POST /session/end`, without CORS.
 *
 * The cookie is HttpOnly, Secure and SameSite=Strict, and says whose it is, under a key that the client's API key gives;
 * that key has to be able to `mint` and `revoke`. The two POSTs need the `csrfToken` of an answer in
 * `X-Guestpass-CSRF`. Who is answered what stands in docs/adr/0021.
 *
 * @param getUser - Gets what your framework hands to a route (Express `req`, `Request`, Hono's context) and returns what
 * to log in with, or null for a signed-out visitor. Annotate its parameter to have it checked.
 */
// biome-ignore lint/suspicious/noExplicitAny: without an annotation, `req` is whatever the framework hands over
export function sessionRoutes<Req = any>(
  gp: Guestpass,
  getUser: (req: Req) => LoginUser | null | undefined | Promise<LoginUser | null | undefined>,
  { onError = logError, earlierSecrets = [] }: SessionRoutesOptions = {},
): SessionRoutes {
  const host: Host = { auth: gp.auth, environment: gp.environment, proofs: proofsOf(gp, earlierSecrets) }
  const routeOf = (route: HostRoute, allow: 'GET' | 'POST') =>
    (async (...args: unknown[]): Promise<Response | undefined> => {
      const incoming = incomingOf(args)
      const facts = factsOf(incoming)
      const ask = async () => checked(await getUser(incoming.request as Req))
      const answer = await route(host, facts, ask).catch((error: unknown) => {
        if (isForTheFramework(error)) throw error
        if (!isEveryday(error)) onError(error)
        return answerFor(error, { ...facts, method: allow })
      })
      return answerTo(incoming, { ...answer, vary: VARY })
    }) as SessionRoute
  return {
    session: routeOf(getSession, 'GET'),
    refresh: routeOf(refreshSession, 'POST'),
    end: routeOf(endSession, 'POST'),
  }
}

function factsOf(incoming: Incoming): Facts {
  return {
    ...addressOf(incoming),
    method: methodOf(incoming),
    cookie: headerOf(incoming, 'Cookie') ?? '',
    csrf: headerOf(incoming, 'X-Guestpass-CSRF'),
    origin: headerOf(incoming, 'Origin'),
    fetchSite: headerOf(incoming, 'Sec-Fetch-Site'),
    requestId: requestIdOf(headerOf(incoming, 'X-Request-Id')),
  }
}

/** A lone surrogate is written as U+FFFD wherever it goes, so that it could be somebody else. */
function checked(user: LoginUser | null | undefined): LoginUser | null {
  if (!user) return null
  checkFields(user, FIELDS)
  const { externalUserId, externalOrganizationId = '' } = user
  for (const [name, id] of Object.entries({ externalUserId, externalOrganizationId })) {
    if (typeof id !== 'string' || /\p{Surrogate}/u.test(id))
      throw new TypeError(`getUser returned an ${name} that is not text.`)
  }
  if (!externalUserId) throw new TypeError('getUser returned no externalUserId.')
  return user
}

function logError(error: unknown): void {
  // biome-ignore lint/suspicious/noConsole: an error that nobody hears is worse; onError replaces it
  console.error('Guestpass sessionRoutes:', error)
}

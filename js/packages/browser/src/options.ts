import { SessionError } from './errors.js'
import type { Platform } from './platform.js'
import type { TokenStorage } from './tabs.js'
import type { SessionTokenAnswer } from './token.js'

/** What both modes share. */
export interface CommonOptions {
  /**
   * Who is signed in, as the page knows it; a change drops the token. `null`: nobody, so nothing is fetched. Tabs
   * share a token, and `storage` keeps one, only under a `userId`: without it nobody could tell that the next person
   * at this browser is another.
   */
  readonly userId?: string | null | undefined
  /** Your API. `fetch` sends the token to this origin only. Default: the page's own origin. */
  readonly apiUrl?: string | undefined
  /** In place of `apiUrl`: one API per environment, chosen by the token. */
  readonly apiUrls?: { readonly test: string; readonly live: string } | undefined
  /** Seams for tests; see `@guestpass/browser/testing`. */
  readonly platform?: Platform | undefined
}

/** What automatic mode adds. */
export interface AutomaticCommonOptions extends CommonOptions {
  /**
   * Where the token outlives the page. Default `memory`: nowhere. Anything else needs a `userId`, and any script on
   * the page can read it.
   */
  readonly storage?: 'memory' | 'sessionStorage' | 'localStorage' | TokenStorage | undefined
  readonly sessionToken?: undefined
}

/** Automatic mode: the client fetches from the host's endpoint, renews, and shares between tabs. */
export type AutomaticOptions = AutomaticCommonOptions &
  (
    | {
        /** Asked with GET, `cache: 'no-store'`, same-origin credentials; 10 s at most. */
        readonly sessionTokenUrl: string | URL
        readonly fetchToken?: undefined
      }
    | {
        /**
         * Ask the host in your own way: return its `Response` or its body, or `null` when nobody is signed in. Tabs
         * share what it returns when `apiUrl` (or `apiUrls`) and `userId` are the same. 10 s at most; `signal` is
         * aborted when the answer is not wanted any more.
         */
        readonly fetchToken: (request: {
          readonly signal: AbortSignal
        }) => Promise<SessionTokenAnswer | Response | null>
        readonly sessionTokenUrl?: undefined
      }
  )

/** What `onExpiring` may return. */
// biome-ignore lint/suspicious/noConfusingVoidType: a callback that returns nothing is of type void
export type Expiring = SessionTokenAnswer | null | undefined | void

/** Manual mode: the page has the token and is told when a new one is due. */
export type ManualOptions = CommonOptions &
  SessionTokenAnswer & {
    /**
     * A new token is due. Return it, or return nothing and call `setSessionToken` within 10 s; asked again with
     * growing pauses until one arrives. `null`: nobody is signed in any more.
     */
    readonly onExpiring?: (() => Expiring | Promise<Expiring>) | undefined
    readonly sessionTokenUrl?: undefined
    readonly fetchToken?: undefined
    readonly storage?: undefined
  }

/** Either mode. */
export type SessionClientOptions = AutomaticOptions | ManualOptions

/** Say at once what could never work. */
export function checkOptions({
  sessionTokenUrl,
  fetchToken,
  sessionToken,
  storage,
  userId,
}: SessionClientOptions): void {
  const problem =
    [sessionTokenUrl, fetchToken, sessionToken].filter(Boolean).length !== 1
      ? 'Give one of sessionTokenUrl, fetchToken, sessionToken.'
      : storage && storage !== 'memory' && userId === undefined && 'storage needs a userId.'
  if (problem) throw new SessionError('VALIDATION_ERROR', problem)
}

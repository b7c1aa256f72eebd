import type { SessionClient, SessionState } from '@guestpass/browser'
import { useContext, useSyncExternalStore } from 'react'
import { SessionContext } from './GuestpassProvider.js'

function useClientFor(hook: string): SessionClient {
  const client = useContext(SessionContext)
  if (!client) throw new Error(`${hook} needs a <GuestpassProvider> above it.`)
  return client
}

function useStateOf({ subscribe, getState, getServerState }: SessionClient): SessionState {
  return useSyncExternalStore(subscribe, getState, getServerState)
}

/** What the page can show now: `restoring`, `active`, `refreshing`, `offline` or `signedOut`. */
export function useSession(): SessionState {
  return useStateOf(useClientFor('useSession()'))
}

/**
 * The token, or undefined while there is none. To send it to your API, prefer {@link useSessionFetch}: a token that
 * was rendered may have ended when it is used.
 */
export function useSessionToken(): string | undefined {
  const state = useStateOf(useClientFor('useSessionToken()'))
  return 'session' in state ? state.session.sessionToken : undefined
}

/** As `window.fetch`, with the token for the API's origin; the same function in every render of a session. */
export function useSessionFetch(): SessionClient['fetch'] {
  return useClientFor('useSessionFetch()').fetch
}

/** The client itself, for `refresh()`, `end()` and `getToken()`. */
export function useSessionClient(): SessionClient {
  return useClientFor('useSessionClient()')
}

/** @internal What {@link SessionGate} shows by. */
export function useGate(): { readonly client: SessionClient; readonly state: SessionState } {
  const client = useClientFor('<SessionGate>')
  return { client, state: useStateOf(client) }
}

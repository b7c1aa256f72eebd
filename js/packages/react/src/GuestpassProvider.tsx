import { createSessionClient, type SessionClient, type SessionClientOptions } from '@guestpass/browser'
import { createContext, type ReactElement, type ReactNode, useEffect, useMemo, useRef } from 'react'

/** @internal The nearest provider's client. */
export const SessionContext: React.Context<SessionClient | undefined> = createContext<
  SessionClient | undefined
>(undefined)

/** Options of `createSessionClient`, or a client of your own. */
export type GuestpassProviderProps = { readonly children?: ReactNode } & (
  | (SessionClientOptions & { readonly client?: undefined })
  | { readonly client: SessionClient }
)

/**
 * Keep a session for everything below: automatic with `sessionTokenUrl` or `fetchToken`, manual with `sessionToken`.
 *
 * Another `userId`, endpoint, API or `sessionToken` begins a new session, and the old one is dropped. Functions may
 * change with every render; the newest is called.
 */
export function GuestpassProvider({ children, ...props }: GuestpassProviderProps): ReactElement {
  const client = useClient(props)
  const before = useRef(client)
  useEffect(() => {
    if (before.current !== client) {
      // A client that we made is nobody's any more: what it keeps in storage and has in flight goes with it.
      if (before.current.own) before.current.client.setUserId(null)
      before.current = client
    }
    return client.client.start()
  }, [client])
  return <SessionContext.Provider value={client.client}>{children}</SessionContext.Provider>
}

type Props = Omit<GuestpassProviderProps, 'children'>

/** A new client in the very render that brings another user, so that no child ever sees the old one's token. */
function useClient(props: Props): { readonly client: SessionClient; readonly own: boolean } {
  const latest = useRef(props)
  useEffect(() => {
    latest.current = props
  })
  const given = 'client' in props ? props.client : undefined
  const identity = JSON.stringify(props, (name, value) => (HANDLED_APART.has(name) ? undefined : value))
  // biome-ignore lint/correctness/useExhaustiveDependencies: identity stands for all that makes another session
  return useMemo(
    () =>
      given
        ? { client: given, own: false }
        : { client: createSessionClient(withLatest(props, latest)), own: true },
    [given, identity],
  )
}

/** Seams and places, which are set up once; and the end of a token, which itself says whether it is another. */
const HANDLED_APART = new Set(['client', 'platform', 'storage', 'expiresIn', 'expiresAt'])

/** Call the functions of the latest render, not those of the first. */
function withLatest(props: Props, latest: { readonly current: Props }): SessionClientOptions {
  const options = props as SessionClientOptions
  const now = () => latest.current as SessionClientOptions
  if (options.fetchToken) {
    const { fetchToken } = options
    return { ...options, fetchToken: (request) => (now().fetchToken ?? fetchToken)(request) }
  }
  if (options.sessionToken !== undefined && options.onExpiring) {
    const { onExpiring } = options
    const newest = () => {
      const present = now()
      return (present.sessionToken !== undefined ? present.onExpiring : undefined) ?? onExpiring
    }
    return { ...options, onExpiring: () => newest()() }
  }
  return options
}

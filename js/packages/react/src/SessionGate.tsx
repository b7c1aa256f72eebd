import type { SessionClient } from '@guestpass/browser'
import { type ReactElement, type ReactNode, useState } from 'react'
import { useGate } from './hooks.js'

/** What a gate shows when. */
export interface SessionGateProps {
  /** Before the session's first token, and never again: not while it is renewed, nor offline. */
  readonly fallback?: ReactNode
  /** When nobody is signed in. Default: the fallback before the first token, nothing after the session's end. */
  readonly signedOut?: ReactNode
  readonly children?: ReactNode
}

/** Show `children` from the session's first token on, until it has ended. */
export function SessionGate({ fallback, signedOut, children }: SessionGateProps): ReactElement {
  const { client, state } = useGate()
  const [opened, setOpened] = useState<SessionClient>()
  if ('session' in state && opened !== client) setOpened(client)
  const open = 'session' in state || opened === client
  if (state.status === 'signedOut') return <>{signedOut ?? (open ? null : fallback)}</>
  return <>{open ? children : fallback}</>
}

import { type SessionState, secondsLeft } from '@guestpass/browser'
import { useEffect, useState } from 'react'

const TICK_MS = 250

/** Seconds that the session's token still lives, counted down; undefined when there is none. */
export function useSecondsLeft(state: SessionState): number | undefined {
  const session = 'session' in state ? state.session : undefined
  const [, tick] = useState(0)
  useEffect(() => {
    if (!session) return
    const timer = setInterval(() => tick((count) => count + 1), TICK_MS)
    return () => clearInterval(timer)
  }, [session])
  return session && secondsLeft(session)
}

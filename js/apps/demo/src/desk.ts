import { useCallback, useEffect, useState } from 'react'

/** Somebody who works with the ledger. */
export interface Person {
  readonly id: string
  readonly name: string
  readonly role: string
  /** What this person's tokens may do. */
  readonly operations: readonly string[]
  readonly blocked: boolean
  /** Sessions that live now. */
  readonly live: number
}

/** A refresh that looked like theft. */
export interface OddRefresh {
  readonly id: string
  /** RFC 3339. */
  readonly at: string
  readonly person: string | null
  /** reuse, rate, origin or pause. */
  readonly kind: string
  /** What was done: recorded, suspended or revoked. */
  readonly outcome: string
  /** What it was seen by. */
  readonly evidence: Readonly<Record<string, unknown>>
}

/** What the host tells the page around the billing. */
export interface Desk {
  readonly me: string | null
  /** Tokens the host has minted since this browser signed in, whichever tab asked. */
  readonly tokensMinted: number
  readonly lineCut: boolean
  readonly people: readonly Person[]
  /** The newest first. */
  readonly anomalies: readonly OddRefresh[]
}

export type Deed = 'revoke' | 'reissue' | 'block' | 'unblock'

export interface DeskHandle {
  /** Undefined until the first answer. */
  readonly desk: Desk | undefined
  /** Whether the last question was answered. */
  readonly reachable: boolean
  /** Ask the host to do something, and look at the desk again. */
  readonly post: (path: string, body?: object) => Promise<void>
}

const POLL_MS = 2_000

/** The host's desk, looked at every two seconds: other tabs and the operator change it too. */
export function useDesk(): DeskHandle {
  const [desk, setDesk] = useState<Desk>()
  const [reachable, setReachable] = useState(true)

  const look = useCallback(async () => {
    try {
      setDesk(await ask('/api/desk'))
      setReachable(true)
    } catch {
      setReachable(false)
    }
  }, [])

  const post = useCallback(
    async (path: string, body: object = {}) => {
      try {
        await ask(path, body)
      } catch {
        setReachable(false)
      }
      await look()
    },
    [look],
  )

  useEffect(() => {
    const lookIfSeen = () => {
      if (document.visibilityState === 'visible') look()
    }
    look()
    const timer = setInterval(lookIfSeen, POLL_MS)
    document.addEventListener('visibilitychange', lookIfSeen)
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', lookIfSeen)
    }
  }, [look])

  return { desk, reachable, post }
}

async function ask(path: string, body?: object): Promise<Desk> {
  const json = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
  const response = await fetch(path, body && json)
  if (!response.ok) throw new Error(`${path} answered ${response.status}`)
  return response.json()
}

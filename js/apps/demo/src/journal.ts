import type { SessionClient } from '@guestpass/browser'
import { createContext, useContext, useEffect, useSyncExternalStore } from 'react'

export type Tone = 'good' | 'bad' | 'quiet' | 'busy'

/** One thing that happened. */
export interface Entry {
  readonly id: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly tone: Tone
  readonly text: string
  readonly detail: string
}

export interface Tally {
  readonly allowed: number
  readonly refused: number
}

interface Snapshot {
  /** Newest first. */
  readonly entries: readonly Entry[]
  /** Calls by operation. */
  readonly tallies: Readonly<Record<string, Tally>>
  /** How often this tab itself has asked the host for a token. */
  readonly asked: number
}

const ENTRIES_MAX = 80
const EMPTY: Snapshot = { entries: [], tallies: {}, asked: 0 }

/** What the SDK did in this tab. */
export class Journal {
  #now = EMPTY
  #last = 0
  readonly #listeners = new Set<() => void>()

  readonly read = (): Snapshot => this.#now

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** @param at - When it happened, by `performance.now()`. The browser tells of requests a little late. */
  note(tone: Tone, text: string, detail = '', at: number = performance.now()): void {
    const entry = { id: ++this.#last, at: performance.timeOrigin + at, tone, text, detail }
    const entries = [entry, ...this.#now.entries].sort((a, b) => b.at - a.at || b.id - a.id)
    this.#change({ entries: entries.slice(0, ENTRIES_MAX) })
  }

  count(operation: string, allowed: boolean): void {
    const { tallies } = this.#now
    const before = tallies[operation] ?? { allowed: 0, refused: 0 }
    const after = allowed
      ? { ...before, allowed: before.allowed + 1 }
      : { ...before, refused: before.refused + 1 }
    this.#change({ tallies: { ...tallies, [operation]: after } })
  }

  countAsked(): void {
    this.#change({ asked: this.#now.asked + 1 })
  }

  /** Another person's calls begin at nought. */
  startOver(): void {
    this.#change({ tallies: {}, asked: 0 })
  }

  #change(change: Partial<Snapshot>): void {
    this.#now = { ...this.#now, ...change }
    for (const listener of this.#listeners) listener()
  }
}

export const JournalContext = createContext(new Journal())

export function useJournal(): Journal {
  return useContext(JournalContext)
}

export function useJournalNow(): Snapshot {
  const { subscribe, read } = useJournal()
  return useSyncExternalStore(subscribe, read)
}

/** Write down every event of a session. */
export function useSessionNotes(client: SessionClient): void {
  const journal = useJournal()
  useEffect(() => {
    const stops = [
      client.on('issued', ({ session }) =>
        journal.note('good', 'Token issued', `lives ${Math.round(session.lifeSeconds)} s`),
      ),
      client.on('refreshDue', () => journal.note('busy', 'A token is due')),
      client.on('refreshFailed', ({ error }) => journal.note('bad', 'No token came', error.code)),
      client.on('ended', ({ reason }) => journal.note('bad', 'Session over', reason)),
    ]
    return () => {
      for (const stop of stops) stop()
    }
  }, [client, journal])
}

/** Write down each question to the host's endpoint; the SDK asks without being asked. */
export function useWireNotes(): void {
  const journal = useJournal()
  useEffect(() => {
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as PerformanceResourceTiming[]) {
        if (new URL(entry.name).pathname !== '/api/session') continue
        // The browser tells no status of what was lost on the way, nor of an answer whose body nobody read.
        const status = entry.responseStatus ? `${entry.responseStatus}, ` : ''
        const detail = `${status}${Math.round(entry.duration)} ms`
        journal.countAsked()
        journal.note('quiet', 'GET /api/session', detail, entry.responseEnd)
      }
    })
    observer.observe({ type: 'resource' })
    return () => observer.disconnect()
  }, [journal])
}

import type { Platform } from '../platform.js'

// Taken before a test runner can replace them. Node's setImmediate needs no millisecond.
const { setTimeout: realSetTimeout, setImmediate = realSetTimeout } = globalThis as typeof globalThis & {
  setImmediate?: (run: () => void) => unknown
}
/** Turns of the real event loop after which everything that can go on without time passing has gone on. */
const TURNS = 6

interface Waiting {
  readonly at: number
  readonly run: () => void
}

/** A clock that stands still until it is moved. */
export class TestClock {
  /** Wall clock, ms since 1970. Assign to it to set the clock wrong, or back. */
  wall: number = Date.UTC(2030, 0, 1)
  #monotonic = 0
  readonly #waiting = new Set<Waiting>()

  /** Timers that are set now; a page that nobody looks at should have none. */
  get timers(): number {
    return this.#waiting.size
  }

  /** The longest time, ms, after which a timer that is set now will run; 0 without one. */
  get longestTimerMs(): number {
    return Math.max(0, ...[...this.#waiting].map(({ at }) => at - this.#monotonic))
  }

  /** Let time pass: every timer runs at its moment, and what it starts goes on as far as it can. */
  async advance(seconds: number): Promise<void> {
    const end = this.#monotonic + seconds * 1000
    await settle()
    for (;;) {
      const due = [...this.#waiting].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      this.#moveTo(due ? Math.max(due.at, this.#monotonic) : end)
      if (!due) break
      this.#waiting.delete(due)
      due.run()
      await settle()
    }
  }

  /** The machine sleeps: the wall clock goes on, the monotonic clock and the timers stand still. */
  sleep(seconds: number): void {
    this.wall += seconds * 1000
  }

  /** The clock's part of a platform. */
  parts(): Pick<Platform, 'now' | 'monotonic' | 'setTimeout' | 'clearTimeout'> {
    return {
      now: () => this.wall,
      monotonic: () => this.#monotonic,
      setTimeout: (run, milliseconds) => {
        // As browsers do: longer than 24.8 days is at once.
        const wait = milliseconds > 2 ** 31 - 1 ? 0 : Math.max(0, milliseconds || 0)
        const timer = { at: this.#monotonic + wait, run }
        this.#waiting.add(timer)
        return timer
      },
      clearTimeout: (timer) => void this.#waiting.delete(timer as Waiting),
    }
  }

  #moveTo(monotonic: number): void {
    this.wall += monotonic - this.#monotonic
    this.#monotonic = monotonic
  }
}

/** Wait until nothing more happens without time passing. */
export async function settle(): Promise<void> {
  await Promise.all([import('../share.js'), import('../fetch.js')]) // or the first use would take longer
  for (let turn = 0; turn < TURNS; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}

import type { Platform, Sleep } from './platform.js'
import type { Locks, TabPlatform } from './tabs.js'

/** Longest wait for another tab, ms: above the time limit of its fetch, so only a frozen holder is overtaken. */
export const LOCK_WAIT_MS = 12_000
const LEASE_POLL_MS = 50
/** Two tabs may write at once; after this long (ms) both see who was last. */
const LEASE_SETTLE_MS = 20

/** What waiting needs. */
export interface LockPorts {
  readonly platform: Platform
  readonly sleep: Sleep
}

/**
 * Run `work` while no other tab runs work of this name: Web Locks, else a lease in `localStorage`, else alone.
 *
 * Only an optimisation: `work` must be right without it. It starts after {@link LOCK_WAIT_MS} at the latest, and
 * not at all once `signal` is aborted.
 */
export async function exclusively<T>(
  { platform, sleep }: LockPorts,
  tabs: TabPlatform,
  name: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const overtake = sleep(LOCK_WAIT_MS, signal)
  const lock = tabs.locks ?? leases({ platform, sleep }, tabs)
  try {
    await new Promise<void>((go) => {
      const granted = () => {
        go()
        return released
      }
      // A refusal (an embed without storage) means no lock, not no work.
      lock.request(name, { signal }, granted).catch(go)
      overtake.then(go)
    })
    signal.throwIfAborted()
    return await work()
  } finally {
    release()
  }
}

/** Locks made of a record "holder, end" in `localStorage`, for browsers and insecure origins without Web Locks. */
function leases({ platform, sleep }: LockPorts, tabs: TabPlatform): Locks {
  return {
    async request(name, { signal }, work) {
      const shelf = tabs.storage('localStorage')
      const mine = `${platform.random()} `
      for (;;) {
        const record = (await shelf?.getItem(name)) ?? ''
        if (!shelf || signal.aborted || record.startsWith(mine)) break
        const left = Number(record.split(' ')[1]) - platform.now()
        // More than a whole lease ahead can only be a clock that was set back since.
        const taken = left > 0 && left <= LOCK_WAIT_MS
        if (!taken) shelf.setItem(name, mine + (platform.now() + LOCK_WAIT_MS))
        await sleep(taken ? LEASE_POLL_MS : LEASE_SETTLE_MS, signal)
      }
      await work()
      if ((await shelf?.getItem(name))?.startsWith(mine)) shelf?.removeItem(name)
    },
  }
}

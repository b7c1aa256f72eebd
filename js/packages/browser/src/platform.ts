import type { TabPlatform } from './tabs.js'

/** What a page tells us, as the DOM does: seen or hidden, shown, left or back (`persisted`), online. */
export interface PageEvent {
  readonly type: 'visibilitychange' | 'pageshow' | 'pagehide' | 'online'
  /** Back from the back-forward cache. */
  readonly persisted?: boolean
}

/** A pending timer; what it is depends on the platform. */
export type Timer = unknown

/**
 * Everything the client takes from its surroundings, so that tests patch no global. Leave it alone in production;
 * `@guestpass/browser/testing` has one with a clock you can move.
 */
export interface Platform {
  /** Wall clock, ms since 1970; may be wrong and may jump. */
  now(): number
  /** Clock that never jumps, ms from any start; it may stand still while the machine sleeps. */
  monotonic(): number
  /** 0 up to 1, for jitter. */
  random(): number
  setTimeout(run: () => void, milliseconds: number): Timer
  clearTimeout(timer: Timer): void
  fetch(request: Request): Promise<Response>
  warn(message: string): void
  /** Whether somebody may be looking at the page; nothing is scheduled while not. */
  visible(): boolean
  /** Tell of page events until the returned function is called. */
  listen(listener: (event: PageEvent) => void): () => void
  /** What relative URLs are relative to; undefined on a server. */
  readonly baseUrl: string | undefined
  /** How tabs meet and tokens are kept. Undefined: as this browser does it. */
  readonly tabs?: TabPlatform | undefined
}

// No beforeunload or unload: either would keep the page out of the back-forward cache.
const PAGE_EVENTS = ['visibilitychange', 'pageshow', 'pagehide', 'online']

function listen(listener: (event: PageEvent) => void): () => void {
  const off = new AbortController()
  // A visibilitychange bubbles from the document to the window.
  for (const type of PAGE_EVENTS) addEventListener(type, listener as never, off)
  return () => off.abort()
}

/** The browser we run in. Safe to build on a server, where there is no page. */
export function browserPlatform(): Platform {
  return {
    now: Date.now,
    monotonic: () => performance.now(),
    random: Math.random,
    setTimeout: (run, milliseconds) => setTimeout(run, milliseconds),
    clearTimeout: (timer) => clearTimeout(timer as number),
    fetch: (request) => fetch(request),
    // biome-ignore lint/suspicious/noConsole: the one place that speaks to the developer
    warn: (message) => console.warn(message),
    visible: () => typeof document !== 'undefined' && document.visibilityState !== 'hidden',
    listen,
    baseUrl: typeof document === 'undefined' ? undefined : document.baseURI,
  }
}

/** {@link sleep} on a given platform. */
export type Sleep = (milliseconds: number, signal: AbortSignal) => Promise<void>

/** Resolve after `milliseconds`, or at once when `signal` is aborted; no timer is left behind. */
export function sleep(platform: Platform, milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = platform.setTimeout(resolve, milliseconds)
    const wake = () => {
      platform.clearTimeout(timer)
      resolve()
    }
    if (signal.aborted) wake()
    else signal.addEventListener('abort', wake)
  })
}

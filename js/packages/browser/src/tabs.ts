/** The part of `BroadcastChannel` that tabs use to hand each other a token. */
export interface Channel {
  // biome-ignore lint/suspicious/noExplicitAny: the event of the DOM and that of a fake differ
  onmessage: ((event: any) => void) | null
  postMessage(message: unknown): void
  close(): void
}

/** The part of `navigator.locks` that lets one tab fetch for all. */
export interface Locks {
  request(name: string, options: { signal: AbortSignal }, work: () => Promise<void>): Promise<void>
}

/** Where a token may outlive its page; `window.sessionStorage` and `localStorage` fit as they are. */
export interface TokenStorage {
  getItem(key: string): string | null | undefined | Promise<string | null | undefined>
  setItem(key: string, value: string): unknown
  removeItem(key: string): unknown
}

/** What is taken from the browser to share a token between tabs and reloads; part of the `Platform` seams. */
export interface TabPlatform {
  readonly locks: Locks | undefined
  /** Undefined where the browser has none or refuses it. */
  channel(name: string): Channel | undefined
  /** Undefined where the browser refuses it, as in an embed without third-party storage. */
  storage(kind: 'sessionStorage' | 'localStorage'): TokenStorage | undefined
}

/** Undefined instead of an exception: embeds and old browsers throw on mere access. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** The browser we run in. */
export function browserTabs(): TabPlatform {
  return {
    locks: attempt(() => navigator.locks),
    channel: (name) => attempt(() => new BroadcastChannel(name)),
    storage: (kind) => attempt(() => globalThis[kind]),
  }
}

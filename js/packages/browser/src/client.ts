import { Current, type Held, hold } from './current.js'
import { SessionError, signedOut } from './errors.js'
import type { Sender, SendPorts, Target } from './fetch.js'
import { checkOptions, type SessionClientOptions } from './options.js'
import { browserPlatform, type PageEvent, sleep } from './platform.js'
import { Refresher, type RefreshPorts } from './refresh.js'
import type { Share, SharePorts } from './share.js'
import { tokenSource } from './source.js'
import {
  RESTORING,
  type Session,
  type SessionEvent,
  type SessionState,
  type SignedOutReason,
} from './state.js'
import { claimsOf, lifeSecondsOf, type SessionTokenAnswer } from './token.js'

/** The event of one type. */
export type SessionEventOf<T extends SessionEvent['type']> = Extract<SessionEvent, { readonly type: T }>

/** What {@link SessionClient.getToken} is asked for. */
export interface GetTokenOptions {
  /**
   * Seconds the token must still live, by default 10 or a tenth of its life, whichever is less. Counts as half of
   * the token's life at most, since a new token could not do better.
   */
  readonly minValidity?: number | undefined
  /** Fetch a new token even if the present one is good. */
  readonly skipCache?: boolean | undefined
}

/** One user's session in this tab. Every method may be called unbound. */
export interface SessionClient {
  /**
   * Keep the session fresh until the returned function is called. Counted: the last stop wins, so a start, stop and
   * start again (React's StrictMode) is one start.
   */
  start(): () => void
  /**
   * A token that is good for a while yet.
   * @throws SessionError `SIGNED_OUT`, `CUSTOMER_BLOCKED`; `UNAVAILABLE` or `RATE_LIMITED` when none could be fetched
   * (the client tries again by itself); `USER_CHANGED` when `userId` changed meanwhile.
   */
  getToken(options?: GetTokenOptions): Promise<string>
  /**
   * As `window.fetch`, with the token for the API's origin. Relative URLs are relative to the API. When the API
   * answers `Guestpass-Retry: token`, one new token is fetched and the request repeated once.
   */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>
  /** Call `listener` after every change of state, until the returned function is called. */
  subscribe(listener: () => void): () => void
  /** What a page can show now; the same object until it changes. */
  getState(): SessionState
  /** What a server renders: nothing is known yet. */
  getServerState(): SessionState
  /** Call `handler` on one kind of event, until the returned function is called. */
  on<T extends SessionEvent['type']>(type: T, handler: (event: SessionEventOf<T>) => void): () => void
  /** Fetch a new token now; after a sign-out, sign in again. Only a `Retry-After` of the host is waited for. */
  refresh(): Promise<Session>
  /**
   * Forget the session here and in this user's other tabs. The token itself stays good until it ends: to make it
   * dead for everybody, revoke it on your server.
   */
  end(): void
  /** Tell who is signed in now. Another user's token is dropped and whatever is in flight aborted. */
  setUserId(userId: string | null | undefined): void
  /** Manual mode: here is a new token. @throws SessionError when it is none, a secret, or already over. */
  setSessionToken(answer: SessionTokenAnswer): void
  /** For adapters of other HTTP clients: where a request goes and the token it may carry. */
  target(input: string | URL): Promise<Target>
  /** For adapters: the token to try once more with after `response` refused `token`; undefined: the answer stands. */
  renewRefused(token: string, response: Response): Promise<string | undefined>
}

/**
 * Make a client. Nothing happens before `start()` or the first call; on a server it stays so.
 *
 * @throws SessionError `VALIDATION_ERROR` for options that could never work, `SECRET_KEY_REFUSED` for an `sk_…` key.
 */
export function createSessionClient(options: SessionClientOptions): SessionClient {
  return new Client(options)
}

// Public methods are fields, so that each may be passed on unbound.
class Client implements SessionClient {
  readonly #ports: RefreshPorts & SendPorts & Omit<SharePorts, 'userId'>
  readonly #current: Current
  readonly #refresher: Refresher
  #sender: Promise<Sender> | undefined
  #share: Promise<Share | undefined> | undefined
  #userId: string | null | undefined
  #starts = 0
  #stopListening = () => {}

  constructor(options: SessionClientOptions) {
    checkOptions(options)
    const { platform = browserPlatform(), userId } = options
    this.#current = new Current(platform)
    this.#ports = {
      platform,
      options,
      current: this.#current,
      source: tokenSource(platform, options),
      share: () => this.#sharing(),
      getToken: this.getToken,
      take: (held) => this.#refresher.take(held),
      arrived: (held) => this.#refresher.arrived(held),
      ended: this.#end,
      left: this.#leave,
      hold,
      claimsOf,
      SessionError,
      sleep: (milliseconds, signal) => sleep(platform, milliseconds, signal),
    }
    this.#refresher = new Refresher(this.#ports)
    this.#enter(userId)
    if (options.sessionToken !== undefined && userId !== null) this.setSessionToken(options)
  }

  readonly start = (): (() => void) => {
    if (!this.#starts++) {
      this.#stopListening = this.#ports.platform.listen(this.#onPage)
      this.#tabs('open')
      this.#sending().catch(() => {})
      this.#refresher.run(true)
    }
    let stopped = false
    return () => {
      if (stopped) return
      stopped = true
      if (--this.#starts) return
      this.#stopListening()
      this.#tabs('close')
      this.#refresher.run(false)
    }
  }

  readonly getToken = async ({ minValidity, skipCache }: GetTokenOptions = {}): Promise<string> => {
    if (skipCache) return (await this.#renew()).sessionToken
    const current = this.#current
    const accept = (one: Held) => {
      const life = one.lifeSeconds
      return current.left(one) >= Math.min(minValidity ?? Math.min(10, life / 10), life / 2) * 1000
    }
    const { held } = current
    return (held && accept(held) ? held : await this.#refresher.obtain(accept)).sessionToken
  }

  readonly refresh = (): Promise<Session> => this.#renew(true)

  readonly getState = (): SessionState => this.#current.state

  readonly getServerState = (): SessionState => RESTORING

  readonly subscribe = (listener: () => void): (() => void) => this.#current.subscribe(() => listener())

  readonly on: SessionClient['on'] = (type, handler) =>
    this.#current.subscribe((event) => event.type === type && handler(event as never))

  readonly end = (): void => this.#end('ended')

  readonly setUserId = (userId: string | null | undefined): void => {
    if (userId === this.#userId) return
    this.#refresher.cancel(new SessionError('USER_CHANGED', 'userId has changed.'))
    this.#tabs('close')
    this.#forget()
    this.#current.drop()
    this.#current.happen({ type: 'refreshDue' })
    this.#enter(userId)
    this.#refresher.tick()
  }

  readonly setSessionToken = (answer: SessionTokenAnswer): void => {
    const { platform } = this.#ports
    const life = lifeSecondsOf(answer, platform.now())
    const held = hold(platform, answer.sessionToken, life, life * 1000)
    this.#refresher.arrived(held, true)
    this.#sharing().then((share) => share?.given(held, this.#starts))
  }

  readonly fetch: SessionClient['fetch'] = async (input, init) => (await this.#sending()).fetch(input, init)

  readonly target: SessionClient['target'] = async (input) => (await this.#sending()).target(input)

  readonly renewRefused: SessionClient['renewRefused'] = async (token, response) =>
    (await this.#sending()).renewRefused(token, response)

  /** What attaches tokens to requests; loaded beside the first token, so that no request waits for it. */
  #sending(): Promise<Sender> {
    this.#sender ??= import('./fetch.js').then(({ Sender }) => new Sender(this.#ports))
    this.#sender.catch(() => {
      this.#sender = undefined // the next call tries again
    })
    return this.#sender
  }

  #enter(userId: string | null | undefined): void {
    this.#userId = userId
    this.#share = undefined
    if (userId === null) this.#current.happen({ type: 'ended', reason: 'none' })
  }

  /** The other tabs and storage; loaded with the first token of a page that has a `userId`, and by no other. */
  #sharing(): Promise<Share | undefined> {
    const userId = this.#userId
    this.#share ??=
      userId && this.#ports.options.sessionToken === undefined
        ? import('./share.js').then(
            ({ Share }) => new Share({ ...this.#ports, userId }),
            () => undefined, // not to be had: this tab fetches for itself
          )
        : Promise.resolve(undefined)
    return this.#share
  }

  /** Nothing to open or close where nothing was shared yet. */
  #tabs(what: 'open' | 'close'): void {
    this.#share?.then((share) => share?.[what]())
  }

  /** Another token than the present one, unless nobody is here. */
  async #renew(force?: boolean): Promise<Held> {
    if (this.#userId === null) throw signedOut('none')
    return this.#refresher.renew(force)
  }

  /** This tab has found out that the session is over: the others are told. */
  readonly #end = (reason: SignedOutReason): void => {
    const token = reason === 'revoked' ? this.#current.held?.sessionToken : undefined
    this.#sharing().then((share) => share?.tellEnded(reason, token))
    this.#leave(reason)
  }

  readonly #leave = (reason: SignedOutReason): void => {
    this.#refresher.cancel(signedOut(reason))
    this.#forget()
    this.#current.happen({ type: 'ended', reason })
    this.#refresher.arm()
  }

  /** Nothing of the user stays in storage, whether this page has looked there yet or not. */
  #forget(): void {
    this.#sharing().then((share) => share?.forget())
  }

  readonly #onPage = ({ type, persisted }: PageEvent): void => {
    const left = type === 'pagehide'
    this.#tabs(left ? 'close' : 'open')
    // While the page was away its user may have signed out, and it could not hear of it.
    if (persisted && !left && this.#current.held) this.#renew().catch(() => {})
    this.#refresher.tick(type === 'online')
  }
}

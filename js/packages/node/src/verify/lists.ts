import type { SessionClaims } from './claims.js'
import {
  CUT_LIST_CHARACTERS_MAX,
  CUTS,
  type CutList,
  cutStatusOf,
  mergedCuts,
  readCutList,
} from './cut-list.js'
import { Document, type DocumentPorts, type Kept, type Source } from './document.js'
import { isObject } from './keys.js'
import {
  INVALID_REISSUE,
  mergedLists,
  readStatusList,
  STATUS_LIST_CHARACTERS_MAX,
  type StatusList,
  SUSPENDED,
  statusAt,
  VALID,
} from './status-list.js'
import { parseStrictJson } from './strict-json.js'

/** What the lists say of a session. `reissue`: its user may have a new token at once. */
export type Standing =
  | { readonly is: 'living' }
  | { readonly is: 'ended'; readonly reissue: boolean }
  /** The operations that go on all the same. */
  | { readonly is: 'suspended'; readonly goesOn: readonly string[] }

interface Listed {
  readonly statuses: Document<StatusList>
  readonly cuts: Document<CutList>
}

interface Discovery extends Kept {
  readonly goesOn: readonly string[]
}

/** Lists in use, of 16 KiB each: for 67 million tokens. */
const LISTS_MAX = 1024
const PLACE = /^(.+\/status-lists\/)([A-Za-z0-9_-]{1,64})$/
const DISCOVERY_BYTES_MAX = 64 * 1024
const OPERATION = /^[a-z][a-z0-9_.:-]{0,63}$/
const OPERATIONS_MAX = 64

/** The status lists of one issuer that are in use, its list of cuts, and what it says of suspended sessions. */
export class Lists {
  readonly #location: string
  readonly #ports: DocumentPorts
  readonly #inUse = new Map<string, Listed>()
  readonly #cuts = new Map<string, Document<CutList>>()
  readonly #discovery: Document<Discovery>

  /** @param location - Where the issuer publishes, whatever a token says of an address. */
  constructor(location: string, issuer: string, ports: DocumentPorts) {
    this.#location = location
    this.#ports = ports
    this.#discovery = new Document(discoveryOf(location, issuer, ports), ports)
  }

  /**
   * How the session of a token stands, whose checklist held.
   *
   * @returns undefined for a token that names no list, so that nobody can tell.
   * @throws ServiceError (`UNAVAILABLE`) while the lists cannot be had.
   */
  async standingOf(claims: SessionClaims, now: number): Promise<Standing | undefined> {
    const { status_list: place, cuts: tags } = claims.status ?? {}
    const listed = place && this.#find(place.uri)
    if (place === undefined || listed === undefined) return undefined
    const [statuses, cuts] = await Promise.all([listed.statuses.current(now), listed.cuts.current(now)])
    const own = statusAt(statuses, place.idx)
    if (own === undefined) throw listed.statuses.unavailable('it has no place for this token')
    const endings = [own, cutStatusOf(cuts, claims.sid, tags)].filter(
      (one) => one !== VALID && one !== SUSPENDED,
    )
    if (endings.length > 0) return { is: 'ended', reissue: endings.every((one) => one === INVALID_REISSUE) }
    return own === SUSPENDED ? { is: 'suspended', goesOn: await this.#goesOn(now) } : { is: 'living' }
  }

  /** The one used last is the last to leave. */
  #find(uri: string): Listed | undefined {
    const listed = this.#inUse.get(uri) ?? this.#added(uri)
    if (listed === undefined) return undefined
    this.#inUse.delete(uri)
    this.#inUse.set(uri, listed)
    const [oldest] = this.#inUse.keys()
    if (this.#inUse.size > LISTS_MAX && oldest !== undefined) this.#inUse.delete(oldest)
    return listed
  }

  /** The folder says whose list it is, and is compared with what the list says of itself. It is never fetched from. */
  #added(uri: string): Listed | undefined {
    const [, folder, name] = PLACE.exec(uri) ?? []
    if (folder === undefined || name === undefined || name === CUTS) return undefined
    const cuts =
      this.#cuts.get(folder) ??
      this.#document(CUTS, folder + CUTS, CUT_LIST_CHARACTERS_MAX, readCutList, mergedCuts)
    this.#cuts.set(folder, cuts)
    const statuses = this.#document(name, uri, STATUS_LIST_CHARACTERS_MAX, readStatusList, mergedLists)
    return { statuses, cuts }
  }

  #document<T extends Kept>(
    name: string,
    uri: string,
    bytesMax: number,
    read: (text: string, keys: Parameters<Source<T>['open']>[1], uri: string, now: number) => T,
    merged: Source<T>['merged'],
  ): Document<T> {
    const url = `${this.#location}/status-lists/${name}`
    const open: Source<T>['open'] = (text, keys, now) => read(text, keys, uri, now)
    return new Document({ url, bytesMax, open, merged }, this.#ports)
  }

  /** Nothing, where it is not known. */
  async #goesOn(now: number): Promise<readonly string[]> {
    return this.#discovery.current(now).then(
      ({ goesOn }) => goesOn,
      () => [],
    )
  }
}

/** RFC 8414 section 2: read only where a session is suspended. */
function discoveryOf(location: string, issuer: string, { pollSeconds }: DocumentPorts): Source<Discovery> {
  return {
    url: `${location}/.well-known/oauth-authorization-server`,
    bytesMax: DISCOVERY_BYTES_MAX,
    open: (text) => {
      const found = parseStrictJson(Buffer.from(text, 'latin1'))
      const names = isObject(found) ? (found.suspendedOperations ?? []) : undefined
      if (!isObject(found) || found.issuer !== issuer || !Array.isArray(names) || !areOperations(names))
        throw new Error("it is another issuer's, or names what is no operation")
      return { goesOn: names, exp: Number.POSITIVE_INFINITY, ttl: pollSeconds }
    },
    merged: (_, fetched) => fetched,
  }
}

function areOperations(names: readonly unknown[]): names is readonly string[] {
  const isUnrestricted = names.length === 1 && names[0] === '*'
  const isName = (name: unknown): boolean => typeof name === 'string' && OPERATION.test(name)
  return isUnrestricted || (names.length <= OPERATIONS_MAX && names.every(isName))
}

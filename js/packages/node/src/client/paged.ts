import { pageOf } from './codec.js'
import type { Page } from './model.js'
import type { CallOptions, Transport } from './transport.js'

/** What a list is of. */
export interface PagedQuery<T> {
  readonly path: string
  readonly params: Readonly<Record<string, string | number | undefined>>
  readonly options: CallOptions | undefined
  readonly read: (wire: unknown) => T
}

/** A list that fetches its pages while it is iterated. Iterating it again starts from the first page. */
export class Paged<T> implements AsyncIterable<T> {
  readonly #transport: Transport
  readonly #query: PagedQuery<T>

  constructor(transport: Transport, query: PagedQuery<T>) {
    this.#transport = transport
    this.#query = query
  }

  /** One page; without `cursor` the first. */
  async page(cursor?: string): Promise<Page<T>> {
    const { path, params, options, read } = this.#query
    const call = { method: 'GET', path, query: { ...params, cursor }, options } as const
    return pageOf(await this.#transport.send(call), read)
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    let page = await this.page()
    yield* page.data
    while (page.nextCursor !== null) {
      page = await this.page(page.nextCursor)
      yield* page.data
    }
  }
}

import type { SessionClient } from './client.js'

/** The part of an Axios request's configuration that is read and written. */
export interface AxiosConfigLike {
  headers: { get(name: string): unknown; set(name: string, value: string): unknown }
}

/** The part of an Axios instance that is used; any of version 1 fits. */
export interface AxiosLike {
  // biome-ignore lint/suspicious/noExplicitAny: Axios's own types differ between versions
  interceptors: { request: InterceptorsLike<any>; response: InterceptorsLike<any> }
  // biome-ignore lint/suspicious/noExplicitAny: as above
  getUri(config: any): string
  // biome-ignore lint/suspicious/noExplicitAny: as above
  request(config: any): Promise<any>
}

/** Axios's list of interceptors. */
export interface InterceptorsLike<V> {
  use(done: (value: V) => V | Promise<V>, failed?: (error: unknown) => unknown): number
  eject(id: number): void
}

interface AxiosFailure {
  readonly config?: AxiosConfigLike
  readonly response?: {
    readonly status: number
    readonly data: unknown
    readonly headers: { get(name: string): unknown }
  }
}

/**
 * Attach the session to an Axios instance by the rules of `client.fetch`: the token only to the API's origin, one
 * repetition when the API answers `Guestpass-Retry: token`.
 *
 * @returns a function that takes it off again.
 */
export function attachSession(axios: AxiosLike, client: SessionClient): () => void {
  // Which token a request carried. A repetition is not in it, so it is never repeated again.
  const sent = new WeakMap<AxiosConfigLike, string>()

  const request = axios.interceptors.request.use(async (config: AxiosConfigLike) => {
    if (config.headers.get('Authorization')) return config // the caller's own, or a repetition
    const { token } = await client.target(axios.getUri(config))
    if (token) {
      config.headers.set('Authorization', `Bearer ${token}`)
      sent.set(config, token)
    }
    return config
  })

  const response = axios.interceptors.response.use(
    (answer) => answer,
    async (failure: unknown) => {
      const { config, response } = failure as AxiosFailure
      const token = config && sent.get(config)
      const renewed = token && response && (await client.renewRefused(token, asResponse(response)))
      if (!renewed) throw failure
      config.headers.set('Authorization', `Bearer ${renewed}`)
      return axios.request(config)
    },
  )
  return () => {
    axios.interceptors.request.eject(request)
    axios.interceptors.response.eject(response)
  }
}

function asResponse({ status, data, headers }: NonNullable<AxiosFailure['response']>): Response {
  const retry = headers.get('Guestpass-Retry')
  const body = typeof data === 'string' ? data : JSON.stringify(data ?? null)
  return new Response(body, { status, headers: retry ? { 'Guestpass-Retry': `${retry}` } : {} })
}

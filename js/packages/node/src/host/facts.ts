/** One request to a host route, as far as its answer depends on it. */
export interface Facts {
  readonly method: string
  /** Of the address that it was made to, as the framework tells; `host` with its port. */
  readonly scheme: string
  readonly host: string
  /** The header Cookie; several joined by `; `. */
  readonly cookie: string
  /** X-Guestpass-CSRF. */
  readonly csrf: string | undefined
  readonly origin: string | undefined
  /** Sec-Fetch-Site. */
  readonly fetchSite: string | undefined
  readonly requestId: string
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: ':80', https: ':443' }

/**
 * Whether a page of this origin, or for GET also the address bar, made the request.
 *
 * `Sec-Fetch-Site` decides where a browser sends it: no page can forge it, and no proxy changes what it compares. Else
 * `Origin` has to be this address. A GET of an older browser has neither; a POST without both is refused.
 */
export function isOwnPage(
  facts: Pick<Facts, 'method' | 'scheme' | 'host' | 'origin' | 'fetchSite'>,
): boolean {
  const reads = facts.method === 'GET'
  if (facts.fetchSite !== undefined)
    return facts.fetchSite === 'same-origin' || (reads && facts.fetchSite === 'none')
  if (facts.origin === undefined) return reads
  return ownOrigins(facts.scheme, facts.host.toLowerCase()).includes(facts.origin)
}

/** Behind a proxy that ends TLS the page's own scheme is https, though the request's is http; never the reverse. */
function ownOrigins(scheme: string, host: string): readonly string[] {
  const originOf = (as: string) => {
    const port = DEFAULT_PORTS[as] ?? ''
    return `${as}://${port && host.endsWith(port) ? host.slice(0, -port.length) : host}`
  }
  return [originOf(scheme), originOf('https')]
}

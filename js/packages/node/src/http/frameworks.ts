import { type Answer, joined } from './answer.js'

/**
 * How three ways of writing a route look from here. Only what is used is named, so that no framework
 * has to be installed: Express and Next.js pages speak Node's `req` and `res`, the Next.js app router
 * speaks `Request` and `Response`, Hono hands over a context.
 */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Express: `https` also behind a proxy that it was told to trust. */
  readonly protocol?: string | undefined
  readonly socket?: object | null | undefined
}
export interface NodeResponse {
  statusCode: number
  getHeader(name: string): number | string | string[] | undefined
  setHeader(name: string, value: string | string[]): unknown
  end(body?: string): unknown
}
export interface HonoContext {
  readonly req: { readonly raw: Request }
  readonly res: Response
}
/** What a route was called with. */
export type Incoming =
  | { readonly style: 'node'; readonly request: NodeRequest; readonly response: NodeResponse }
  | { readonly style: 'web'; readonly request: Request }
  | { readonly style: 'hono'; readonly request: HonoContext }

/** @throws TypeError where the arguments are of none of the frameworks. */
export function incomingOf(args: readonly unknown[]): Incoming {
  const [first, second] = args
  if (isNodeResponse(second)) return { style: 'node', request: first as NodeRequest, response: second }
  if (isWebRequest(first)) return { style: 'web', request: first }
  if (isHonoContext(first)) return { style: 'hono', request: first }
  throw new TypeError(
    'This handler is for Express, Next.js (app and pages router) and Hono; it was called with something else.',
  )
}

export function methodOf(incoming: Incoming): string {
  if (incoming.style === 'hono') return incoming.request.req.raw.method
  return incoming.request.method ?? 'GET'
}

/** A request header; two of one name in a Node request are no header at all. */
export function headerOf(incoming: Incoming, name: string): string | undefined {
  if (incoming.style === 'web') return incoming.request.headers.get(name) ?? undefined
  if (incoming.style === 'hono') return incoming.request.req.raw.headers.get(name) ?? undefined
  const value = incoming.request.headers[name.toLowerCase()]
  return typeof value === 'string' ? value : undefined
}

/** The address that the request was made to. No forwarded header is read: frameworks are told whom to believe. */
export function addressOf(incoming: Incoming): { scheme: string; host: string } {
  const host = headerOf(incoming, 'Host')
  if (incoming.style !== 'node') {
    const { raw } = incoming.style === 'hono' ? incoming.request.req : { raw: incoming.request }
    const url = new URL(raw.url)
    return { scheme: url.protocol.slice(0, -1), host: host ?? url.host }
  }
  const { protocol, socket } = incoming.request
  const encrypted = (socket as { encrypted?: unknown } | null | undefined)?.encrypted === true
  return { scheme: protocol ?? (encrypted ? 'https' : 'http'), host: host ?? '' }
}

/** Sends the answer; a `Response` where the framework wants one returned. */
export function answerTo(incoming: Incoming, answer: Answer): Response | undefined {
  if (incoming.style === 'node') {
    send(incoming.response, answer)
    return undefined
  }
  const before = incoming.style === 'hono' ? incoming.request.res.headers : new Headers()
  const lists = listHeaders(answer, (name) => before.get(name))
  // Hono lays the headers that are already there over ours: what was joined must not be undone.
  for (const name of Object.keys(lists)) before.delete(name)
  const headers = new Headers({ ...answer.headers, ...lists })
  if (answer.setCookie !== undefined) {
    for (const cookie of [...before.getSetCookie(), answer.setCookie]) headers.append('Set-Cookie', cookie)
    before.delete('Set-Cookie')
  }
  return Response.json(answer.body, { status: answer.status, headers })
}

function send(response: NodeResponse, answer: Answer): void {
  const lists = listHeaders(answer, (name) => response.getHeader(name)?.toString())
  response.statusCode = answer.status
  for (const [name, value] of Object.entries({ ...answer.headers, ...lists })) response.setHeader(name, value)
  if (answer.setCookie !== undefined) {
    const present = [response.getHeader('Set-Cookie') ?? []].flat().map(String)
    response.setHeader('Set-Cookie', [...present, answer.setCookie])
  }
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify(answer.body))
}

function listHeaders(
  answer: Answer,
  present: (name: string) => string | null | undefined,
): Record<string, string> {
  const lists = { Vary: answer.vary, 'Access-Control-Expose-Headers': answer.expose }
  const headers: Record<string, string> = {}
  for (const [name, more] of Object.entries(lists)) {
    const value = joined(present(name), more)
    if (value !== undefined) headers[name] = value
  }
  return headers
}

function isNodeResponse(value: unknown): value is NodeResponse {
  return has(value, 'setHeader') && has(value, 'end')
}

function isWebRequest(value: unknown): value is Request {
  return has((value as Request | undefined)?.headers, 'get') && typeof (value as Request).method === 'string'
}

function isHonoContext(value: unknown): value is HonoContext {
  return isWebRequest((value as HonoContext | undefined)?.req?.raw)
}

function has(value: unknown, method: string): boolean {
  return typeof (value as Record<string, unknown> | null | undefined)?.[method] === 'function'
}

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Guestpass, type SessionRoutes, sessionRoutes } from '../packages/node/src/index.js'
import type { Guestpass as Service } from './guestpass.js'

/** A host whose real routes keep a renewable session of a real server in a cookie, and a page that uses them. */
export class RenewableHost {
  /** Requests to the routes, like `POST /session/refresh`. */
  readonly calls: string[] = []
  /** Who is signed in at the host. */
  user: string | null = 'ada'
  /** So many answers of the routes are made, and cut off before they are sent. */
  loseAnswers = 0
  /** How long an answer of the routes is held back once it is made, ms. */
  delayMs = 0
  /** HTML by path. */
  readonly pages: Map<string, string>
  readonly gp: Guestpass
  readonly #routes: SessionRoutes
  readonly #scripts: Map<string, string>
  readonly #server: Server

  private constructor(service: Service, scripts: Map<string, string>) {
    this.#scripts = scripts
    this.gp = new Guestpass({ secretKey: service.secretKey, baseUrl: service.url })
    this.#routes = sessionRoutes(this.gp, () => (this.user ? { externalUserId: this.user } : null))
    this.#server = createServer((request, response) => void this.#answer(request, response))
    const load = '<script type="module">globalThis.guestpass = await import("/js/sdk.js")</script>'
    this.pages = new Map([['/', `<!doctype html>${load}`]])
  }

  static async open(service: Service, scripts: Map<string, string>): Promise<RenewableHost> {
    const host = new RenewableHost(service, scripts)
    await new Promise<void>((resolve) => host.#server.listen(0, '127.0.0.1', resolve))
    return host
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  /** Its address under a name; another name is another site to the browser. */
  url(path = '/', name = 'localhost'): string {
    return `http://${name}:${(this.#server.address() as AddressInfo).port}${path}`
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://host')
    const page = this.pages.get(pathname)
    const script = this.#scripts.get(pathname)
    const { session, refresh, end } = this.#routes
    const route = { '/session': session, '/session/refresh': refresh, '/session/end': end }[pathname]
    if (page) response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(page)
    else if (script) response.writeHead(200, { 'Content-Type': 'text/javascript; charset=utf-8' }).end(script)
    else if (pathname === '/login') await this.#login(response)
    else if (route) await this.#route(route, request, response)
    else response.writeHead(404).end()
  }

  /** What the host does for pages that hold the tokens themselves. */
  async #login(response: ServerResponse): Promise<void> {
    const tokens = this.user ? await this.gp.auth.login({ externalUserId: this.user }) : null
    const headers = {
      'Content-Type': 'application/json',
      'Cache-Control': 'no-store',
      'Access-Control-Allow-Origin': '*',
    }
    response.writeHead(tokens ? 200 : 401, headers).end(JSON.stringify(tokens))
  }

  async #route(
    route: SessionRoutes['session'],
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    this.calls.push(`${request.method} ${request.url}`)
    const { delayMs } = this
    const lost = this.loseAnswers > 0
    if (!lost) {
      const end = response.end.bind(response) as (body: string) => ServerResponse
      response.end = ((body: string) => {
        setTimeout(() => end(body), delayMs)
        return response
      }) as ServerResponse['end']
      return route(request, response)
    }
    this.loseAnswers--
    // The route is done to the end, the cookie with it; the browser hears nothing.
    await route(request, { statusCode: 0, getHeader: () => undefined, setHeader: () => {}, end: () => {} })
    request.socket.destroy()
  }
}

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mintTestToken } from '../packages/browser/src/testing/token.js'

/** A host: its pages, its endpoint for tokens, and an API that believes them. What it counts and does is set freely. */
export class Host {
  /** Requests to the endpoint. */
  calls = 0
  /** Seconds that tokens live. */
  expiresIn = 3600
  /** Who is signed in; null: 401. */
  user: string | null = 'ada'
  /** Where the endpoint gets its answer: made up, unless a real server is asked. */
  mint: (sub: string) => object | Promise<object> = (sub) => this.#makeUp(sub)
  /** Tokens that the API refuses, and whether it invites the browser to fetch another. */
  readonly revoked = new Map<string, { readonly reissue: boolean }>()
  /** Answers of the API. */
  readonly answered: { readonly status: number; readonly token: string | undefined }[] = []
  /** HTML by path. */
  readonly pages = new Map<string, string>()
  readonly #scripts: Map<string, string>
  readonly #server: Server

  private constructor(scripts: Map<string, string>) {
    this.#scripts = scripts
    this.#server = createServer((request, response) => this.#answer(request, response))
    this.pages.set(
      '/',
      '<!doctype html><script type="module">globalThis.guestpass = await import("/js/sdk.js")</script>',
    )
    this.pages.set('/elsewhere', '<!doctype html><p>elsewhere</p>')
  }

  static async open(scripts: Map<string, string>): Promise<Host> {
    const host = new Host(scripts)
    await new Promise<void>((resolve) => host.#server.listen(0, '127.0.0.1', resolve))
    return host
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  /** Its address under a name; another name is another site to the browser. */
  url(path = '/', name = '127.0.0.1'): string {
    return `http://${name}:${(this.#server.address() as AddressInfo).port}${path}`
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? '/', 'http://host')
    const page = this.pages.get(pathname)
    const script = this.#scripts.get(pathname)
    if (page) response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(page)
    else if (script) response.writeHead(200, { 'Content-Type': 'text/javascript; charset=utf-8' }).end(script)
    else if (pathname === '/api/session') void this.#session(response)
    else if (pathname.startsWith('/v1/')) this.#api(request, response)
    else response.writeHead(404).end()
  }

  async #session(response: ServerResponse): Promise<void> {
    this.calls++
    const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }
    const answer = this.user && (await this.mint(this.user))
    response.writeHead(answer ? 200 : 401, headers).end(JSON.stringify(answer || { code: 'UNAUTHORIZED' }))
  }

  #makeUp(sub: string): object {
    const { expiresIn } = this
    const iat = Math.floor(Date.now() / 1000)
    const sessionToken = mintTestToken({ sub, iat, expiresIn })
    return { sessionToken, expiresIn, expiresAt: new Date((iat + expiresIn) * 1000).toISOString() }
  }

  /** CORS as the contract has it: any origin, no credentials, and the header exposed that invites a retry. */
  #api(request: IncomingMessage, response: ServerResponse): void {
    const headers: Record<string, string> = {
      'Access-Control-Allow-Origin': '*',
      'Access-Control-Allow-Headers': 'Authorization, Content-Type, X-Request-Id',
      'Access-Control-Expose-Headers': 'Guestpass-Retry, Retry-After, WWW-Authenticate, X-Request-Id',
    }
    if (request.method === 'OPTIONS') return void response.writeHead(204, headers).end()
    if (request.url === '/v1/away') {
      return void response
        .writeHead(302, { ...headers, Location: this.url('/v1/elsewhere', 'localhost') })
        .end()
    }
    const token = request.headers.authorization?.replace('Bearer ', '')
    const revoked = this.revoked.get(token ?? '')
    const status = !token || revoked ? 401 : 200
    if (revoked?.reissue) headers['Guestpass-Retry'] = 'token'
    this.answered.push({ status, token })
    response.writeHead(status, headers).end(JSON.stringify(revoked ? { code: 'TOKEN_REVOKED' } : {}))
  }
}

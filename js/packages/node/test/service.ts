import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** Shaped like a secret key, and of no use anywhere. */
export const SECRET_KEY: string = `sk_test_${'A'.repeat(49)}`

export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
}

export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** Close the connection without a word. */
  readonly hangUp?: boolean
  /** Say nothing at all. */
  readonly silent?: boolean
}

/** A stand-in of the service on a real port. Replies are used up in order; the last one stays. */
export interface Service {
  readonly url: string
  readonly received: Received[]
  reply(...replies: Reply[]): void
}

export async function startService(): Promise<Service> {
  const received: Received[] = []
  let replies: Reply[] = [{ status: 200, body: {} }]
  const server = createServer(async (request, response) => {
    received.push(await read(request))
    const reply = (replies.length > 1 ? replies.shift() : replies[0]) ?? {}
    if (reply.hangUp) request.socket.destroy()
    else if (!reply.silent) send(response, reply)
  })
  const url = await listen(server)
  return {
    url,
    received,
    reply: (...next) => {
      replies = next
    },
  }
}

/** Listens on a free port until the test is over. */
export async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function read(request: IncomingMessage): Promise<Received> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const headers = request.headers as Record<string, string | undefined>
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    headers,
    body: Buffer.concat(chunks).toString(),
  }
}

function send(response: ServerResponse, { status = 200, headers = {}, body }: Reply): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(text)
}

/** What the service answers to a mint. */
export const MINTED = {
  id: 'sess_01jd0000000000000000000000',
  sessionToken: 'gp_session_test_secret-of-the-browser',
  expiresAt: '2026-11-21T10:00:00Z',
  expiresIn: 3600,
  issuedAt: '2026-11-21T09:00:00Z',
  environment: 'test',
  externalUserId: 'user_123',
  allowedOperations: ['*'],
} as const

/** What the service answers to a login, and to a refresh. */
export const PAIR = {
  sessionId: 'sess_01jd0000000000000000000000',
  accessToken: 'eyJhbGciOiJFUzI1NiJ9.secret-of-the-page.x',
  accessTokenExpiresAt: '2026-11-26T10:15:00Z',
  accessTokenExpiresIn: 900,
  refreshToken: `gp_refresh_test_01jd0000000000000000000000${'K'.repeat(43)}tag123`,
  refreshTokenExpiresAt: '2026-12-03T10:00:00Z',
} as const

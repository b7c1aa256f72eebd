import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The command of the Python half; it is looked for on the `PATH`. */
const COMMAND = process.env.GUESTPASS ?? 'guestpass'

/** Whether there is a server to be tried with. */
export function isInstalled(): boolean {
  try {
    execFileSync(COMMAND, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** A real Guestpass server with an empty store, and a key to call it with. */
export class Guestpass {
  readonly url: string
  readonly #process: ChildProcess
  readonly #store: string
  /** Of a key that may do everything. */
  readonly secretKey: string

  private constructor(url: string, child: ChildProcess, store: string, key: string) {
    this.url = url
    this.#process = child
    this.#store = store
    this.secretKey = key
  }

  static async serve(): Promise<Guestpass> {
    const store = mkdtempSync(join(tmpdir(), 'guestpass-server-'))
    const port = await freePort()
    const child = spawn(COMMAND, ['serve', '--port', `${port}`, '--data-dir', store], { stdio: 'ignore' })
    const url = `http://127.0.0.1:${port}`
    for (;;) {
      if (child.exitCode !== null) throw new Error(`guestpass serve ended with ${child.exitCode}`)
      if (
        await fetch(`${url}/healthz`).then(
          ({ ok }) => ok,
          () => false,
        )
      )
        break
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const made = execFileSync(COMMAND, ['keys', 'create', '--name', 'e2e', '--data-dir', store, '--json'])
    return new Guestpass(url, child, store, JSON.parse(`${made}`).secret)
  }

  // biome-ignore lint/suspicious/noExplicitAny: each route has its own answer
  async post(path: string, body: object): Promise<any> {
    const headers = { Authorization: `Bearer ${this.secretKey}`, 'Content-Type': 'application/json' }
    const response = await fetch(this.url + path, { method: 'POST', headers, body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
    return response.json()
  }

  /** Change settings of the project, as an operator does: `--on-suspicion suspend`. */
  set(...settings: string[]): void {
    execFileSync(COMMAND, ['projects', 'set', 'default', '--data-dir', this.#store, ...settings], {
      stdio: 'ignore',
    })
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#process.on('exit', resolve))
    this.#process.kill()
    await gone
    rmSync(this.#store, { recursive: true, force: true })
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { launchOptions } from './chromium.js'

interface Reply {
  readonly id?: number
  // biome-ignore lint/suspicious/noExplicitAny: each command of the protocol has its own result
  readonly result?: any
  readonly error?: { readonly message: string }
}

/**
 * Chromium by its own protocol. Playwright makes every page believe that it is looked at; here a tab behind another
 * is really hidden, and the whole browser can be stopped as a sleeping machine would.
 */
export class BareChromium {
  readonly #process: ChildProcess
  readonly #socket: WebSocket
  readonly #profile: string
  readonly #waiting = new Map<number, (reply: Reply) => void>()
  #last = 0

  private constructor(process: ChildProcess, socket: WebSocket, profile: string) {
    this.#process = process
    this.#socket = socket
    this.#profile = profile
    socket.onmessage = ({ data }) => {
      const reply: Reply = JSON.parse(data)
      this.#waiting.get(reply.id ?? 0)?.(reply)
    }
  }

  static async launch(): Promise<BareChromium> {
    const profile = mkdtempSync(join(tmpdir(), 'guestpass-bare-'))
    const own = ['--headless', '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank']
    const args = [...(launchOptions.args ?? []), ...own]
    const child = spawn(launchOptions.executablePath ?? '', args, {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const address = await new Promise<string>((resolve, reject) => {
      let said = ''
      child.on('exit', () => reject(new Error(`Chromium did not start: ${said}`)))
      child.stderr?.on('data', (text) => {
        said += text
        const found = /ws:\/\/\S+/.exec(said)
        if (found) resolve(found[0])
      })
    })
    const socket = new WebSocket(address)
    await new Promise((resolve) => socket.addEventListener('open', resolve))
    return new BareChromium(child, socket, profile)
  }

  /** A new tab, in front of the others. */
  async tab(url: string): Promise<BareTab> {
    const { targetId } = await this.send('Target.createTarget', { url })
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true })
    return {
      evaluate: async (expression) => {
        const params = { expression, awaitPromise: true, returnByValue: true }
        const { result, exceptionDetails } = await this.send('Runtime.evaluate', params, sessionId)
        if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails.exception))
        return result.value
      },
      show: () => this.send('Target.activateTarget', { targetId }),
    }
  }

  /** Stop every process of the browser for so long, as a closed lid does. */
  async sleep(milliseconds: number): Promise<void> {
    const group = -(this.#process.pid ?? 0)
    process.kill(group, 'SIGSTOP')
    await new Promise((resolve) => setTimeout(resolve, milliseconds))
    process.kill(group, 'SIGCONT')
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#process.on('exit', resolve))
    await Promise.race([this.send('Browser.close'), gone])
    await gone
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 })
  }

  // biome-ignore lint/suspicious/noExplicitAny: each command of the protocol has its own result
  async send(method: string, params: object = {}, sessionId?: string): Promise<any> {
    const id = ++this.#last
    const reply = await new Promise<Reply>((resolve) => {
      this.#waiting.set(id, resolve)
      this.#socket.send(JSON.stringify({ id, method, params, sessionId }))
    })
    this.#waiting.delete(id)
    if (reply.error) throw new Error(`${method}: ${reply.error.message}`)
    return reply.result
  }
}

/** A tab, spoken to in JavaScript text. */
export interface BareTab {
  // biome-ignore lint/suspicious/noExplicitAny: whatever the page answers
  evaluate(expression: string): Promise<any>
  /** Bring it to the front; the tab that was there is hidden. */
  show(): Promise<void>
}

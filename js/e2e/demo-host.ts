import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { build } from 'vite'

const at = (path: string) => new URL(path, import.meta.url).pathname
const BIN = at('../../.venv/bin')

/** Build the page of the demo into a directory of its own; call the result to remove it. */
export async function buildDemoPage(): Promise<{ readonly page: string; remove(): void }> {
  const page = mkdtempSync(join(tmpdir(), 'guestpass-page-'))
  await build({ configFile: at('../apps/demo/vite.config.ts'), build: { outDir: page, emptyOutDir: true } })
  return { page, remove: () => rmSync(page, { recursive: true }) }
}

/** What `./dev demo` starts: a real Guestpass server, and beside it the small business app. */
export class DemoHost {
  readonly url: string
  readonly #process: ChildProcess

  private constructor(url: string, process: ChildProcess) {
    this.url = url
    this.#process = process
  }

  static async open(page: string): Promise<DemoHost> {
    const host = [
      join(BIN, 'python'),
      at('../../examples/demo_host/larkspur.py'),
      '--port',
      '0',
      '--page',
      page,
    ]
    const child = spawn(join(BIN, 'guestpass'), ['demo', '--', ...host], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    for await (const line of createInterface(child.stdout)) {
      const found = /open (http:\S+)/.exec(line)
      if (found?.[1]) return new DemoHost(found[1], child)
    }
    throw new Error('The demo ended before its app was there.')
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#process.on('exit', resolve))
    this.#process.kill()
    await gone
  }
}

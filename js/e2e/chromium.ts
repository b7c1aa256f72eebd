import { type Browser, chromium, type LaunchOptions } from 'playwright-core'

/** Debian's Chromium, or the one that `CHROMIUM` names. */
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** How Chromium is started: as root, and without a word to anybody outside this machine. */
export const launchOptions: LaunchOptions = {
  executablePath,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--host-resolver-rules=MAP *.test 127.0.0.1',
  ],
  // Playwright turns the back-forward cache off; we want to be kept in it.
  ignoreDefaultArgs: ['--disable-back-forward-cache'],
}

/** Start it. */
export function launch(): Promise<Browser> {
  return chromium.launch(launchOptions)
}

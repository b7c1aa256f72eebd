import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const at = (path: string) => new URL(path, import.meta.url).pathname
const workspace = at('../../../')
const pages = {
  browser: at('../../../../docs/browser.md'),
  'browser-refresh': at('../../../../docs/browser-refresh.md'),
  react: at('../../../../docs/react.md'),
  'browser-readme': at('../README.md'),
  'react-readme': at('../../react/README.md'),
}

/** Code blocks of a page: `tsx` and `ts`. */
function blocksOf(page: string) {
  const text = readFileSync(page, 'utf8')
  return [...text.matchAll(/^```(tsx?)\n(.*?)^```$/gms)].map(([, ending = '', code = '']) => ({
    ending,
    code,
  }))
}

test('every code block of the guides and READMEs passes the strict type check', () => {
  const folder = `${workspace}node_modules/.cache/guestpass-docs/`
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  let count = 0
  for (const [name, page] of Object.entries(pages)) {
    for (const { ending, code } of blocksOf(page))
      writeFileSync(`${folder}${name}-${++count}.${ending}`, code)
  }
  const paths = {
    '@guestpass/browser': ['packages/browser/src/index.ts'],
    '@guestpass/browser/axios': ['packages/browser/src/axios.ts'],
    '@guestpass/browser/refresh': ['packages/browser/src/refresh-client.ts'],
    '@guestpass/browser/testing': ['packages/browser/src/testing/index.ts'],
    '@guestpass/react': ['packages/react/src/index.ts'],
  }
  const compilerOptions = {
    lib: ['es2023', 'dom', 'dom.iterable'],
    types: ['node', 'react'],
    jsx: 'react-jsx',
    isolatedDeclarations: false,
    paths: Object.fromEntries(Object.entries(paths).map(([name, [path]]) => [name, [`${workspace}${path}`]])),
  }
  const config = { extends: `${workspace}tsconfig.base.json`, compilerOptions, include: ['*'] }
  writeFileSync(`${folder}tsconfig.json`, JSON.stringify(config))
  expect(count).toBeGreaterThanOrEqual(12)
  const complaints = () => {
    try {
      return execFileSync(`${workspace}node_modules/.bin/tsc`, ['-p', folder], { encoding: 'utf8' })
    } catch (error) {
      return (error as { stdout: string }).stdout
    }
  }
  expect(complaints()).toBe('')
}, 60_000)

test('the example of a test in the guide runs and holds', async () => {
  const example = blocksOf(pages.browser).find(({ code }) => code.includes('TestWorld'))?.code ?? ''
  const file = at('./guide-example.generated.ts')
  writeFileSync(
    file,
    example
      .replace('@guestpass/browser/testing', '../src/testing/index.js')
      .replace("'@guestpass/browser'", "'../src/index.js'"),
  )
  try {
    await import(/* @vite-ignore */ file)
  } finally {
    rmSync(file)
  }
})

test.each([
  ['error code', 'browser', ['errors.ts'], /^ {2}\| '([A-Z_]+)'$/gm],
  ['reason for a sign-out', 'browser', ['state.ts'], /^ {2}\| '(\w+)'$/gm],
  ['option', 'browser', ['options.ts'], /^ +readonly (\w+)\??:/gm],
  ['option', 'browser-refresh', ['body-mode.ts', 'cookie-mode.ts', 'mode.ts'], /^ {2}readonly (\w+)\??:/gm],
] as const)('the guide knows every %s (%s)', (_, page, files, pattern) => {
  const guide = readFileSync(pages[page], 'utf8')
  const text = files.map((file) => readFileSync(at(`../src/${file}`), 'utf8')).join('\n')
  const names = [...text.matchAll(pattern)]
    .map((match) => match[1] ?? '')
    .filter((name) => !INTERNAL.has(name))
  expect(names.length).toBeGreaterThan(5)
  expect(names.filter((name) => !guide.includes(name))).toEqual([])
})

/** Members of the modes, not options. */
const INTERNAL: ReadonlySet<string> = new Set(['exchange', 'options'])

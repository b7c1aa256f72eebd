import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const at = (path: string) => new URL(path, import.meta.url).pathname
const workspace = at('../../../')
const pages = {
  browser: at('../../../../docs/browser.md'),
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
  ['error code', 'errors.ts', /^ {2}\| '([A-Z_]+)'$/gm],
  ['reason for a sign-out', 'state.ts', /'(none|blocked|revoked|otherUser|ended|expired)'/g],
  ['option', 'options.ts', /^ +readonly (\w+)\??:/gm],
])('the guide knows every %s', (_, file, pattern) => {
  const guide = readFileSync(pages.browser, 'utf8')
  const names = [...readFileSync(at(`../src/${file}`), 'utf8').matchAll(pattern)].map(
    (match) => match[1] ?? '',
  )
  expect(names.length).toBeGreaterThan(5)
  expect(names.filter((name) => !guide.includes(name))).toEqual([])
})

/** The rules of the house that no linter knows. */
import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const packages = new URL('../../', import.meta.url).pathname
const sources = globSync(`${packages}{browser,react}/src/**/*.{ts,tsx}`)
const read = (path: string) => readFileSync(path, 'utf8')

test('no source file is longer than 300 lines', () => {
  expect(sources.length).toBeGreaterThan(15)
  expect(sources.filter((path) => read(path).split('\n').length > 300)).toEqual([])
})

test('the browser package imports nothing but itself, and React’s meets it by its name only', () => {
  const allowed = { browser: /^\.\.?\//, react: /^(\.\/|react$|@guestpass\/browser$)/ }
  for (const path of sources) {
    const rule = path.includes('/react/') ? allowed.react : allowed.browser
    const names = [...read(path).matchAll(/(?:from|import\() ?'([^']+)'/g)].map((match) => match[1] ?? '')
    expect(names.filter((name) => !rule.test(name))).toEqual([])
  }
})

test('the parts that are loaded later import no value of the core', () => {
  for (const name of ['share', 'fetch', 'lock', 'tabs']) {
    const text = read(`${packages}browser/src/${name}.ts`)
    const values = [...text.matchAll(/^import (?!type)(.*) from '(.*)'/gm)]
      .filter(([, names = '']) => !/^\{ (type \w+,? ?)+\}$/.test(names))
      .map((match) => match[2])
    expect(values.filter((from) => from !== './lock.js' && from !== './tabs.js')).toEqual([])
  }
})

test('what belongs to /refresh meets the core at its entry alone: a second SessionError would be a stranger', () => {
  const parts = ['refresh-client', 'mode', 'body-mode', 'cookie-mode', 'ask', 'rotation', 'refresh-tokens']
  const shared = ['index', 'platform', 'tabs', 'fetch', 'source'] // of these, functions that hold no class
  const allowed = new Set([...parts, ...shared].map((name) => `./${name}.js`))
  for (const name of parts) {
    const text = read(`${packages}browser/src/${name}.ts`)
    const names = [...text.matchAll(/from '([^']+)'/g)].map((match) => match[1] ?? '')
    expect(names.filter((from) => !allowed.has(from))).toEqual([])
  }
})

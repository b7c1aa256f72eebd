import { execFile } from 'node:child_process'
import { mkdtemp, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')
let dist: string

// Into a place of its own: `npm run build` may be writing dist at the same time.
beforeAll(async () => {
  dist = await mkdtemp(join(tmpdir(), 'guestpass-node-'))
  const tsdown = join(createRequire(import.meta.url).resolve('tsdown/package.json'), '../dist/run.mjs')
  await run(process.execPath, [tsdown, '--out-dir', dist, '--no-dts', '--logLevel', 'error'], { cwd: root })
}, 60_000)

const PUBLIC = [
  'CallerError',
  'Guestpass',
  'GuestpassError',
  'OperationNotAllowed',
  'RefreshTokenError',
  'RequestError',
  'ServiceError',
  'Session',
  'TokenError',
  'Verifier',
  'asksForANewToken',
  'canonicalText',
  'requireSession',
  'sessionOf',
  'sessionRoute',
  'sessionRoutes',
  'signatureOf',
]

test('import and require give the same public names', async () => {
  const names = 'Object.keys(m).filter((name) => name !== "default").sort().join()'
  const url = pathToFileURL(join(dist, 'index.js'))
  const imported = await run(process.execPath, [
    '--input-type=module',
    '-e',
    `import * as m from "${url}"; console.log(${names})`,
  ])
  const file = JSON.stringify(join(dist, 'index.cjs'))
  const required = await run(process.execPath, ['-e', `const m = require(${file}); console.log(${names})`])
  expect(imported.stdout.trim().split(',')).toEqual(PUBLIC)
  expect(required.stdout).toBe(imported.stdout)
})

test('a session that one copy of the package found is seen by the other', async () => {
  const script = `
    const { requireSession } = require(${JSON.stringify(join(dist, 'index.cjs'))})
    import(${JSON.stringify(pathToFileURL(join(dist, 'index.js')).href)}).then(async ({ sessionOf }) => {
      const guard = requireSession({ verify: async () => ({ userId: 'ada' }) })
      const req = { headers: { authorization: 'Bearer x' } }
      await guard(req, { setHeader() {}, end() {} }, () => console.log(sessionOf(req).userId))
    })`
  expect((await run(process.execPath, ['-e', script])).stdout.trim()).toBe('ada')
})

test('nothing of another package is needed at run time', async () => {
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Record<string, unknown>
  expect(manifest.dependencies).toBeUndefined()
  const code = await readFile(join(dist, 'index.js'), 'utf8')
  const imports = [...code.matchAll(/from ["']([^"']+)["']/g)].map(([, name]) => name)
  expect(imports.every((name) => name?.startsWith('node:'))).toBe(true)
})

import { fileURLToPath } from 'node:url'
import { defineProject } from 'vitest/config'

export default defineProject({
  // The examples import the package by its name, and run against the source.
  resolve: { alias: { '@guestpass/node': fileURLToPath(new URL('src/index.ts', import.meta.url)) } },
  test: {
    name: 'node',
    environment: 'node',
    include: ['test/**/*.test.ts'],
    typecheck: { enabled: true, include: ['test/**/*.test-d.ts'], tsconfig: './tsconfig.test.json' },
  },
})

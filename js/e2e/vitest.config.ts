import { defineProject } from 'vitest/config'

const at = (path: string) => new URL(path, import.meta.url).pathname

export default defineProject({
  resolve: {
    alias: [
      { find: '@guestpass/browser/refresh', replacement: at('../packages/browser/src/refresh-client.ts') },
      { find: '@guestpass/browser', replacement: at('../packages/browser/src/index.ts') },
      { find: '@guestpass/react', replacement: at('../packages/react/src/index.ts') },
    ],
  },
  test: {
    name: 'browser tests',
    environment: 'node',
    include: ['*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
  },
})

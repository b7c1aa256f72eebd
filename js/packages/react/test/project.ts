import type { UserProjectConfigExport } from 'vitest/config'

const at = (path: string) => new URL(path, import.meta.url).pathname

/** One vitest project for these tests, with more aliases where another React is meant. */
export function project(
  name: string,
  aliases: { find: RegExp; replacement: string }[] = [],
): UserProjectConfigExport {
  const browser = [
    { find: '@guestpass/browser/refresh', replacement: at('../../browser/src/refresh-client.ts') },
    { find: '@guestpass/browser/testing', replacement: at('../../browser/src/testing/index.ts') },
    { find: '@guestpass/browser', replacement: at('../../browser/src/index.ts') },
  ]
  return {
    resolve: { alias: [...browser, ...aliases] },
    test: { name, environment: 'happy-dom', include: ['test/**/*.test.tsx'], env: { EXPECTED_REACT: name } },
  }
}

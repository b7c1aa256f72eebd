import { defineConfig } from 'vitest/config'

// Each package brings its own projects; the browser tests are one of them.
export default defineConfig({
  test: { projects: ['packages/*/vitest*.config.ts', 'apps/*/vitest.config.ts', 'e2e/vitest.config.ts'] },
})

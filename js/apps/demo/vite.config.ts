import { defineConfig } from 'vite'

const at = (path: string) => new URL(path, import.meta.url).pathname

export default defineConfig({
  root: at('.'),
  logLevel: 'warn',
  // Their sources, so that the page needs no build of the packages first.
  resolve: {
    alias: [
      { find: '@guestpass/browser', replacement: at('../../packages/browser/src/index.ts') },
      { find: '@guestpass/react', replacement: at('../../packages/react/src/index.ts') },
    ],
  },
  // `npm run dev` beside a running demo host.
  server: { proxy: { '/api': 'http://127.0.0.1:8788', '/billing': 'http://127.0.0.1:8788' } },
  build: { assetsInlineLimit: 0, modulePreload: false },
})

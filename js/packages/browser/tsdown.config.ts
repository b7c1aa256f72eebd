import { defineConfig, type UserConfig } from 'tsdown'

const common: UserConfig = {
  format: 'esm',
  platform: 'neutral',
  target: 'es2022',
  dts: { oxc: true },
  outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
  outputOptions: { chunkFileNames: '[name].js' },
}

export default defineConfig([
  {
    ...common,
    entry: { index: 'src/index.ts', axios: 'src/axios.ts', testing: 'src/testing/index.ts' },
  },
  // Built apart, and meets the core as a user would: sharing a file with it would cut the core in two.
  {
    ...common,
    entry: { refresh: 'src/refresh-client.ts' },
    deps: { neverBundle: ['./index.js'] },
    clean: false,
  },
])

import { defineConfig } from 'tsdown'

export default defineConfig({
  entry: { index: 'src/index.ts', axios: 'src/axios.ts', testing: 'src/testing/index.ts' },
  format: 'esm',
  platform: 'neutral',
  target: 'es2022',
  dts: { oxc: true },
  outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
  outputOptions: { chunkFileNames: '[name].js' },
})

import { defineConfig } from 'tsdown'

export default defineConfig({
  entry: { index: 'src/index.ts' },
  format: 'esm',
  platform: 'neutral',
  target: 'es2022',
  dts: { oxc: true },
  outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
  // Frameworks with server components must know that this half belongs to the browser.
  outputOptions: { banner: "'use client'" },
})

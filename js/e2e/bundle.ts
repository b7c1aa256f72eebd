import { build, type PluginOption } from 'vite'

export const at = (path: string) => new URL(path, import.meta.url).pathname

/** The pages' scripts by their URL path, built once from the packages' sources as a host's bundler would. */
export const bundlePages = () => bundle({ sdk: at('pages/sdk.ts'), hydrate: at('pages/hydrate.tsx') })

/** Scripts by their URL path, `/js/{name}.js` for each name of `input`. */
export async function bundle(
  input: Record<string, string>,
  plugins: PluginOption[] = [],
): Promise<Map<string, string>> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    mode: 'development', // StrictMode does nothing in production
    define: { 'process.env.NODE_ENV': '"development"' },
    plugins,
    resolve: {
      alias: [
        { find: '@guestpass/browser/refresh', replacement: at('../packages/browser/src/refresh-client.ts') },
        { find: '@guestpass/browser', replacement: at('../packages/browser/src/index.ts') },
        { find: '@guestpass/react', replacement: at('../packages/react/src/index.ts') },
      ],
    },
    build: {
      write: false,
      minify: false,
      modulePreload: false,
      rolldownOptions: {
        input,
        preserveEntrySignatures: 'strict',
        output: { entryFileNames: 'js/[name].js', chunkFileNames: 'js/[name].js' },
      },
    },
  })
  const files = [result].flat().flatMap((one) => ('output' in one ? one.output : []))
  return new Map(files.flatMap((file) => (file.type === 'chunk' ? [[`/${file.fileName}`, file.code]] : [])))
}

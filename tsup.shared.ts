import { defineConfig } from 'tsup';

/** What every package's build shares: one ES module and its declarations, for Node and browsers alike. */
export default defineConfig({
  entry: ['src/index.ts'],
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  external: [/^node:/],
  removeNodeProtocol: false, // Deno and bundlers for browsers tell Node's modules by it
  dts: true,
  sourcemap: true,
  clean: true,
  treeshake: true,
});

import { defineConfig } from 'tsup';

/** What every package's build shares: one ES module and its declarations, for Node and browsers alike. */
export default defineConfig({
  entry: ['src/index.ts'],
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  external: [/^node:/],
  dts: true,
  sourcemap: true,
  clean: true,
  treeshake: true,
});

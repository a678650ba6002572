import { defineConfig } from 'vitest/config';

/** The whole suite in one run; `pnpm --filter @dl/tensor test` runs one package by its own config. */
export default defineConfig({
  test: { projects: ['packages/*/vitest.config.ts', 'examples/*/vitest.config.ts', 'bench/vitest.config.ts'] },
});

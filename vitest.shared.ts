import { defineConfig } from 'vitest/config';

const conditions = ['@dl/source', 'module', 'node', 'import', 'default'];

/**
 * What every package's tests share. Workspace packages resolve to their sources, so no build is needed.
 * `forks`: a test file may start threads, fill a heap or crash without taking another file with it.
 */
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    pool: 'forks',
    execArgv: ['--expose-gc'], // tests of memory collect garbage themselves
    testTimeout: 60_000,
    hookTimeout: 60_000,
    passWithNoTests: true,
  },
});

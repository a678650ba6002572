import { defineConfig } from 'vite';

/** A page with these headers is cross-origin isolated: it has shared memory, so the CPU backend has threads. */
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};
const headers = process.env['NOT_ISOLATED'] ? {} : isolation;

export default defineConfig({
  // Workspace packages as their sources, so that nothing has to be built first.
  resolve: { conditions: ['@dl/source', 'module', 'browser', 'import', 'default'] },
  worker: { format: 'es' },
  server: { headers },
  preview: { headers },
  build: { target: 'es2022' },
});

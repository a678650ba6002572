import { defineConfig } from 'vite';

/** A page with these headers is cross-origin isolated: it has shared memory, so the CPU backend has threads. */
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** The mode `not-isolated` serves the page as most hosts do. */
export default defineConfig(({ mode }) => {
  const headers = mode === 'not-isolated' ? {} : isolation;
  return {
    // Workspace packages as their sources, so that nothing has to be built first.
    resolve: { conditions: ['@dl/source', 'module', 'browser', 'import', 'default'] },
    worker: { format: 'es' },
    optimizeDeps: { include: ['d3-scale', 'd3-shape', 'gpu.js'] },
    server: { headers },
    preview: { headers },
    build: { target: 'es2022' },
  };
});

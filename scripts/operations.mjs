// Writes docs/operations.md from the tables of the tests (`pnpm docs:operations`), or with `--check` says whether it is up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer } from 'vite';
import { root } from './workspace.mjs';

const conditions = ['@dl/source', 'module', 'node', 'import', 'default'];
const file = join(root, 'docs', 'operations.md');

const server = await createServer({
  root,
  configFile: false,
  logLevel: 'error',
  appType: 'custom',
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  server: { middlewareMode: true, watch: null, hmr: false, ws: false },
  optimizeDeps: { noDiscovery: true },
});
let text;
try {
  const { operationsPage } = await server.ssrLoadModule('/scripts/operations/index.ts');
  text = await operationsPage();
} finally {
  await server.close();
}

if (process.argv.includes('--check')) {
  if (readFileSync(file, 'utf8') !== text) {
    console.error('docs/operations.md does not say what the tests hold. Run `pnpm docs:operations` and commit it.');
    process.exitCode = 1;
  }
} else writeFileSync(file, text);

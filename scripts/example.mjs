// Runs an example: `pnpm example NAME -- ARGS`.
//
// The example and the workspace packages that it imports are bundled from their TypeScript sources (a fraction of a
// second, so what runs is always what the sources say) and run in this process: its exit code and what it does on
// Ctrl-C are its own.
import { existsSync, renameSync } from 'node:fs';
import { join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, stop } from 'esbuild';
import { exampleNames, root, withoutSeparator } from './workspace.mjs';

const [name, ...args] = withoutSeparator(process.argv.slice(2));
const source = name && join(root, 'examples', name, 'src', 'main.ts');

if (!source || !existsSync(source)) {
  const names = exampleNames().filter((each) => existsSync(join(root, 'examples', each, 'src', 'main.ts')));
  console.error(name ? `There is no example "${name}".` : 'Usage: pnpm example NAME -- ARGS');
  console.error(`Examples: ${names.join(', ') || 'none yet'}`);
  process.exit(2);
}

const keeping = ['packages', `examples${sep}${name}`].map((folder) => join(root, folder) + sep);

// As deep in the example's folder as src/main.ts, so that a path relative to import.meta.url holds for both.
const bundle = join(root, 'examples', name, 'dist', 'main.mjs');
// Renamed once it is whole: another run of the example may be reading the bundle.
const written = `${bundle}.${process.pid}.mjs`;
await build({
  entryPoints: [source],
  outfile: written,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  conditions: ['@dl/source'],
  sourcemap: 'inline',
  logLevel: 'warning',
  plugins: [{ name: 'only-workspace', setup: ({ onResolve }) => onResolve({ filter: /^[^./]/ }, externalise) }],
});
await stop();
renameSync(written, bundle);

process.setSourceMapsEnabled(true);
process.argv = [process.execPath, bundle, ...args];
await import(pathToFileURL(bundle).href);

/** What the example and the library have from npm stays an import; workspace packages are bundled, and what the kit has from npm. */
function externalise({ kind, path, importer }) {
  if (kind === 'entry-point' || path.startsWith('@dl/')) return undefined;
  return keeping.some((folder) => importer.startsWith(folder)) ? { path, external: true } : undefined;
}

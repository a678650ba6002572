// Where things are: the workspace's root and its packages.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

const folders = (parent) =>
  readdirSync(join(root, parent), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);

/** The published packages, each with its folder and manifest, in alphabetical order. */
export function publishedPackages() {
  return folders('packages')
    .map((name) => ({ dir: join(root, 'packages', name) }))
    .map(({ dir }) => ({ dir, manifest: JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) }))
    .filter(({ manifest }) => !manifest.private)
    .map(({ dir, manifest }) => ({ dir, manifest, name: manifest.name }));
}

/** The names of the folders in `examples/`. */
export const exampleNames = () => folders('examples');

/** `pnpm example NAME -- ARGS` hands the `--` on to the script; whoever reads the arguments does not want it. */
export const withoutSeparator = (args) => {
  const at = args.indexOf('--');
  return at === -1 ? args : [...args.slice(0, at), ...args.slice(at + 1)];
};

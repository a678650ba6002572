// Checks that the packages train under Deno and Bun, which come from npm.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const runtimes = [
  { name: 'deno', version: '2.9.6', run: ['run', '--allow-all', '--no-check', '--node-modules-dir=manual'] },
  { name: 'bun', version: '1.4.5', run: ['run'] },
];
const programs = ['train.mjs', 'train-here.mjs'];
const rows = ['cpu, 1 thread', 'cpu, all threads'];

/**
 * Runs the programs in a project that has installed the packages.
 *
 * @param folder - an empty one's path, for the runtimes
 */
export function checkRuntimes(project, folder, { check, run }) {
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const wanted = runtimes.map(({ name, version }) => `${name}@${version}`);
  const npm = ['npm', '--no-audit', '--no-fund', '--loglevel=error'];
  if (!check('install Deno and Bun', run([...npm, 'install', ...wanted], { cwd: folder }))) return;
  for (const program of programs)
    copyFileSync(fileURLToPath(new URL(program, import.meta.url)), join(project, program));
  for (const { name, run: options } of runtimes) {
    const command = [join(folder, 'node_modules', '.bin', name), ...options, 'train-here.mjs', ...rows];
    check(`trains under ${name}`, run(command, { cwd: project, env: { DENO_DIR: join(folder, 'deno') } }));
  }
}

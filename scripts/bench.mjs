// Runs the benchmarks on the built packages, as a user of the published ones gets them: `pnpm bench -- ARGS`.
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, withoutSeparator } from './workspace.mjs';

execFileSync('turbo', ['run', 'build', '--output-logs=errors-only'], {
  cwd: root,
  stdio: ['ignore', 'ignore', 'inherit'],
});
const args = withoutSeparator(process.argv.slice(2));
const { status } = spawnSync(process.execPath, [join(root, 'bench', 'ours.mjs'), ...args], { stdio: 'inherit' });
process.exit(status ?? 1);

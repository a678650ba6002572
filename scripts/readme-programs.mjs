// The programs in the READMEs, run against installed tarballs as a reader would run them.
//
// A fenced block that opens with "```ts run" is a whole program, imports included. It is type-checked and run in the
// smallest project that has the packages it imports. If the next block opens with "```output", that is what the
// program prints, to the letter.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { root } from './workspace.mjs';

const timeoutMs = 300_000;
const fence = /^```([^\n]*)\n([\s\S]*?)^```[ \t]*$/gm;

/** The runnable blocks of a README: `{ code, output }`, `output` undefined where the README promises none. */
export function programsOf(markdown) {
  const blocks = [...markdown.matchAll(fence)].map(([, info, code]) => ({ info: info.trim(), code }));
  return blocks.flatMap(({ info, code }, i) => {
    if (info !== 'ts run') return [];
    const next = blocks[i + 1];
    return [{ code, output: next?.info === 'output' ? next.code : undefined }];
  });
}

/** The packages of ours that a program imports. */
const importsOf = (code) => [...new Set([...code.matchAll(/['"](@dl\/[^'"/]+)['"]/g)].map(([, name]) => name))];

/**
 * Runs every README's programs.
 *
 * @param readmes - paths of README files; one that does not exist has none
 * @param projects - folders with the packages `names` installed, the smallest first
 * @param host - `check(name, ok)` counts a result, `run(command, { cwd })` runs and answers whether it succeeded
 */
export function runReadmePrograms(readmes, projects, host) {
  for (const { dir, names } of projects)
    host.check(`declarations in ${basename(dir)}`, declarationsHold(dir, names, host));
  for (const readme of readmes) {
    const label = relative(root, readme);
    if (!host.check(`${label} exists`, existsSync(readme))) continue;
    const programs = programsOf(readFileSync(readme, 'utf8'));
    if (programs.length === 0) console.log(`${label}: no runnable program`);
    programs.forEach((program, i) => {
      const imports = importsOf(program.code);
      const project = projects.find(({ names }) => imports.every((name) => names.includes(name)));
      const name = `${label} program ${i + 1}`;
      host.check(name, project !== undefined && runProgram(program, name, project.dir, host));
    });
  }
}

/** The declarations alone, for a consumer who has neither DOM nor Node types. */
function declarationsHold(dir, names, host) {
  const lines = names.map((name, i) => `export * as package${i} from '${name}';\n`);
  return typeChecks(dir, 'declarations', lines.join(''), { types: [], skipLibCheck: false }, host);
}

function runProgram({ code, output }, name, dir, host) {
  const file = name.replace(/[^\w]+/g, '-');
  const types = { typeRoots: [join(root, 'node_modules/@types')], types: ['node'], skipLibCheck: true };
  if (!typeChecks(dir, file, code, types, host)) return false;

  const { transformSync } = createRequire(join(root, 'package.json'))('esbuild');
  const script = join(dir, file, 'program.mjs');
  writeFileSync(script, transformSync(code, { loader: 'ts', format: 'esm', target: 'node20' }).code);
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
    cwd: dirname(script),
    encoding: 'utf8',
    timeout: timeoutMs,
  });
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  if (status !== 0) return false;
  if (output !== undefined && output.trimEnd() !== stdout.trimEnd()) {
    console.error(`${name} should print:\n${output}`);
    return false;
  }
  return true;
}

/** Type-checks a source in a folder of its own within the project, as strictly as TypeScript can. */
function typeChecks(dir, folder, code, options, host) {
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2023', 'ESNext.Disposable'],
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    ...options,
  };
  mkdirSync(join(dir, folder));
  writeFileSync(join(dir, folder, 'program.mts'), code);
  const config = join(dir, folder, 'tsconfig.json');
  writeFileSync(config, JSON.stringify({ compilerOptions, files: ['program.mts'] }));
  return host.run([process.execPath, join(root, 'node_modules/typescript/bin/tsc'), '-p', config], { cwd: dir });
}

// Everything that a change must pass, from a clean checkout: `.ci/run`. Imports nothing from npm, for it installs.
// The last line is "N passed, N failed": the tests of the suite and each of the other checks.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findChromium } from './browser/find-chromium.mjs';
import { checkRuntimes } from './browser/runtimes.mjs';
import { runReadmePrograms } from './readme-programs.mjs';
import { publishedPackages, root } from './workspace.mjs';

const pnpm = ['npx', '-y', 'pnpm@12.21.0'];
const tool = (name) => join(root, 'node_modules', '.bin', name);
/** `npm i` of these is a working subset. */
const subset = ['@dl/tensor', '@dl/autograd', '@dl/backend-cpu', '@dl/layers'];

const temporary = mkdtempSync(join(tmpdir(), 'dl-ci-'));
let passed = 0;
const failures = [];

/** Runs a command; its output is shown as it comes. Answers whether it succeeded. */
function run(command, { cwd = root, env } = {}) {
  const [program, ...args] = command;
  const { status, error } = spawnSync(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (error) console.error(String(error));
  return status === 0;
}

/** Counts one check. */
function check(name, ok) {
  if (ok) passed++;
  else failures.push(name);
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name}`);
  return ok;
}

function section(name) {
  console.log(`\n== ${name} (${Math.round(performance.now() / 1000)} s)`);
}

/** The browser that tests click in, and whose software adapter serves WebGPU. */
function installChromium() {
  if (!findChromium()) installPackage('chromium');
  return Boolean(findChromium());
}

/** The library of `cpu({ blas: 'auto' })`; where there is none, its tests say so and are skipped. */
function installOpenBlas() {
  const { stdout } = spawnSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' });
  if (!stdout?.includes('libopenblas.so')) installPackage('libopenblas0-pthread');
}

function installPackage(name) {
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  run([...sudo, 'apt-get', '-qq', 'update']);
  run([...sudo, 'apt-get', '-qq', 'install', '-y', '--no-install-recommends', name], { env });
}

/** Chromium's software adapter, for the tests of WebGPU in Node, which must not be skipped here. */
function softwareGpu() {
  const driver = '/usr/lib/chromium/vk_swiftshader_icd.json';
  const { VK_DRIVER_FILES = driver, XDG_RUNTIME_DIR = temporary, LD_LIBRARY_PATH = '' } = process.env;
  // Chromium brings the loader of drivers, libvulkan.so.1, too; a machine may have no other.
  const libraries = [LD_LIBRARY_PATH, dirname(driver)].filter(Boolean).join(':');
  return { VK_DRIVER_FILES, XDG_RUNTIME_DIR, LD_LIBRARY_PATH: libraries, DL_REQUIRE_GPU: '1' };
}

/** The suite by README's command; each test counts. */
function testSuite() {
  const report = join(temporary, 'tests.json');
  const command = [...pnpm, 'test', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const ok = run(command, { env: softwareGpu() });
  const result = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined;
  passed += result?.numPassedTests ?? 0;
  for (const file of result?.testResults ?? [])
    for (const test of file.assertionResults) if (test.status === 'failed') failures.push(`test: ${test.fullName}`);
  check('pnpm test', ok);
}

/** Packs every package and answers name → tarball. */
function packAll(packages) {
  const tarballs = new Map();
  for (const { dir, name } of packages) {
    const to = join(temporary, 'tarballs', name.replace('/', '-'));
    mkdirSync(to, { recursive: true });
    const ok = run([...pnpm, '--silent', 'pack', '--pack-destination', to], { cwd: dir });
    const file = existsSync(to) && readdirSync(to).find((entry) => entry.endsWith('.tgz'));
    if (check(`pack ${name}`, ok && Boolean(file))) tarballs.set(name, join(to, file));
  }
  return tarballs;
}

/** An empty project that has installed these packages from their tarballs, offline: nothing else is needed. */
function consumer(label, names, tarballs) {
  const dir = join(temporary, label);
  mkdirSync(dir);
  const files = names.map((name) => tarballs.get(name)).filter(Boolean);
  writeFileSync(join(dir, 'package.json'), '{ "private": true }\n');
  const npm = ['npm', '--offline', '--no-audit', '--no-fund', '--loglevel=error'];
  const ok = run([...npm, 'install', ...files], { cwd: dir });
  check(`install ${label} from tarballs`, ok && files.length === names.length);
  return dir;
}

function main() {
  section('install');
  if (!check('install', run([...pnpm, 'install', '--frozen-lockfile']))) return;
  check('install chromium', installChromium());
  installOpenBlas();
  section('lint');
  check('lint', run([...pnpm, 'lint']));
  section('typecheck');
  check('typecheck', run([...pnpm, 'typecheck']));
  section('docs');
  check(
    'docs/operations.md is up to date',
    run([process.execPath, join(root, 'scripts', 'operations.mjs'), '--check']),
  );
  section('test');
  testSuite();
  section('build');
  if (!check('build', run([...pnpm, 'build', '--output-logs=errors-only']))) return;

  section('packages');
  const packages = publishedPackages();
  const tarballs = packAll(packages);
  for (const [name, file] of tarballs) {
    check(`publint ${name}`, run([tool('publint'), 'run', file, '--strict']));
    check(`attw ${name}`, run([tool('attw'), file, '--profile', 'esm-only', '--format', 'ascii', '--no-summary']));
  }

  section('browser');
  check('browser', run([process.execPath, join(root, 'scripts', 'browser', 'check.mjs')]));

  section('README programs');
  const all = packages.map(({ name }) => name);
  const projects = [
    { names: subset, dir: consumer('subset', subset, tarballs) },
    { names: all, dir: consumer('all', all, tarballs) },
  ];
  const readmes = [root, ...packages.map(({ dir }) => dir)].map((dir) => join(dir, 'README.md'));
  runReadmePrograms(readmes, projects, { check, run });

  section('Deno and Bun');
  checkRuntimes(projects[1].dir, join(temporary, 'runtimes'), { check, run });

  section('sizes');
  check('sizes', run([process.execPath, join(root, 'scripts', 'sizes.mjs')]));
}

main();
rmSync(temporary, { recursive: true, force: true });
if (failures.length) console.log(`\nFailed:\n${failures.map((name) => `  ${name}`).join('\n')}`);
console.log(`\nTook ${Math.round(performance.now() / 1000)} s`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length ? 1 : 0;

/* A process whose threads are idle ends when its work is done. Runs programs of their own, from a bundle of the sources. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dl-exit-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Works until a worker has taken part, then prints when that was. */
const work = `
import { compile, setBackend, tensor } from '@dl/tensor';
import { createCpu } from '${fileURLToPath(new URL('../src/backend.ts', import.meta.url))}';
const backend = await createCpu({ threads: 2, oversubscribe: true, startAfter: 0 });
setBackend(backend);
const scale = compile((v) => v.mul(2).tanh());
const x = tensor(new Float32Array(1_000_000).fill(1));
for (let i = 0; i < 5000 && !(backend.pool?.taken[0] > 0); i++) scale(x).dispose();
if (!(backend.pool?.taken[0] > 0)) throw new Error('no thread took part');
console.log('done', Date.now());
`;

/** Runs a program; resolves to what it printed, how it ended, and how long after its last work. */
async function run(name: string, rest: string): Promise<{ out: string; code: number | null; lateMs: number }> {
  const file = join(folder, `${name}.mjs`);
  await build({
    stdin: { contents: work + rest, resolveDir: fileURLToPath(new URL('..', import.meta.url)), loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['@dl/source'],
    outfile: file,
  });
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  child.stdout.on('data', (data) => (out += data));
  child.stderr.on('data', (data) => (out += data));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { out, code, lateMs: Date.now() - Number(/done (\d+)/.exec(out)?.[1]) };
}

/** Seconds on an idle machine would be a fault; ours may run other tests meanwhile. */
const soon = 5000;

test('a program that is done ends by itself', async () => {
  const { out, code, lateMs } = await run('done', '');
  expect([out.replace(/\d+\n$/, ''), code]).toEqual(['done ', 0]);
  expect(lateMs).toBeLessThan(soon);
});

test('a program that throws ends with its error', async () => {
  const { out, code, lateMs } = await run('throws', "throw new RangeError('mine');");
  expect(out).toContain('RangeError: mine');
  expect(code).toBe(1);
  expect(lateMs).toBeLessThan(soon);
});

test('dispose ends the threads, and nothing runs after it', async () => {
  const { out, code } = await run(
    'disposes',
    'await backend.dispose(); try { scale(x); } catch (error) { console.log(error.message); }',
  );
  expect(out).toContain('the backend was disposed');
  expect(code).toBe(0);
});

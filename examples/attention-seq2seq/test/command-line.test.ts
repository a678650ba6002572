/** The example as it is run, for a few steps: its last line, its files, and what it says to mistakes. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dl-seq2seq-'));
});
afterAll(() => rm(folder, { recursive: true }));

interface Run {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

function example(...args: readonly string[]): Promise<Run> {
  const started = spawn(process.execPath, ['scripts/example.mjs', 'attention-seq2seq', '--', ...args], { cwd: root });
  let [output, errors] = ['', ''];
  started.stdout.on('data', (data) => {
    output += data;
  });
  started.stderr.on('data', (data) => {
    errors += data;
  });
  return new Promise((resolve) => started.on('close', (code) => resolve({ code, output, errors })));
}

test('ends with one line of JSON and leaves pictures; a checkpoint is gone on from', async () => {
  const args = ['--count', '160', '--batch', '16', '--epochs', '1', '--json', '--out'];
  const { code, errors, output } = await example(...args, join(folder, 'a'));
  expect([code, errors]).toEqual([0, '']);
  const figures = JSON.parse(output.trim().split('\n').at(-1)!);
  expect(figures).toMatchObject({ example: 'attention-seq2seq', data: 'dates', epochs: 1 });
  const files = ['alignment.svg', 'last.ckpt', 'log.jsonl', 'loss.svg', 'translations.tsv'];
  expect((await readdir(join(folder, 'a'))).sort()).toEqual(files);
  expect((await readFile(join(folder, 'a/translations.tsv'), 'utf8')).trimEnd().split('\n')).toHaveLength(1000);
  const resumed = await example('--resume', join(folder, 'a/last.ckpt'), '--json', '--out', join(folder, 'b'));
  expect([resumed.code, resumed.errors]).toEqual([0, '']);
  expect(JSON.parse(resumed.output.trim().split('\n').at(-1)!)['validationLoss']).toBe(figures.validationLoss);
}, 240_000);

test('mistakes: a clear message and exit code 2', async () => {
  const { code, errors } = await example('--count', 'many');
  const message = "attention-seq2seq: --count is a whole number of at least 1, not 'many'. Try --help.\n";
  expect({ code, errors }).toEqual({ code: 2, errors: message });
  expect(await example('--help')).toMatchObject({ code: 0, output: expect.stringContaining('--resume FILE') });
});

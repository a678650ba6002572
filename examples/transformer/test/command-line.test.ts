/** The example as it is run, for a few steps: its last line, its files, resumption, and what it says to mistakes. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
let folder: string;

const words = ['a dog runs', 'the cat sleeps', 'two men walk', 'a child plays', 'the woman reads a book'];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dl-transformer-'));
  await writeFile(join(folder, 'text.txt'), 'To be, or not to be, that is the question.\n'.repeat(600));
  for (const part of ['train', 'val', 'test_2016_flickr']) {
    const lines = Array.from({ length: part === 'train' ? 200 : 20 }, (_, i) => words[i % words.length]!);
    await writeFile(join(folder, `${part}.en.gz`), gzipSync(lines.join('\n')));
    await writeFile(join(folder, `${part}.de`), lines.map((line) => line.toUpperCase()).join('\n'));
  }
});
afterAll(() => rm(folder, { recursive: true }));

interface Run {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

function example(...args: readonly string[]): Promise<Run> {
  const started = spawn(process.execPath, ['scripts/example.mjs', 'transformer', '--', ...args], { cwd: root });
  let [output, errors] = ['', ''];
  started.stdout.on('data', (data) => {
    output += data;
  });
  started.stderr.on('data', (data) => {
    errors += data;
  });
  return new Promise((resolve) => started.on('close', (code) => resolve({ code, output, errors })));
}

const lastLine = (output: string): Record<string, unknown> => JSON.parse(output.trim().split('\n').at(-1)!);

describe('gpt', () => {
  test('learns, writes, leaves files; the same seed gives the same; a checkpoint is gone on from', async () => {
    const text = join(folder, 'text.txt');
    const common = ['gpt', '--data', text, '--steps', '12', '--batch', '4', '--sample', '20', '--json', '--out'];
    const [a, b] = [await example(...common, join(folder, 'a')), await example(...common, join(folder, 'b'))];
    expect([a.code, a.errors]).toEqual([0, '']);
    const figures = lastLine(a.output);
    expect(figures).toMatchObject({ example: 'transformer', mode: 'gpt', data: 'text.txt', steps: 12 });
    expect(figures['validationLoss']).toBeLessThan(3.5);
    expect(lastLine(b.output)['validationLoss']).toBe(figures['validationLoss']);
    expect((await readdir(join(folder, 'a'))).sort()).toEqual(['last.ckpt', 'log.jsonl', 'loss.svg', 'sample.txt']);
    expect([...(await readFile(join(folder, 'a/sample.txt'), 'utf8'))]).toHaveLength(28);
    const resumed = await example(
      '--resume',
      join(folder, 'a/last.ckpt'),
      '--sample',
      '0',
      '--json',
      '--out',
      join(folder, 'c'),
    );
    expect([resumed.code, resumed.errors]).toEqual([0, '']);
    expect(lastLine(resumed.output)['validationLoss']).toBe(figures['validationLoss']);
  }, 240_000);
});

describe('translate', () => {
  test('sentences of a folder: figures, translations and attention maps', async () => {
    const out = join(folder, 'd');
    const args = [
      'translate',
      '--data',
      folder,
      '--steps',
      '6',
      '--batch',
      '16',
      '--beams',
      '2',
      '--json',
      '--out',
      out,
    ];
    const { code, errors, output } = await example(...args);
    expect([code, errors]).toEqual([0, '']);
    expect(lastLine(output)).toMatchObject({ mode: 'translate', beams: 2 });
    expect((await readdir(out)).sort()).toEqual([
      'attention.svg',
      'last.ckpt',
      'log.jsonl',
      'loss.svg',
      'translations.tsv',
    ]);
    expect((await readFile(join(out, 'translations.tsv'), 'utf8')).trimEnd().split('\n')).toHaveLength(20);
    expect(await readFile(join(out, 'attention.svg'), 'utf8')).toMatch(/^<svg[\s\S]*<\/svg>\n$/);
  }, 240_000);
});

describe('what it is told', () => {
  test.each([
    [['write'], "the mode is gpt or translate, not 'write'"],
    [['gpt', 'translate'], "one mode is named, but then comes 'translate'"],
    [['--steps', '0'], "--steps is a whole number of at least 1, not '0'"],
    [['--lr', 'x'], "--lr is a number above 0, not 'x'"],
    [['--step', '3'], "Unknown option '--step'"],
  ])('%j: a clear message and exit code 2', async (args, message) => {
    const { code, errors, output } = await example(...args);
    expect({ code, output, errors }).toEqual({ code: 2, output: '', errors: `transformer: ${message}. Try --help.\n` });
  });

  test('help, and a folder that is not there', async () => {
    expect(await example('--help')).toMatchObject({ code: 0, output: expect.stringContaining('--resume FILE') });
    const { code, errors } = await example('translate', '--data', join(folder, 'nowhere'));
    expect(code).toBe(1);
    expect(errors).toContain(`there is no file ${join(folder, 'nowhere', 'train.de')}`);
  });
});

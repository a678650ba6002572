/** The example as it is run, for a few steps: its last line, its files, Ctrl-C, resumption, and what it says to mistakes. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  argumentsOf,
  type Example,
  expectRefusedWhenCut,
  expectResumable,
  lastLine,
  startExample,
} from '@dl/example-kit/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

vi.setConfig({ testTimeout: 240_000 });

let folder: string;

const words = ['a dog runs', 'the cat sleeps', 'two men walk', 'a child plays', 'the woman reads a book'];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dl-transformer-'));
  await writeFile(join(folder, 'text.txt'), 'To be, or not to be, that is the question.\n'.repeat(600));
  for (const part of ['train', 'val', 'test_2016_flickr']) {
    const lines = Array.from({ length: part === 'train' ? 100 : 20 }, (_, i) => words[i % words.length]!);
    await writeFile(join(folder, `${part}.en.gz`), gzipSync(lines.join('\n')));
    await writeFile(join(folder, `${part}.de`), lines.map((line) => line.toUpperCase()).join('\n'));
  }
});
afterAll(() => rm(folder, { recursive: true }));

const example: Example = (args, interruption) => startExample('transformer', args, interruption);

const gpt = (steps = 12): string[] => [
  'gpt',
  ...argumentsOf({ data: join(folder, 'text.txt'), steps, batch: 4, sample: 20 }),
];
const translate = (steps = 12): string[] => ['translate', ...argumentsOf({ data: folder, steps, batch: 16, beams: 2 })];
const into = (out: string, args: readonly string[]): string[] => [...args, '--out', join(folder, out), '--json'];

const resumable = (args: readonly string[], out: string, whole: string): Promise<void> =>
  expectResumable(example, args, {
    out: join(folder, out),
    whole: join(folder, whole, 'last.ckpt'),
    more: ['--sample', '0'],
  });

const refusedWhenCut = (args: readonly string[], out: string): Promise<void> =>
  expectRefusedWhenCut(example, args, { out: join(folder, out), options: { mode: args[0] } });

describe('gpt', () => {
  test('learns, writes, leaves files; the same seed gives the same', async () => {
    const [a, b] = [await example(into('a', gpt())), await example(into('b', gpt()))];
    expect([a.code, a.errors]).toEqual([0, '']);
    const figures = lastLine(a.output);
    expect(figures).toMatchObject({ example: 'transformer', mode: 'gpt', data: 'text.txt', steps: 12 });
    expect(figures['validationLoss']).toBeLessThan(3.5);
    expect(lastLine(b.output)['validationLoss']).toBe(figures['validationLoss']);
    expect((await readdir(join(folder, 'a'))).sort()).toEqual(['last.ckpt', 'log.jsonl', 'loss.svg', 'sample.txt']);
    expect([...(await readFile(join(folder, 'a/sample.txt'), 'utf8'))]).toHaveLength(28);
  });

  test('interrupted by Ctrl-C, exits with 130; resumed, it ends with the weights of one that was not', () =>
    resumable(gpt(), 'c', 'a'));

  test('killed, it leaves a checkpoint that can be read; one that was cut short is refused', () =>
    refusedWhenCut(gpt(80), 'd'));
});

describe('translate', () => {
  test('sentences of a folder: figures, translations and attention maps', async () => {
    const { code, errors, output } = await example(into('e', translate()));
    expect([code, errors]).toEqual([0, '']);
    expect(lastLine(output)).toMatchObject({ mode: 'translate', beams: 2 });
    const out = join(folder, 'e');
    expect((await readdir(out)).sort()).toEqual([
      'attention.svg',
      'last.ckpt',
      'log.jsonl',
      'loss.svg',
      'translations.tsv',
    ]);
    expect((await readFile(join(out, 'translations.tsv'), 'utf8')).trimEnd().split('\n')).toHaveLength(20);
    expect(await readFile(join(out, 'attention.svg'), 'utf8')).toMatch(/^<svg[\s\S]*<\/svg>\n$/);
  });

  test('interrupted by Ctrl-C and resumed; killed, and its checkpoint cut short', async () => {
    await resumable(translate(), 'f', 'e');
    await refusedWhenCut(translate(600), 'g');
  });
});

describe('what it is told', () => {
  test.each([
    [['write'], "the mode is gpt or translate, not 'write'"],
    [['gpt', 'translate'], "one mode is named, but then comes 'translate'"],
    [['--steps', '0'], "--steps is a whole number of at least 1, not '0'"],
    [['--lr', 'x'], "--lr is a number above 0, not 'x'"],
    [['--step', '3'], "Unknown option '--step'"],
  ])('%j: a clear message and exit code 2', async (args, message) => {
    const { code, errors, output } = await example(args);
    expect({ code, output, errors }).toEqual({ code: 2, output: '', errors: `transformer: ${message}. Try --help.\n` });
  });

  test('help, folders without text, and a checkpoint of another architecture', async () => {
    expect(await example(['--help'])).toMatchObject({ code: 0, output: expect.stringContaining('--resume FILE') });
    const nowhere = await example(['translate', '--data', join(folder, 'nowhere')]);
    expect([nowhere.code, nowhere.errors]).toEqual([
      1,
      expect.stringContaining(`there is no file ${folder}/nowhere/train.de`),
    ]);
    const resume = join(folder, 'a/last.ckpt');
    const other = await example(['translate', ...argumentsOf({ resume, data: folder })]);
    expect([other.code, other.errors]).toEqual([
      2,
      expect.stringContaining('a checkpoint of the mode gpt, not of translate'),
    ]);
    await writeFile(join(folder, 'short.txt'), 'abcdefghij'.repeat(3000));
    const misfit = await example(argumentsOf({ resume, data: join(folder, 'short.txt') }));
    expect([misfit.code, misfit.errors]).toEqual([1, expect.stringContaining('misshapen: tokens.weight')]);
  });
});

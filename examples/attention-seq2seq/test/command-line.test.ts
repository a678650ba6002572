/** The example as it is run, for a few steps: its last line, its files, Ctrl-C, resumption, and what it says to mistakes. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  argumentsOf,
  type Example,
  expectRefusedWhenCut,
  expectResumable,
  lastLine,
  startExample,
} from '@dl/example-kit/testing';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

vi.setConfig({ testTimeout: 240_000 });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dl-seq2seq-'));
});
afterAll(() => rm(folder, { recursive: true }));

const example: Example = (args, interruption) => startExample('attention-seq2seq', args, interruption);

const common = (epochs = 2): string[] => argumentsOf({ count: 160, batch: 16, epochs, seed: 2 });

test('ends with one line of JSON and leaves pictures', async () => {
  const { code, errors, output } = await example([...common(), '--out', join(folder, 'a'), '--json']);
  expect([code, errors]).toEqual([0, '']);
  expect(lastLine(output)).toMatchObject({ example: 'attention-seq2seq', data: 'dates', epochs: 2 });
  const files = ['alignment.svg', 'last.ckpt', 'log.jsonl', 'loss.svg', 'translations.tsv'];
  expect((await readdir(join(folder, 'a'))).sort()).toEqual(files);
  expect((await readFile(join(folder, 'a/translations.tsv'), 'utf8')).trimEnd().split('\n')).toHaveLength(1000);
});

test('interrupted by Ctrl-C, exits with 130; resumed, it ends with the weights of one that was not', () =>
  expectResumable(example, common(), { out: join(folder, 'b'), whole: join(folder, 'a/last.ckpt') }));

test('killed, it leaves a checkpoint that can be read; one that was cut short is refused', () =>
  expectRefusedWhenCut(example, common(60), { out: join(folder, 'c'), options: { epochs: 60, count: 160 } }));

test('mistakes: a clear message and exit code 2', async () => {
  const { code, errors } = await example(['--count', 'many']);
  const message = "attention-seq2seq: --count is a whole number of at least 1, not 'many'. Try --help.\n";
  expect({ code, errors }).toEqual({ code: 2, errors: message });
  expect(await example(['--help'])).toMatchObject({ code: 0, output: expect.stringContaining('--resume FILE') });
});

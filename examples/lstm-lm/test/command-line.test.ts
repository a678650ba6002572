/** The example as it is run: its options, its last line, resumption, and what it says when it cannot. */
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
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
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

vi.setConfig({ testTimeout: 300_000 }); // each run compiles 64 unrolled time steps, forward and back

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dl-lstm-lm-'));
  await writeFile(join(folder, 'text.txt'), 'to be, or not to be: that is the question.\n'.repeat(60));
});
afterAll(() => rm(folder, { recursive: true }));

const example: Example = (args, interruption) => startExample('lstm-lm', args, interruption);

const common = (epochs = 3): string[] =>
  argumentsOf({ data: join(folder, 'text.txt'), epochs, batch: 4, lr: 0.01, seed: 4, sample: 20 });
const into = (out: string): string[] => [...common(), '--out', join(folder, out), '--json'];

describe('a run', () => {
  test('ends with one line of JSON, leaves a picture and a sample, and is the same for the same seed', async () => {
    const first = await example(into('a'));
    const second = await example(into('b'));
    expect([first.code, first.errors]).toEqual([0, '']);
    const [a, b] = [lastLine(first.output), lastLine(second.output)];
    expect(Object.keys(a)).toEqual(
      'example data epochs validationLoss perplexity trainLoss stepMsMedian charactersPerSecond parameters'.split(' '),
    );
    expect(a).toMatchObject({ example: 'lstm-lm', data: 'text.txt', epochs: 3 });
    expect(a['validationLoss']).toBeLessThan(3); // 18 characters: log 18 = 2.89 is no knowledge at all but the count
    expect(b['validationLoss']).toBe(a['validationLoss']);
    const sample = await readFile(join(folder, 'a/sample.txt'), 'utf8');
    expect([...sample]).toHaveLength(20);
    expect(await readFile(join(folder, 'b/sample.txt'), 'utf8')).toBe(sample);
    await access(join(folder, 'a/loss.svg'));
  });

  test('interrupted, exits with 130; resumed, it ends with the weights of one that was not', () => {
    const paths = { out: join(folder, 'c'), whole: join(folder, 'a/last.ckpt') };
    return expectResumable(example, common(), { ...paths, more: ['--sample', '0'] });
  });

  test('killed, it leaves a checkpoint that can be read; one that was cut short is refused', () =>
    expectRefusedWhenCut(example, common(60), { out: join(folder, 'd'), options: { epochs: 60, batch: 4 } }));

  test('a checkpoint of a model of other characters is refused', async () => {
    await writeFile(join(folder, 'other.txt'), 'abcdefg '.repeat(400));
    const args = argumentsOf({ resume: join(folder, 'a/last.ckpt'), data: join(folder, 'other.txt') });
    const { code, errors } = await example(args);
    expect(code).toBe(1);
    expect(errors).toContain('misshapen: embedding.weight');
  });
});

describe('what it is told', () => {
  test.each([
    [['--epoch', '3'], "Unknown option '--epoch'"],
    [['--epochs', 'many'], "--epochs is a whole number of at least 1, not 'many'"],
    [['--lr', '0'], "--lr is a number above 0, not '0'"],
    [['--temperature=-1'], "--temperature is a number of at least 0, not '-1'"],
  ])('%j: a clear message and exit code 2', async (args, message) => {
    const { code, errors } = await example(args);
    expect({ code, errors }).toEqual({ code: 2, errors: `lstm-lm: ${message}. Try --help.\n` });
  });

  test('help, a file that is not there, and texts that are too short', async () => {
    expect(await example(['--help'])).toMatchObject({ code: 0, output: expect.stringContaining('--resume FILE') });
    expect((await example(['--data', join(folder, 'nowhere')])).errors).toContain('nowhere could not be read');
    await writeFile(join(folder, 'short.txt'), 'too short');
    expect((await example(['--data', join(folder, 'short.txt')])).errors).toContain('9 characters, which is too few');
    await writeFile(join(folder, 'empty.txt'), '');
    expect((await example(['--data', join(folder, 'empty.txt')])).errors).toContain('0 characters, which is too few');
  });
});

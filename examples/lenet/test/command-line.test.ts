/** The example as it is run: its options, its last line, Ctrl-C, resumption, and a process that is killed. */
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { generateDigits } from '@dl/data';
import {
  argumentsOf,
  type Example,
  expectRefusedWhenCut,
  expectResumable,
  lastLine,
  startExample,
  weightsIn,
} from '@dl/example-kit/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let folder: string;

/** An IDX file of bytes. */
function idx(shape: readonly number[], bytes: Uint8Array): Uint8Array {
  const header = new DataView(new ArrayBuffer(4 + 4 * shape.length));
  header.setUint32(0, 0x0800 | shape.length);
  for (const [i, size] of shape.entries()) header.setUint32(4 + 4 * i, size);
  return Buffer.concat([new Uint8Array(header.buffer), bytes]);
}

async function writeDigits(dir: string): Promise<void> {
  await mkdir(dir);
  for (const [stem, count, seed] of [
    ['train', 640, 1],
    ['t10k', 200, 2],
  ] as const) {
    const [images, labels] = generateDigits({ count, seed }).columns;
    await writeFile(join(dir, `${stem}-images-idx3-ubyte`), idx([count, 28, 28], images.data as Uint8Array));
    await writeFile(join(dir, `${stem}-labels-idx1-ubyte.gz`), gzipSync(idx([count], labels.data as Uint8Array)));
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dl-lenet-'));
  await writeDigits(join(folder, 'digits'));
});
afterAll(() => rm(folder, { recursive: true }));

const example: Example = (args, interruption) => startExample('lenet', args, interruption);

const common = (epochs = 3): string[] => argumentsOf({ data: join(folder, 'digits'), epochs, seed: 4 });
const into = (out: string): string[] => [...common(), '--out', join(folder, out), '--json'];

describe('a run', () => {
  test('ends with one line of JSON, leaves pictures, and is the same for the same seed', async () => {
    const runs = [await example(into('a')), await example(into('b'))];
    expect(runs.map(({ code, errors }) => [code, errors])).toEqual([
      [0, ''],
      [0, ''],
    ]);
    const [first, second] = runs.map(({ output }) => lastLine(output));
    expect(Object.keys(first!)).toEqual([
      'example',
      'data',
      'epochs',
      'testAccuracy',
      'trainLoss',
      'secondsPerEpoch',
      'stepMsMedian',
      'parameters',
    ]);
    expect(first).toMatchObject({ example: 'lenet', data: 'mnist', epochs: 3, parameters: 61706 });
    expect(first!['testAccuracy']).toBeGreaterThan(0.5); // 30 steps
    for (const key of ['testAccuracy', 'trainLoss']) expect(second![key]).toBe(first![key]);
    expect(await weightsIn(join(folder, 'b/last.ckpt'))).toEqual(await weightsIn(join(folder, 'a/last.ckpt')));
    for (const name of ['curves.svg', 'confusion.svg', 'mistakes.svg', 'filters.png'])
      await access(join(folder, 'a', name));
    expect(
      [...(await readFile(join(folder, 'a/filters.png'))).subarray(1, 4)].map((c) => String.fromCharCode(c)).join(''),
    ).toBe('PNG');
    const log = (await readFile(join(folder, 'a/log.jsonl'), 'utf8')).trim().split('\n');
    expect(log.map((line) => JSON.parse(line).event)).toEqual([
      'step',
      'epoch',
      'step',
      'epoch',
      'step',
      'epoch',
      'end',
    ]);
  });

  test('interrupted by Ctrl-C, exits with 130; resumed, it ends with the weights of one that was not', () =>
    expectResumable(example, common(), { out: join(folder, 'c'), whole: join(folder, 'a/last.ckpt') }));

  test('killed, it leaves a checkpoint that can be read; one that was cut short is refused', () =>
    expectRefusedWhenCut(example, common(60), { out: join(folder, 'd'), options: { epochs: 60 } }));
});

describe('what it is told', () => {
  test.each([
    [['--epoch', '3'], "Unknown option '--epoch'"],
    [['mnist'], "Unexpected argument 'mnist'"],
    [['--epochs', 'many'], "--epochs is a whole number of at least 1, not 'many'"],
    [['--epochs'], "Option '--epochs <value>' argument missing"],
    [['--lr', '0'], "--lr is a number above 0, not '0'"],
    [['--backend', 'gpu'], "--backend is cpu, not 'gpu'"],
  ])('%j: a clear message and exit code 2', async (args, message) => {
    const { code, errors, output } = await example(args);
    expect({ code, output }).toEqual({ code: 2, output: '' });
    expect(errors).toBe(`lenet: ${message}. Try --help.\n`);
  });

  test('help, and a folder that is not there', async () => {
    expect(await example(['--help'])).toMatchObject({ code: 0, output: expect.stringContaining('--resume FILE') });
    const { code, errors } = await example(['--data', join(folder, 'nowhere')]);
    expect(code).toBe(1);
    expect(errors).toContain(`there is no folder ${join(folder, 'nowhere')}`);
  });
});

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { FormatError, ValueError } from '@dl/tensor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dataset } from './dataset';
import { mnist } from './mnist';

const images = (count: number, side = 2): Uint8Array =>
  Uint8Array.from([
    ...[0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, side, 0, 0, 0, side],
    ...Array.from({ length: count * side * side }, (_, i) => i % 256),
  ]);
const labels = (count: number): Uint8Array =>
  Uint8Array.from([0, 0, 8, 1, 0, 0, 0, count, ...Array.from({ length: count }, (_, i) => i % 10)]);

const FILES = {
  'train-images-idx3-ubyte': images(3),
  'train-labels-idx1-ubyte': labels(3),
  't10k-images-idx3-ubyte': images(2),
  't10k-labels-idx1-ubyte': labels(2),
};

/** Sample `index` as plain numbers, one array a field. */
function sampleOf(dataset: Dataset<unknown>, index: number): number[][] {
  const [image, label] = dataset.fields;
  const size = image!.shape.reduce((a, b) => a * b, 1);
  const into = [image!.dtype === 'u8' ? new Uint8Array(size) : new Float32Array(size), new Int32Array(1)];
  dataset.copy(index, into, 0, 0);
  expect(label!.dtype).toBe('i32');
  return into.map((array) => [...array]);
}

describe('mnist', () => {
  let root: string;
  let made = 0;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'dl-mnist-'));
  });
  afterAll(() => rm(root, { recursive: true }));

  async function folder(files: Readonly<Record<string, Uint8Array | undefined>>): Promise<string> {
    const dir = join(root, `${made++}`);
    await mkdir(dir);
    for (const [name, bytes] of Object.entries(files)) if (bytes) await writeFile(join(dir, name), bytes);
    return dir;
  }

  it('loads the four files, as bytes that samples normalise', async () => {
    const { train, test } = await mnist({ dir: await folder(FILES) });
    expect([train.length, test.length]).toEqual([3, 2]);
    expect(train.fields).toEqual([
      { name: 'image', dtype: 'f32', shape: [1, 2, 2] },
      { name: 'label', dtype: 'i32', shape: [] },
    ]);
    expect(train.columns[0].data).toBeInstanceOf(Uint8Array);
    const [pixels, label] = sampleOf(train, 1);
    [4, 5, 6, 7].forEach((byte, i) => {
      expect(pixels![i]).toBeCloseTo((byte / 255 - 0.1307) / 0.3081, 6);
    });
    expect(label).toEqual([1]);
  });

  it('takes other statistics, or leaves the bytes', async () => {
    const dir = await folder(FILES);
    const own = await mnist({ dir, normalize: { mean: 0.5, std: 0.25 } });
    expect(sampleOf(own.train, 0)[0]![3]).toBeCloseTo((3 / 255 - 0.5) / 0.25, 6);
    const raw = await mnist({ dir, normalize: false });
    expect(raw.train.fields[0]!.dtype).toBe('u8');
    expect(sampleOf(raw.train, 1)[0]).toEqual([4, 5, 6, 7]);
  });

  it('finds gzipped files, and names with a dot', async () => {
    const renamed = Object.entries(FILES).map(([name, bytes], i) => [
      (i % 2 ? name.replace('-idx', '.idx') : name) + (i < 2 ? '.gz' : ''),
      i < 2 ? gzipSync(bytes) : bytes,
    ]);
    const { train, test } = await mnist({ dir: `${await folder(Object.fromEntries(renamed))}/` });
    expect([train.length, test.length]).toEqual([3, 2]);
  });

  it('loads from buffers', async () => {
    const files = {
      trainImages: images(3),
      trainLabels: gzipSync(labels(3)),
      testImages: images(2).buffer as ArrayBuffer,
      testLabels: labels(2),
    };
    expect((await mnist({ files })).test.length).toBe(2);
  });

  it('names the missing folder and what it looked for', async () => {
    const dir = join(root, 'nowhere');
    await expect(mnist({ dir })).rejects.toThrow(ValueError);
    await expect(mnist({ dir })).rejects.toThrow(
      `mnist: there is no folder ${dir}; expected one with train-images-idx3-ubyte, train-labels-idx1-ubyte, ` +
        't10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (each also as .gz). generateDigits() makes digits',
    );
    await expect(mnist()).rejects.toThrow('mnist: there is no folder data/mnist');
  });

  it('names a missing file, the names it looked for and what is there', async () => {
    const dir = await folder({ ...FILES, 't10k-labels-idx1-ubyte': undefined });
    await expect(mnist({ dir })).rejects.toThrow(ValueError);
    await expect(mnist({ dir })).rejects.toThrow(
      `mnist: a file is missing in ${dir}: looked for t10k-labels-idx1-ubyte, t10k-labels-idx1-ubyte.gz, ` +
        't10k-labels.idx1-ubyte, t10k-labels.idx1-ubyte.gz; found t10k-images-idx3-ubyte, train-images-idx3-ubyte',
    );
    await expect(mnist({ dir: await folder({}) })).rejects.toThrow('the folder is empty');
  });

  it('names both files and counts when labels and images disagree', async () => {
    const dir = await folder({ ...FILES, 'train-labels-idx1-ubyte': labels(4) });
    await expect(mnist({ dir })).rejects.toThrow(ValueError);
    await expect(mnist({ dir })).rejects.toThrow(
      `mnist: images and labels differ in number: ${dir}/train-images-idx3-ubyte has 3 images, ` +
        `${dir}/train-labels-idx1-ubyte has 4 labels`,
    );
  });

  it('names a file that holds something else, or is cut short', async () => {
    const swapped = await folder({ ...FILES, 'train-images-idx3-ubyte': labels(3) });
    await expect(mnist({ dir: swapped })).rejects.toThrow(FormatError);
    await expect(mnist({ dir: swapped })).rejects.toThrow(
      'train-images-idx3-ubyte does not hold images: u8 [count, height, width] (magic number 0x00000803), found u8 [3]',
    );
    const cut = await folder({ ...FILES, 't10k-images-idx3-ubyte': images(2).subarray(0, 20) });
    await expect(mnist({ dir: cut })).rejects.toThrow('t10k-images-idx3-ubyte is cut short: expected 24 bytes');
  });
});

const real = process.env['DL_DATA'];

describe.skipIf(!real)(
  `mnist, the real files${real ? '' : ' (skipped: DL_DATA names no folder that holds mnist/)'}`,
  () => {
    it('loads 60,000 and 10,000 digits with the published label counts', async () => {
      const { train, test } = await mnist({ dir: `${real}/mnist` });
      expect([train.length, test.length]).toEqual([60000, 10000]);
      const counts = new Array(10).fill(0);
      for (const label of train.columns[1].data) counts[label]++;
      expect(counts).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
      const pixels = train.columns[0].data;
      let sum = 0;
      for (const pixel of pixels) sum += pixel;
      expect(sum / pixels.length / 255).toBeCloseTo(0.1307, 4);
    });
  },
);

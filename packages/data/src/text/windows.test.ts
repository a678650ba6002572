import { cpu } from '@dl/backend-cpu';
import { setBackend } from '@dl/tensor';
import { beforeAll, describe, expect, test } from 'vitest';
import { DataLoader } from '../loader';
import { ParallelLoader, padText, textStreams, textWindows } from '.';

beforeAll(async () => setBackend(await cpu()));

const ids = Int32Array.from({ length: 26 }, (_, i) => i);

async function batches(dataset: ReturnType<typeof textStreams>, batchSize: number, epochs = 1) {
  const loader = new DataLoader(dataset, { batchSize });
  const found: { inputs: number[][]; targets: number[][] }[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    for await (const [x, y] of loader) found.push({ inputs: await x.array(2), targets: await y.array(2) });
  }
  return found;
}

describe('streams', () => {
  test('go on from batch to batch, in every row', async () => {
    expect(await batches(textStreams(ids, { batchSize: 2, steps: 4 }), 2)).toEqual([
      {
        inputs: [
          [0, 1, 2, 3],
          [12, 13, 14, 15],
        ],
        targets: [
          [1, 2, 3, 4],
          [13, 14, 15, 16],
        ],
      },
      {
        inputs: [
          [4, 5, 6, 7],
          [16, 17, 18, 19],
        ],
        targets: [
          [5, 6, 7, 8],
          [17, 18, 19, 20],
        ],
      },
      {
        inputs: [
          [8, 9, 10, 11],
          [20, 21, 22, 23],
        ],
        targets: [
          [9, 10, 11, 12],
          [21, 22, 23, 24],
        ],
      },
    ]);
  });

  test('of a text that is just long enough, and of one that is not', async () => {
    expect(textStreams(ids.subarray(0, 9), { batchSize: 2, steps: 4 }).length).toBe(2);
    expect(() => textStreams(ids.subarray(0, 8), { batchSize: 2, steps: 4 })).toThrow(
      '8 tokens, but at least 9 are needed',
    );
    expect(() => textStreams(ids, { batchSize: 0, steps: 4 })).toThrow('batchSize is 0');
  });
});

describe('random windows', () => {
  test('have targets one place on, and differ from epoch to epoch', async () => {
    const found = await batches(textWindows(ids, { steps: 5, windows: 4, seed: 3 }), 2, 2);
    expect(found.length).toBe(4);
    for (const { inputs, targets } of found) {
      for (const [row, input] of inputs.entries()) {
        expect(targets[row]).toEqual(input.map((id) => id + 1));
        expect(input).toEqual(input.map((_, i) => input[0]! + i));
      }
    }
    expect(found.slice(0, 2)).not.toEqual(found.slice(2));
    expect(await batches(textWindows(ids, { steps: 5, windows: 4, seed: 3 }), 2, 2)).toEqual(found);
  });

  test('reach the first and the last token', async () => {
    const dataset = textWindows(ids, { steps: 24, windows: 64 });
    const found = await batches(dataset, 64);
    expect(new Set(found[0]!.inputs.map((row) => row[0]))).toEqual(new Set([0, 1]));
    expect(() => textWindows(ids, { steps: 26 })).toThrow('26 tokens, but at least 27');
  });
});

describe('parallel text', () => {
  const sequence = (length: number): number[] => Array.from({ length }, (_, i) => 1 + (i % 7));
  const pairs = Array.from({ length: 40 }, (_, i) => ({
    source: sequence(1 + (i % 20)),
    target: sequence(1 + ((i * 3) % 20)),
  }));

  test('is padded, with lengths and masks', async () => {
    const { ids: padded, lengths, mask } = padText([[5, 6], [7]], 0, 3);
    expect(await padded.array()).toEqual([
      [5, 6, 0],
      [7, 0, 0],
    ]);
    expect(await lengths.array()).toEqual([2, 1]);
    expect(await mask.array()).toEqual([
      [true, true, false],
      [true, false, false],
    ]);
    expect(() => padText([[1], []], 0)).toThrow('empty');
    expect(() => padText([[1, 2]], 0, 1)).toThrow('2 tokens, but the length is 1');
  });

  test('comes in batches of one rounded length, every pair once', async () => {
    const loader = new ParallelLoader(pairs, { batchSize: 4, padId: 0, seed: 1 });
    const seen: number[] = [];
    let count = 0;
    for await (const { source, target, indices } of loader) {
      count++;
      seen.push(...indices);
      for (const side of [source, target]) {
        expect(side.ids.shape[0]).toBe(indices.length);
        expect(side.ids.shape[1]! % 8).toBe(0);
        expect(side.ids.shape[1]! - Math.min(...(await side.lengths.data()))).toBeLessThan(8);
      }
      expect([...(await source.lengths.data())]).toEqual(indices.map((i) => pairs[i]!.source.length));
    }
    expect(seen.sort((a, b) => a - b)).toEqual(pairs.map((_, i) => i));
    expect(count).toBe(loader.length);
  });

  test('jointly: both sides of one length, and all batches full but the last', async () => {
    const loader = new ParallelLoader(pairs, { batchSize: 7, padId: 0, seed: 1, joint: true });
    for (let epoch = 0; epoch < 2; epoch++) {
      const [seen, sizes, shapes]: [number[], number[], Set<string>] = [[], [], new Set()];
      for await (const { source, target, indices } of loader) {
        seen.push(...indices);
        sizes.push(indices.length);
        expect(source.ids.shape).toEqual(target.ids.shape);
        shapes.add(source.ids.shape.join());
      }
      expect(seen.sort((a, b) => a - b)).toEqual(pairs.map((_, i) => i));
      expect(sizes.sort((a, b) => a - b)).toEqual([5, 7, 7, 7, 7, 7]);
      expect(shapes.size).toBeLessThanOrEqual(4); // lengths of 8, 16 and 24, and the last batch
      expect(loader.length).toBe(sizes.length);
    }
  });

  test('in another order each epoch, and resumed where it was', async () => {
    const options = { batchSize: 4, padId: 0, seed: 1 };
    const orders = async (loader: ParallelLoader) => {
      const found: string[] = [];
      for await (const { indices } of loader) found.push(indices.join());
      return found;
    };
    const loader = new ParallelLoader(pairs, options);
    const [first, second] = [await orders(loader), await orders(loader)];
    expect(second).not.toEqual(first);
    const half = new ParallelLoader(pairs, options);
    let count = 0;
    for await (const _ of half) if (++count === 3) break;
    const resumed = new ParallelLoader(pairs, options);
    resumed.loadStateDict(half.stateDict());
    expect(await orders(resumed)).toEqual(first.slice(3));
  });

  test('says what is wrong', () => {
    expect(() => new ParallelLoader([], { batchSize: 1, padId: 0 })).toThrow('there are no pairs');
    expect(() => new ParallelLoader([{ source: [1], target: [] }], { batchSize: 1, padId: 0 })).toThrow(
      'pair 0 is empty',
    );
    expect(() => new ParallelLoader(pairs, { batchSize: 0, padId: 0 })).toThrow('batchSize is 0');
  });
});

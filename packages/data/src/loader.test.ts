import { StaleTensorError, setBackend, type Tensor, ValueError } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { ArrayDataset } from './array-dataset';
import { DataLoader, type DataLoaderOptions } from './loader';
import { turn } from './turn';
import { map } from './views';

beforeAll(() => setBackend(referenceBackend()));

const numbers = (count: number) =>
  new ArrayDataset([
    { data: Float32Array.from({ length: 2 * count }, (_, i) => i), shape: [count, 2] },
    { data: Int32Array.from({ length: count }, (_, i) => i) },
  ]);

const labelsOf = async (batch: readonly [Tensor, Tensor]): Promise<number[]> => [...(await batch[1].data())];

/** The labels of each batch of one loop. */
async function epochOf(loader: DataLoader<[Tensor, Tensor]>): Promise<number[][]> {
  const batches: number[][] = [];
  for await (const batch of loader) batches.push(await labelsOf(batch));
  return batches;
}

const make = (count: number, options: DataLoaderOptions) => new DataLoader(numbers(count), options);

describe('DataLoader, batches', () => {
  it('yields tuples of tensors, a shorter one last', async () => {
    const loader = make(5, { batchSize: 2 });
    expect(loader.length).toBe(3);
    const shapes: (readonly number[])[][] = [];
    for await (const [x, y] of loader) {
      shapes.push([x.shape, y.shape]);
      expect([x.dtype, y.dtype]).toEqual(['f32', 'i32']);
    }
    expect(shapes).toEqual([
      [[2, 2], [2]],
      [[2, 2], [2]],
      [[1, 2], [1]],
    ]);
    expect(await epochOf(loader)).toEqual([[0, 1], [2, 3], [4]]);
  });

  it('holds the samples in every field', async () => {
    for await (const [x, y] of make(5, { batchSize: 3, shuffle: true })) {
      const labels = await y.data();
      expect([...(await x.data())]).toEqual([...labels].flatMap((i) => [2 * i, 2 * i + 1]));
    }
  });

  it('leaves out a shorter last batch if asked', async () => {
    const loader = make(5, { batchSize: 2, dropLast: true });
    expect(loader.length).toBe(2);
    expect(await epochOf(loader)).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(make(3, { batchSize: 5, dropLast: true }).length).toBe(0);
    expect(await epochOf(make(3, { batchSize: 5, dropLast: true }))).toEqual([]);
  });

  it('has batches of one sample unless told, one of all if the batch is larger, none of an empty dataset', async () => {
    expect(await epochOf(make(2, {}))).toEqual([[0], [1]]);
    expect(await epochOf(make(3, { batchSize: 100 }))).toEqual([[0, 1, 2]]);
    expect(await epochOf(make(0, { batchSize: 4 }))).toEqual([]);
  });

  it('yields records for a dataset of named columns', async () => {
    const named = new ArrayDataset({
      image: { data: new Float32Array(8), shape: [4, 2] },
      label: { data: new Int32Array(4) },
    });
    for await (const { image, label } of new DataLoader(named, { batchSize: 4 })) {
      expect([image.shape, label.shape]).toEqual([[4, 2], [4]]);
    }
  });

  it('refuses options that are no integers in range', () => {
    expect(() => make(1, { batchSize: 0 })).toThrow('DataLoader: batchSize is an integer of at least 1, not 0');
    expect(() => make(1, { prefetch: -1 })).toThrow('DataLoader: prefetch is an integer of at least 0, not -1');
    expect(() => make(1, { seed: 0.5 })).toThrow(ValueError);
  });
});

describe('DataLoader, order', () => {
  it('is another permutation each epoch, the same for the same seed', async () => {
    const options = { batchSize: 4, shuffle: true, seed: 3 };
    const loader = make(20, options);
    const [first, second] = [await epochOf(loader), await epochOf(loader)];
    expect(first).not.toEqual(second);
    for (const epoch of [first, second]) {
      expect(epoch.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    }
    const again = make(20, options);
    expect([await epochOf(again), await epochOf(again)]).toEqual([first, second]);
    expect(await epochOf(make(20, { ...options, seed: 4 }))).not.toEqual(first);
  });

  it('does not depend on prefetch, batch size or recycling', async () => {
    const options = { batchSize: 3, shuffle: true };
    const expected = (await epochOf(make(10, options))).flat();
    for (const other of [{ prefetch: 0 }, { prefetch: 5 }, { batchSize: 7 }, { recycle: false }]) {
      expect((await epochOf(make(10, { ...options, ...other }))).flat()).toEqual(expected);
    }
  });

  it('lets random transforms draw anew each epoch', async () => {
    const noisy = map(numbers(4), ([x], random) => void (x![0]! += random.uniform()));
    const epochs: number[][] = [];
    const loader = new DataLoader(noisy, { batchSize: 4 });
    for (let epoch = 0; epoch < 2; epoch++) for await (const [x] of loader) epochs.push([...(await x.data())]);
    expect(epochs[0]).not.toEqual(epochs[1]);
  });
});

describe('DataLoader, position', () => {
  const options = { batchSize: 3, shuffle: true, seed: 7 };

  it('resumes in the middle of an epoch, with the batch that came next, and goes on to the same epochs', async () => {
    const whole = make(20, options);
    const expected = [await epochOf(whole), await epochOf(whole), await epochOf(whole)];
    for (let stopAt = 1; stopAt <= 7; stopAt++) {
      const broken = make(20, options);
      await epochOf(broken);
      let seen = 0;
      for await (const _ of broken) if (++seen === stopAt) break;
      const state = JSON.parse(JSON.stringify(broken.stateDict()));
      expect(state).toEqual({ epoch: 1, batch: stopAt, seed: 7, shuffle: true, batchSize: 3, samples: 20 });
      const resumed = make(20, { ...options, seed: 0 });
      resumed.loadStateDict(state);
      expect(resumed.epoch).toBe(1);
      expect(await epochOf(resumed)).toEqual(expected[1]!.slice(stopAt));
      expect(await epochOf(resumed)).toEqual(expected[2]);
    }
  });

  it('counts the batches handed out, not those made ahead', async () => {
    const loader = make(20, { ...options, prefetch: 4 });
    const batches: number[] = [];
    for await (const _ of loader) {
      await turn();
      await turn();
      batches.push(loader.stateDict().batch);
    }
    expect(batches).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(loader.stateDict()).toMatchObject({ epoch: 1, batch: 0 });
  });

  it('begins the next epoch after a loop that was left, at which the state still says where it was', async () => {
    const whole = make(20, options);
    const expected = [await epochOf(whole), await epochOf(whole)];
    const loader = make(20, options);
    for await (const _ of loader) break;
    expect(loader.stateDict()).toMatchObject({ epoch: 0, batch: 1 });
    expect(loader.epoch).toBe(1);
    expect(await epochOf(loader)).toEqual(expected[1]);
  });

  it('refuses a state of another batch size, dataset or order, and a position outside', () => {
    const loader = make(20, options);
    const state = loader.stateDict();
    expect(() => loader.loadStateDict({ ...state, batchSize: 4 })).toThrow(
      'DataLoader.loadStateDict: batchSize differs: the state has 4, this loader has 3',
    );
    expect(() => loader.loadStateDict({ ...state, samples: 21 })).toThrow('samples differs: the state has 21');
    expect(() => loader.loadStateDict({ ...state, shuffle: false })).toThrow('shuffle differs');
    expect(() => loader.loadStateDict({ ...state, batch: 8 })).toThrow('batch is an integer from 0 to 7');
    expect(() => loader.loadStateDict({ ...state, epoch: -1 })).toThrow(ValueError);
  });
});

describe('DataLoader, storage', () => {
  const stale = /DataLoader, which is valid until the next but one is asked for.*clone\(\).*\{ recycle: false \}/s;

  it.each([0, 1, 3])('keeps a batch valid until the next but one is asked for (prefetch %i)', async (prefetch) => {
    const held: (readonly [Tensor, Tensor])[] = [];
    const expected: number[][] = [];
    const loader = make(11, { batchSize: 2, shuffle: true, prefetch });
    for (let epoch = 0; epoch < 3; epoch++) {
      for await (const batch of loader) {
        held.push(batch);
        expected.push(await labelsOf(batch));
        for (let i = 0; i < 4; i++) await turn();
        const n = held.length - 1;
        expect(await labelsOf(held[n]!)).toEqual(expected[n]);
        if (n >= 1) expect(await labelsOf(held[n - 1]!)).toEqual(expected[n - 1]);
        if (n >= 2) await expect(held[n - 2]![1].data()).rejects.toThrow(StaleTensorError);
        if (n >= 2) await expect(held[n - 2]![0].data()).rejects.toThrow(stale);
      }
    }
  });

  it('keeps the last batches valid when a loop is left and another begins', async () => {
    const loader = make(12, { batchSize: 2, prefetch: 2 });
    const held: (readonly [Tensor, Tensor])[] = [];
    for await (const batch of loader) {
      held.push(batch);
      for (let i = 0; i < 4; i++) await turn();
      if (held.length === 2) break;
    }
    for await (const batch of loader) {
      for (let i = 0; i < 4; i++) await turn();
      expect(await labelsOf(held[1]!)).toEqual([2, 3]);
      expect(await labelsOf(batch)).toEqual([0, 1]);
      await expect(held[0]![1].data()).rejects.toThrow(stale);
      break;
    }
  });

  it('keeps every batch valid with recycle: false', async () => {
    const held: Tensor[] = [];
    for await (const [, y] of make(8, { batchSize: 2, recycle: false })) held.push(y);
    const values = await Promise.all(held.map(async (y) => [...(await y.data())]));
    expect(values).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7],
    ]);
  });
});

describe('DataLoader, running', () => {
  it('makes the next batches while the program waits', async () => {
    let copied = 0;
    const counted = map(numbers(10), () => void copied++);
    const loader = new DataLoader(counted, { batchSize: 2, prefetch: 2 });
    for await (const _ of loader) {
      expect(copied).toBe(2);
      for (let i = 0; i < 6; i++) await turn();
      expect(copied).toBe(6);
      break;
    }
    for (let i = 0; i < 6; i++) await turn();
    expect(copied).toBe(6);
  });

  it('throws what a dataset throws when its batch is asked for, not before', async () => {
    const failing = map(numbers(6), ([, y]) => {
      if (y![0] === 4) throw new Error('sample 4 is bad');
    });
    let seen = 0;
    await expect(
      (async () => {
        for await (const _ of new DataLoader(failing, { batchSize: 2, prefetch: 3 })) {
          seen++;
          for (let i = 0; i < 6; i++) await turn();
        }
      })(),
    ).rejects.toThrow('sample 4 is bad');
    expect(seen).toBe(2);
  });

  it('stops at an aborted signal with its reason, and can say where it was', async () => {
    const controller = new AbortController();
    const loader = make(10, { batchSize: 2, signal: controller.signal });
    let seen = 0;
    await expect(
      (async () => {
        for await (const _ of loader) if (++seen === 2) controller.abort(new Error('enough'));
      })(),
    ).rejects.toThrow('enough');
    expect(seen).toBe(2);
    expect(loader.stateDict()).toMatchObject({ epoch: 0, batch: 2 });
  });

  it('lets timers run in a loop that awaits nothing', async () => {
    const slow = map(numbers(400), () => {
      const until = performance.now() + 1;
      while (performance.now() < until);
    });
    let fired = -1;
    let seen = 0;
    setTimeout(() => {
      fired = seen;
    }, 1);
    for await (const _ of new DataLoader(slow, { batchSize: 1, prefetch: 0 })) {
      seen++;
      if (fired >= 0) break;
    }
    expect(fired).toBeGreaterThan(0);
    expect(fired).toBeLessThan(200);
  });

  it('refuses to go on with a loop after another began', async () => {
    const loader = make(10, { batchSize: 2 });
    const first = loader[Symbol.asyncIterator]();
    await first.next();
    expect(await epochOf(loader)).toHaveLength(5);
    await expect(first.next()).rejects.toThrow('DataLoader: another loop over this loader began');
  });
});

import { cpu } from '@dl/backend-cpu';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type Backend,
  bernoulli,
  gumbel,
  linspace,
  multinomial,
  randint,
  randperm,
  setBackend,
  setSeed,
  tensor,
  ValueError,
} from './index';

const withoutF64 = (): Backend =>
  referenceBackend({
    capabilities: { ...referenceBackend().capabilities, dtypes: ['f32', 'i32', 'u32', 'u8', 'bool'] },
  });

const backends: Record<string, () => Promise<Backend>> = {
  'the reference backend': async () => referenceBackend(),
  'a backend without f64': async () => withoutF64(),
  'the cpu backend': () => cpu(),
};

describe.each(Object.entries(backends))('on %s', (_, backend) => {
  beforeAll(async () => setBackend(await backend()));

  test('linspace has both ends to the last bit, and equal steps', async () => {
    expect(await linspace(0, 1, 5).array()).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(await linspace(2, -2, 3).array()).toEqual([2, 0, -2]);
    for (const [start, stop, count] of [
      [0.1, 0.7, 7],
      [-0.3, 0.3, 50],
      [1, 1, 4],
    ] as const) {
      const values = await linspace(start, stop, count).data();
      expect([values[0], values[count - 1]]).toEqual([Math.fround(start), Math.fround(stop)]);
      values.forEach((v, i) => expect(v).toBeCloseTo(start + ((stop - start) * i) / (count - 1), 6));
    }
    expect(await linspace(3, 9, 1).array()).toEqual([3]);
    expect(await linspace(3, 9, 0).array()).toEqual([]);
  });

  test('randint gives every number of its range about as often, and no other', async () => {
    setSeed(5);
    const counts = new Map<number, number>();
    for (const x of await randint(-3, 4, [7000]).data()) counts.set(x, (counts.get(x) ?? 0) + 1);
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([-3, -2, -1, 0, 1, 2, 3]);
    for (const n of counts.values()) expect(Math.abs(n - 1000)).toBeLessThan(150); // 5 standard deviations of 29
  });

  test('randint spans all of i32', async () => {
    setSeed(5);
    const values = [...(await randint(-(2 ** 31), 2 ** 31, [4000]).data())];
    expect(Math.min(...values)).toBeLessThan(-(2 ** 31) * 0.99);
    expect(Math.max(...values)).toBeGreaterThan(2 ** 31 * 0.99);
    expect(values.filter((v) => v % 2 === 0).length).toBeGreaterThan(1800);
    expect(() => randint(0, 2 ** 32, [1])).toThrow(ValueError);
  });

  test('randperm is each number once, in another order each time', async () => {
    setSeed(5);
    const [first, second] = [[...(await randperm(1000).data())], [...(await randperm(1000).data())]];
    const sorted = (list: readonly number[]): number[] => [...list].sort((a, b) => a - b);
    expect(sorted(first)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(sorted(second)).toEqual(sorted(first));
    expect(first).not.toEqual(second);
    expect(first.filter((x, i) => x === i).length).toBeLessThan(10); // one in the mean
    expect(await randperm(0).array()).toEqual([]);
  });

  test('multinomial draws each index as often as its probability says, and never one of 0', async () => {
    setSeed(5);
    const counts = [0, 0, 0, 0];
    for (const i of await multinomial(tensor([1, 0, 2, 5]), 8000, { replacement: true }).data('i32')) counts[i]!++;
    expect(counts[1]).toBe(0);
    for (const [i, n] of [1000, 0, 2000, 5000].entries()) expect(Math.abs(counts[i]! - n)).toBeLessThan(230); // 5 σ of 45
  });

  test('without replacement each comes once, and the first as its probability says', async () => {
    setSeed(5);
    const rows = (await multinomial(tensor([0.1, 0.7, 0.2]).expand([4000, 3]), 2).array()) as number[][];
    expect(rows.every(([a, b]) => a !== b)).toBe(true);
    const first = rows.filter(([a]) => a === 1).length;
    expect(Math.abs(first - 2800)).toBeLessThan(145); // 5 σ of 29
    // After index 1, index 2 is drawn with 0.2 / 0.3.
    const second = rows.filter(([a, b]) => a === 1 && b === 2).length / first;
    expect(second).toBeCloseTo(2 / 3, 1);
    expect(() => multinomial(tensor([1, 1]), 3)).toThrow('multinomial: 3 of [2] cannot be drawn.');
  });

  test('gumbel numbers have mean γ and variance π²/6, and are finite', async () => {
    setSeed(5);
    const values = [...(await gumbel([20_000]).data())];
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    expect(mean).toBeCloseTo(0.5772, 1);
    expect(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length).toBeCloseTo(Math.PI ** 2 / 6, 1);
    expect(values.every(Number.isFinite)).toBe(true);
  });

  test('bernoulli is 1 as often as its probability says, one for all or one an element', async () => {
    setSeed(5);
    const draws = await bernoulli(0.2, [10_000]).data('f32');
    expect(new Set(draws)).toEqual(new Set([0, 1]));
    expect(draws.reduce((a, b) => a + b, 0) / 10_000).toBeCloseTo(0.2, 1);
    expect(await bernoulli(tensor([0, 1]), [3, 2]).array()).toEqual([
      [0, 1],
      [0, 1],
      [0, 1],
    ]);
  });
});

import { cpu } from '@dl/backend-cpu';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Backend, bernoulli, linspace, randint, randperm, setBackend, setSeed, tensor, ValueError } from './index';

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

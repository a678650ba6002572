import { ValueError } from '@dl/tensor';
import { describe, expect, it } from 'vitest';
import { RandomStream, threefry } from './random';

describe('threefry', () => {
  // Known answers of Random123 1.14, tests/kat_vectors, threefry2x32 with 20 rounds: counter, key, result.
  it.each([
    [0, 0, 0, 0, 0x6b200159, 0x99ba4efe],
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x1cb996fc, 0xbb002be7],
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xc4923a9c, 0x483df7a0],
  ])('gives the known answer for counter %#x %#x', (c0, c1, k0, k1, x0, x1) => {
    expect([...threefry(k0, k1, c0, c1)]).toEqual([x0, x1]);
  });
});

describe('RandomStream', () => {
  const numbers = (stream: RandomStream, count = 8) => Array.from({ length: count }, () => stream.uint32());

  it('is a function of its seed and counters', () => {
    expect(numbers(new RandomStream(3, 1, 2))).toEqual(numbers(new RandomStream(3, 1, 2)));
    expect(numbers(new RandomStream(9).reset(3, 1, 2))).toEqual(numbers(new RandomStream(3, 1, 2)));
  });

  it('differs with the seed, each counter, their order and their number', () => {
    const keys = [[3, 1, 2], [4, 1, 2], [3, 2, 1], [3, 1], [3], [3, 0], [3, 2 ** 32], [2 ** 40]] as const;
    const firsts = keys.map(([seed, ...counters]) => new RandomStream(seed!, ...counters).uint32());
    expect(new Set(firsts).size).toBe(keys.length);
  });

  it('has uniform and normal numbers of the right mean and spread', () => {
    const random = new RandomStream(1);
    const n = 20000;
    const moments = (draw: () => number) => {
      const xs = Array.from({ length: n }, draw);
      const mean = xs.reduce((sum, x) => sum + x, 0) / n;
      return [mean, Math.sqrt(xs.reduce((sum, x) => sum + (x - mean) ** 2, 0) / n)] as const;
    };
    const [uniformMean, uniformStd] = moments(() => random.uniform(-1, 3));
    // Five standard errors of a mean of 20000: 5 · 1.155 / 141 = 0.04.
    expect(Math.abs(uniformMean - 1)).toBeLessThan(0.04);
    expect(Math.abs(uniformStd - 4 / Math.sqrt(12))).toBeLessThan(0.04);
    const [normalMean, normalStd] = moments(() => random.normal(2, 0.5));
    expect(Math.abs(normalMean - 2)).toBeLessThan(0.02);
    expect(Math.abs(normalStd - 0.5)).toBeLessThan(0.02);
  });

  it('draws integers below n, each about equally often', () => {
    const random = new RandomStream(5);
    const counts = [0, 0, 0];
    for (let i = 0; i < 3000; i++) counts[random.integer(3)]!++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(130);
    expect(random.integer(1)).toBe(0);
    expect(() => random.integer(0)).toThrow('RandomStream.integer: n is an integer from 1 to 2^32, but this one is 0');
  });

  it('permutes without losing or repeating', () => {
    const order = new RandomStream(2).permutation(100);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect([...order]).not.toEqual([...order].sort((a, b) => a - b));
    expect([...new RandomStream(2).permutation(0)]).toEqual([]);
  });

  it('refuses seeds that are no integers from 0', () => {
    expect(() => new RandomStream(-1)).toThrow(ValueError);
    expect(() => new RandomStream(0.5)).toThrow('a seed is an integer from 0 to 2^53 - 1, but this one is 0.5');
    expect(() => new RandomStream(0, Number.NaN)).toThrow('a counter is an integer');
  });
});

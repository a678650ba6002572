import { decodeHalf, encodeHalf, setBackend, tensor } from '@dl/tensor';
import { beforeAll, expect, test } from 'vitest';
import { cpu } from '../src/index';

beforeAll(async () => setBackend(await cpu()));

/** All patterns, so also an odd number of them at an odd place. */
const patterns = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i);
const isNaNPattern = (bits: number): boolean => (bits & 0x7fff) > 0x7c00;

test('every f16 is the f32 that it stands for', async () => {
  const got = await tensor(patterns).cast('f32').data('f32');
  for (const bits of patterns) expect(Object.is(got[bits], Math.fround(decodeHalf(bits))), `bits ${bits}`).toBe(true);
});

test('every f16 comes back from f32 with its bits; NaN stays NaN', async () => {
  const got = await tensor(patterns).cast('f32').neg().neg().cast('f16').data('f16');
  for (const bits of patterns) {
    if (isNaNPattern(bits)) expect(isNaNPattern(got[bits]!)).toBe(true);
    else expect(got[bits]).toBe(bits);
  }
});

test('f32 rounds to the nearest f16, ties to even, beyond 65519 to infinity', async () => {
  const between = Array.from(patterns.filter((bits) => (bits & 0x7fff) < 0x7c00)).flatMap((bits) => {
    const [low, high] = [decodeHalf(bits), decodeHalf(bits + 1)];
    const middle = (low + high) / 2;
    return Number.isFinite(middle) ? [middle, middle * (1 - 2 ** -20), middle * (1 + 2 ** -20)] : [];
  });
  const data = Float32Array.from([...between, 65504, 65519.99, 65520, 1e30, -65520, 2 ** -25, 2 ** -26, 1e-30, -1e-30]);
  const got = await tensor(data).cast('f16').data('f16');
  for (const [i, x] of data.entries()) expect(got[i], `${x}`).toBe(encodeHalf(x));
});

test.each([1, 2, 3, 4, 5, 7, 13])('moves %i elements, also turned and at odd places', async (n) => {
  const data = Array.from({ length: n * 3 }, (_, i) => i - 4.5);
  const x = tensor(data, [n, 3], { dtype: 'f16' });
  const rows = Array.from({ length: n }, (_, i) => data.slice(3 * i, 3 * i + 3));
  expect(await x.transpose().clone().array()).toEqual([0, 1, 2].map((c) => rows.map((row) => row[c])));
  expect(await x.at('::-1', '1:').clone().array()).toEqual([...rows].reverse().map((row) => row.slice(1)));
  expect(await x.pad([1, 0], [0, 1], { value: 0.5 }).sum().item()).toBe(data.reduce((a, b) => a + b, 0) + (n + 4) / 2);
});

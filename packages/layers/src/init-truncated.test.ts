import { setBackend, setSeed } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeEach, expect, test } from 'vitest';
import { truncatedNormal } from './index';

beforeEach(() => {
  setBackend(referenceBackend());
  setSeed(0);
});

async function statistics(values: Promise<ArrayLike<number>>) {
  const list = Array.from(await values);
  const mean = list.reduce((a, b) => a + b, 0) / list.length;
  const std = Math.sqrt(list.reduce((a, b) => a + (b - mean) ** 2, 0) / list.length);
  return { mean, std, low: Math.min(...list), high: Math.max(...list) };
}

// Five sigmas of 20,000 numbers; the moments of a normal cut at ±2 are 0 and 0.8796.
test('within two standard deviations', async () => {
  const { mean, std, low, high } = await statistics(truncatedNormal()([20_000]).data());
  expect(Math.abs(mean)).toBeLessThan(0.032);
  expect(Math.abs(std - 0.87963)).toBeLessThan(0.02);
  expect(low).toBeGreaterThanOrEqual(-2);
  expect(high).toBeLessThanOrEqual(2);
});

// Of a half-normal: mean √(2/π), standard deviation √(1 − 2/π).
test('on one side, shifted and scaled', async () => {
  const { mean, std, low } = await statistics(
    truncatedNormal(1, 3, { low: 1, high: Number.POSITIVE_INFINITY })([20_000]).data(),
  );
  expect(Math.abs((mean - 1) / 3 - Math.sqrt(2 / Math.PI))).toBeLessThan(0.022);
  expect(Math.abs(std / 3 - Math.sqrt(1 - 2 / Math.PI))).toBeLessThan(0.02);
  expect(low).toBeGreaterThanOrEqual(1);
});

test('without bounds it is the normal', async () => {
  const unbounded = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  const { mean, std, high } = await statistics(truncatedNormal(0, 1, unbounded)([20_000]).data());
  expect(Math.abs(mean)).toBeLessThan(0.036);
  expect(Math.abs(std - 1)).toBeLessThan(0.026);
  expect(high).toBeGreaterThan(3);
});

test('messages', () => {
  expect(() => truncatedNormal(0, 0)).toThrow('truncatedNormal: a standard deviation is above 0, not 0.');
  expect(() => truncatedNormal(0, 1, { low: 1, high: 1 })).toThrow('truncatedNormal: low is 1 and high is 1.');
});

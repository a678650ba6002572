import { expect, test } from 'vitest';
import { randomBits, threefry2x32, threefryBlock } from './threefry';

// Random123, kat_vectors: threefry2x32 20.
test('gives the known answers of Random123', () => {
  expect(threefryBlock(0, 0, 0, 0)).toEqual([0x6b200159, 0x99ba4efe]);
  const ones = 0xffffffff;
  expect(threefryBlock(ones, ones, ones, ones)).toEqual([0x1cb996fc, 0xbb002be7]);
  expect(threefryBlock(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3)).toEqual([0xc4923a9c, 0x483df7a0]);
});

test('splits the counter into a low and a high word', () => {
  expect(randomBits(7, 9, 2 ** 32 - 1, 1)).toBe(threefry2x32(7, 9, 0, 1));
  expect(randomBits(7, 9, 5, 3)).toBe(threefry2x32(7, 9, 8, 0));
});

import { setBackend } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, expect, it } from 'vitest';
import { anchorsGrid, anchorsMultibox } from './anchors';

beforeAll(() => setBackend(referenceBackend()));

it('anchorsGrid: ratio 4 is half as wide and twice as high', async () => {
  const anchors = anchorsGrid(1, 2, { stride: [16, 8], sizes: [8], ratios: [1, 4], offset: 0.5 });
  expect(await anchors.array()).toEqual([
    [0, 4, 8, 12],
    [2, 0, 6, 16],
    [8, 4, 16, 12],
    [10, 0, 14, 16],
  ]);
});

it('anchorsMultibox: the first ratio with each size, the first size with each ratio', async () => {
  const anchors = anchorsMultibox(1, 1, { sizes: [0.5, 0.25], ratios: [1, 4] });
  expect(await anchors.array()).toEqual([
    [0.25, 0.25, 0.75, 0.75],
    [0.375, 0.375, 0.625, 0.625],
    [0, 0.375, 1, 0.625],
  ]);
  expect(anchorsMultibox(2, 0, { sizes: [1] }).shape).toEqual([0, 4]);
});

it('says what does not fit', () => {
  expect(() => anchorsGrid(1, 2, { stride: [1, 1], sizes: [] })).toThrow(
    'anchorsGrid: sizes are []. Give at least one, all above 0.',
  );
  expect(() => anchorsGrid(1, 2, { stride: [1, 1], sizes: [3], ratios: [1, -1] })).toThrow('ratios are [1, -1]');
  expect(() => anchorsMultibox(1.5, 2, { sizes: [1] })).toThrow(
    'anchorsMultibox: a map of 1.5 × 2 cells. Give whole numbers, at least 0.',
  );
});

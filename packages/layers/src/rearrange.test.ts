import { iota, randn, ShapeError, setBackend, type Tensor, ValueError, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, expect, test } from 'vitest';
import { ChannelShuffle, channelShuffle, PixelShuffle, PixelUnshuffle, pixelShuffle, pixelUnshuffle } from './index';

beforeAll(() => setBackend(referenceBackend()));

const counting = (shape: readonly number[]): Tensor => iota([shape.reduce((a, b) => a * b, 1)], 0).reshape(shape);

test('channels become the pixels of a block, row by row', async () => {
  expect(await pixelShuffle(counting([4, 1, 2]), 2).array()).toEqual([
    [
      [0, 2, 1, 3],
      [4, 6, 5, 7],
    ],
  ]);
});

test('unshuffling undoes it, for any leading axes', async () => {
  const x = randn([2, 3, 8, 2, 3]);
  expect(await pixelUnshuffle(pixelShuffle(x, 2), 2).array()).toEqual(await x.array());
  expect(new PixelUnshuffle(3).forward(new PixelShuffle(3).forward(zeros([1, 9, 2, 2]))).shape).toEqual([1, 9, 2, 2]);
});

test('groups of channels are dealt out in turn', async () => {
  expect(await channelShuffle(counting([1, 6]), 2).array()).toEqual([[0, 3, 1, 4, 2, 5]]);
  expect(
    await new ChannelShuffle(3)
      .forward(counting([1, 6, 1]))
      .flatten()
      .array(),
  ).toEqual([0, 2, 4, 1, 3, 5]);
});

test('nothing of nothing', async () => {
  expect(await pixelShuffle(zeros([0, 4, 2, 2]), 2).array()).toEqual([]);
});

test('messages', () => {
  expect(() => pixelShuffle(zeros([1, 6, 2, 2]), 2)).toThrow(
    'pixelShuffle: x [1, 6, 2, 2] has 6 channels, which 2² = 4 does not divide. Choose another factor, or add channels.',
  );
  expect(() => pixelUnshuffle(zeros([1, 3, 2]), 2)).toThrow(
    'pixelUnshuffle: x [1, 3, 2] is 3 × 2 pixels, which 2 does not divide. Crop or pad it.',
  );
  expect(() => pixelShuffle(zeros([2, 2]), 2)).toThrow(ShapeError);
  expect(() => new PixelShuffle(0)).toThrow('PixelShuffle: the factor is a whole number of at least 1, not 0.');
  expect(() => channelShuffle(zeros([1, 6]), 4)).toThrow(ValueError);
  expect(() => channelShuffle(zeros([6]), 2)).toThrow('channelShuffle: x is [6], but data is [N, C, spatial…].');
});

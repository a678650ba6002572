import { iota, setBackend, tensor, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { centerCrop, horizontalFlip, normalize, verticalFlip } from './transforms';

beforeAll(() => setBackend(referenceBackend()));

describe('centerCrop', () => {
  it.each([
    [4, 2, [1, 2]],
    [5, 2, [2, 3]], // 3 / 2 is rounded to 2, as 1.5 is to even
    [7, 2, [2, 3]], // 5 / 2 is rounded to 2
    [3, 3, [0, 1, 2]],
  ])('of %i pixels to %i', async (n, size, wanted) => {
    const x = iota([1, n], 1);
    expect(await centerCrop(x, [1, size]).array()).toEqual([wanted]);
  });

  it('surrounds a smaller image with zeros', async () => {
    expect(await centerCrop(tensor([[1]]), [2, 4]).array()).toEqual([
      [0, 1, 0, 0],
      [0, 0, 0, 0],
    ]);
    expect(centerCrop(zeros([3, 8, 8]), 5).shape).toEqual([3, 5, 5]);
  });

  it('says what does not fit', () => {
    expect(() => centerCrop(zeros([3]), 1)).toThrow('centerCrop: x is [3], but an image has 2 axes. Give [..., H, W].');
    expect(() => centerCrop(zeros([3, 3]), -1)).toThrow('centerCrop: size [-1, -1] is no count of pixels.');
  });
});

it('mirrors', async () => {
  const x = tensor([
    [1, 2],
    [3, 4],
  ]);
  expect(await horizontalFlip(x).array()).toEqual([
    [2, 1],
    [4, 3],
  ]);
  expect(await verticalFlip(x).array()).toEqual([
    [3, 4],
    [1, 2],
  ]);
  expect(() => verticalFlip(zeros([3]))).toThrow('verticalFlip: x is [3]');
});

describe('normalize', () => {
  it('shifts and scales each channel', async () => {
    const x = tensor([1, 2, 3, 4], [2, 1, 2]);
    expect(await normalize(x, [1, 3], [0.5, 2]).array()).toEqual([[[0, 2]], [[0, 0.5]]]);
    expect(normalize(zeros([5, 2, 4, 4]), [0, 0], [1, 1]).shape).toEqual([5, 2, 4, 4]);
  });

  it('says what does not fit', () => {
    const x = zeros([2, 3, 3]);
    expect(() => normalize(x, [0], [1, 1])).toThrow(
      'normalize: 1 means and 2 deviations for the 2 channels of [2, 3, 3]. Give one of each a channel.',
    );
    expect(() => normalize(x, [0, 0], [1, 0])).toThrow('normalize: deviations are [1, 0]. Give numbers above 0.');
    expect(() => normalize(x.cast('u8'), [0, 0], [1, 1])).toThrow('normalize: x is u8');
    expect(() => normalize(zeros([3, 3]), [0], [1])).toThrow('Give [..., C, H, W].');
  });
});

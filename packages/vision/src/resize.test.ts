import { checkGradients } from '@dl/autograd';
import { rand, setBackend, setSeed, tensor, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, expect, it } from 'vitest';
import { resize } from './resize';

beforeAll(() => setBackend(referenceBackend()));

it('weighs neighbours by how near they are', async () => {
  const x = tensor([0, 4], [1, 1, 2]);
  expect(await resize(x, [1, 4]).array()).toEqual([[[0, 1, 3, 4]]]);
  expect(await resize(x, [2, 3], { mode: 'nearest' }).array()).toEqual([
    [
      [0, 0, 4],
      [0, 0, 4],
    ],
  ]);
  expect(await resize(x, [1, 3], { alignCorners: true }).array()).toEqual([[[0, 2, 4]]]);
});

it('keeps proportions for one length', () => {
  expect(resize(zeros([3, 20, 30]), 10).shape).toEqual([3, 10, 15]);
  expect(resize(zeros([2, 5, 3, 9, 4]), 3).shape).toEqual([2, 5, 3, 6, 3]);
});

it('agrees with finite differences', async () => {
  setSeed(1);
  for (const mode of ['bilinear', 'bicubic'] as const)
    await checkGradients((x) => resize(x, [3, 5], { mode }), [rand([1, 4, 3])]);
});

it('says what does not fit', () => {
  expect(() => resize(zeros([3, 3]), 2)).toThrow('resize: x is [3, 3], but an image has 3 axes. Give [..., C, H, W].');
  expect(() => resize(zeros([1, 3, 3]), [2, 0])).toThrow(
    'resize: size [2, 0] is no count of pixels. Give whole numbers above 0.',
  );
  expect(() => resize(zeros([1, 0, 3]), 2)).toThrow(/resize|interpolate/);
});

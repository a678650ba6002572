import { checkGradients } from '@dl/autograd';
import { rand, setBackend, setSeed, tensor, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { rotate, warpAffine } from './warp';

beforeAll(() => setBackend(referenceBackend()));

const x = tensor([1, 2, 3, 4], [1, 1, 2, 2]);

describe('warpAffine', () => {
  it('mirrors by a negative scale, and resizes to the size asked for', async () => {
    const mirror = tensor([-1, 0, 0, 0, 1, 0], [1, 2, 3]);
    expect(await warpAffine(x, mirror).flatten().array()).toEqual([2, 1, 4, 3]);
    expect(warpAffine(x, mirror, { outputSize: [3, 5] }).shape).toEqual([1, 1, 3, 5]);
  });

  it('agrees with finite differences in image and map', async () => {
    setSeed(4);
    const theta = tensor([0.8, 0.13, 0.05, -0.21, 0.7, 0.1], [1, 2, 3]);
    await checkGradients((image, map) => warpAffine(image, map), [rand([1, 1, 4, 5]), theta]);
  });

  it('says what does not fit', () => {
    expect(() => warpAffine(zeros([2, 2]), zeros([1, 2, 3]))).toThrow(
      'warpAffine: x is [2, 2], but images have 4 axes. Give [N, C, H, W].',
    );
    expect(() => warpAffine(x, zeros([2, 2, 3]))).toThrow('affineGrid: theta is [2, 2, 3]');
    expect(() => warpAffine(x, zeros([1, 2, 3]), { outputSize: [1, 0.5] })).toThrow('outputSize is [1, 0.5]');
  });
});

describe('rotate', () => {
  it('turns counter-clockwise', async () => {
    const turned = await rotate(x, 90).data();
    for (const [i, value] of [2, 4, 1, 3].entries()) expect(turned[i]).toBeCloseTo(value, 5);
  });

  it('takes an angle an image', async () => {
    const both = await rotate(x.expand([2, 1, 2, 2]), tensor([0, 180])).data();
    for (const [i, value] of [1, 2, 3, 4, 4, 3, 2, 1].entries()) expect(both[i]).toBeCloseTo(value, 5);
  });

  it('agrees with finite differences in image and angle', async () => {
    setSeed(5);
    await checkGradients((image, angle) => rotate(image, angle), [rand([1, 1, 4, 4]), tensor([17])]);
  });

  it('says what does not fit', () => {
    expect(() => rotate(zeros([2, 2]), 3)).toThrow('rotate: x is [2, 2], but images have 4 axes.');
    expect(() => rotate(x, Number.NaN)).toThrow('rotate: NaN degrees. Give a finite angle.');
    expect(() => rotate(x, zeros([2]))).toThrow(
      'rotate: degrees are [2] for images [1, 1, 2, 2]. Give a number, or one angle an image, [1].',
    );
  });
});

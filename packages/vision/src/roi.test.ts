import { checkGradients, grad } from '@dl/autograd';
import { iota, rand, setBackend, setSeed, type Tensor, tensor, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { roiAlign } from './roi-align';
import { roiPool } from './roi-pool';

beforeAll(() => setBackend(referenceBackend()));

/** x[h, w] = 4·h + w in a map of 4 × 4. */
const ramp = (): Tensor => iota([16], 0, 'f32').reshape([1, 1, 4, 4]);

describe('roiAlign', () => {
  it('samples a linear map exactly', async () => {
    const bins = roiAlign(ramp(), tensor([[0, 0, 0, 2, 2]]), { outputSize: 2, samplingRatio: 2 });
    expect(await bins.flatten().array()).toEqual([2.5, 3.5, 6.5, 7.5]); // at 0.5 and 1.5 down and across
    const aligned = roiAlign(ramp(), tensor([[0, 1, 1, 3, 3]]), { outputSize: 1, samplingRatio: 1, aligned: true });
    expect(await aligned.item()).toBe(1.5 * 4 + 1.5);
  });

  it('takes one sample a cell when it may choose', async () => {
    setSeed(1);
    const x = rand([1, 2, 7, 10]);
    const roi = tensor([[0, 0.3, 0.2, 8.8, 5.9]]); // 8.5 / 3 columns and 5.7 / 2 rows a bin: 3 samples each
    const free = await roiAlign(x, roi, { outputSize: [2, 3] }).data();
    const fixed = await roiAlign(x, roi, { outputSize: [2, 3], samplingRatio: 3 }).data();
    for (const [i, value] of free.entries()) expect(value).toBeCloseTo(fixed[i]!, 5);
  });

  it('keeps a region that is far larger than the map', async () => {
    const value = await roiAlign(ramp().mul(0).add(1), tensor([[0, -100, -100, 100, 100]]), { outputSize: 1 }).item();
    expect(value).toBeCloseTo((5 / 200) ** 2, 5); // samples every cell of 200 × 200; those from −1 to 4 count
  });

  it('picks the image that a region names', async () => {
    const x = tensor([1, 2, 3], [3, 1, 1, 1]);
    const rois = tensor([
      [2, 0, 0, 0, 0],
      [0, 0, 0, 0, 0],
    ]);
    expect(await roiAlign(x, rois, { outputSize: 1 }).flatten().array()).toEqual([3, 1]);
  });

  it('agrees with finite differences, twice, also where samples are clamped', async () => {
    setSeed(2);
    const rois = tensor(
      [
        [0, -1.5, 0.25, 2, 3.75],
        [1, 0, 0, 3, 1],
      ],
      null,
      { dtype: 'f64' },
    );
    for (const options of [{ samplingRatio: 2 }, { aligned: true }])
      await checkGradients((x) => roiAlign(x, rois, { outputSize: 2, ...options }), [rand([2, 1, 3, 3])], { order: 2 });
  });

  it('gives regions no gradient', () => {
    const rois = tensor([[0, 0, 0, 2, 2]], null, { requiresGrad: true });
    expect(roiAlign(ramp(), rois, { outputSize: 2 }).requiresGrad).toBe(false);
  });
});

describe('roiPool', () => {
  it('takes the largest in each bin', async () => {
    const bins = roiPool(ramp(), tensor([[0, 0, 0, 3, 3]]), { outputSize: 2 });
    expect(await bins.flatten().array()).toEqual([5, 7, 13, 15]);
  });

  it('lets bins overlap by the cell that both touch', async () => {
    const bins = roiPool(ramp(), tensor([[0, 0, 0, 2, 0]]), { outputSize: [1, 2] });
    expect(await bins.flatten().array()).toEqual([1, 2]); // columns 0–1 and 1–2
  });

  it('gives 0 where a bin is outside', async () => {
    const bins = roiPool(ramp().sub(100), tensor([[0, 2, 2, 9, 3]]), { outputSize: [1, 2] });
    expect(await bins.flatten().array()).toEqual([-85, 0]);
  });

  it('gives the gradient of equal elements to the first in row-major order', async () => {
    const x = tensor([0, 1, 1, 0], [1, 1, 2, 2], { requiresGrad: true }); // equal at (0, 1) and (1, 0)
    const value = roiPool(x, tensor([[0, 0, 0, 1, 1]]), { outputSize: 1 });
    expect(await grad(value.sum(), x).flatten().array()).toEqual([0, 1, 0, 0]);
  });
});

describe.each([
  ['roiAlign', roiAlign],
  ['roiPool', roiPool],
] as const)('%s', (name, op) => {
  it('takes no regions', async () => {
    expect(op(zeros([1, 3, 4, 4]), zeros([0, 5]), { outputSize: [2, 3] }).shape).toEqual([0, 3, 2, 3]);
    expect(await op(zeros([1, 3, 4, 4]), zeros([0, 5]), { outputSize: 2 }).array()).toEqual([]);
  });

  it('reports an image that is not there, at the read', async () => {
    await expect(op(ramp(), tensor([[1, 0, 0, 2, 2]]), { outputSize: 2 }).array()).rejects.toThrow(
      new RegExp(`^${name} in .*: index \\d+ is outside 0 to`),
    );
  });

  it('says what does not fit', () => {
    const rois = zeros([2, 5]);
    expect(() => op(zeros([1, 4, 4]), rois, { outputSize: 1 })).toThrow(
      `${name}: x is [1, 4, 4] and rois [2, 5]. Give [N, C, H, W] and [K, 5], rows of (image, x1, y1, x2, y2).`,
    );
    expect(() => op(ramp(), zeros([2, 4]), { outputSize: 1 })).toThrow('and rois [2, 4]');
    expect(() => op(zeros([0, 1, 4, 4]), rois, { outputSize: 1 })).toThrow('which has no cells');
    expect(() => op(ramp(), zeros([2, 5], 'f64'), { outputSize: 1 })).toThrow(
      `${name}: x is f32 and rois f64. Cast both to one float dtype.`,
    );
    expect(() => op(ramp(), rois, { outputSize: [0, 1] })).toThrow(`${name}: outputSize [0, 1] has no bins.`);
    expect(() => op(ramp(), rois, { outputSize: 1, spatialScale: 0 })).toThrow(
      `${name}: spatialScale 0 is not above 0.`,
    );
    expect(() => roiAlign(ramp(), rois, { outputSize: 1, samplingRatio: 0.5 })).toThrow(
      'roiAlign: samplingRatio 0.5 is no count. Give 0 or a whole number of samples.',
    );
  });
});

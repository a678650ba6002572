import { checkGradients, grad } from '@dl/autograd';
import { ones, randn, ShapeError, setBackend, setSeed, type Tensor, tensor, ValueError, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  AdaptiveAvgPool1d,
  AdaptiveAvgPool2d,
  AdaptiveAvgPool3d,
  AdaptiveMaxPool1d,
  AdaptiveMaxPool2d,
  AdaptiveMaxPool3d,
  adaptiveAvgPool,
  adaptiveMaxPool,
  adaptiveMaxPoolIndices,
  GlobalAvgPool,
  GlobalMaxPool,
  globalAvgPool,
  globalMaxPool,
} from './index';

beforeAll(() => setBackend(referenceBackend()));
beforeEach(() => setSeed(1));

const row = (...data: number[]): Tensor => tensor(data, [1, 1, data.length]);

describe('adaptive pooling', () => {
  test('bins overlap where they do not divide the axis: 5 in 3 are [0, 2), [1, 4), [3, 5)', async () => {
    const x = row(1, 2, 9, 4, 5);
    expect(await adaptiveAvgPool(x, 3, 1).array()).toEqual([[[1.5, 5, 4.5]]]);
    expect(await adaptiveMaxPool(x, 3, 1).array()).toEqual([[[2, 9, 5]]]);
    expect(await adaptiveMaxPoolIndices(x, 3, 1).indices.array()).toEqual([[[1, 2, 4]]]);
  });

  test('more bins than elements repeat them; as many as elements change nothing', async () => {
    expect(await adaptiveAvgPool(row(1, 2), 4, 1).array()).toEqual([[[1, 1, 2, 2]]]);
    expect(await adaptiveMaxPool(row(1, 2), 3, 1).array()).toEqual([[[1, 2, 2]]]);
    expect(await adaptiveAvgPool(row(1, 2), [null], 1).array()).toEqual([[[1, 2]]]);
  });

  test('the first of two that tie takes the gradient, and a NaN wins', async () => {
    const x = tensor([1, 7, 7, 7, 0], [1, 1, 5], { requiresGrad: true });
    const y = adaptiveMaxPool(x, 2, 1);
    expect(await (grad(y.sum(), x) as Tensor).array()).toEqual([[[0, 1, 1, 0, 0]]]);
    expect(await adaptiveMaxPool(row(1, Number.NaN, 3, 4, 5), 2, 1).array()).toEqual([[[Number.NaN, 5]]]);
  });

  test('indices lie in the plane of several axes, without a batch too', async () => {
    const x = tensor([0, 1, 2, 3, 4, 5, 6, 7, 8], [1, 3, 3]);
    expect(await adaptiveMaxPoolIndices(x, [2, 1], 2).indices.array()).toEqual([[[5], [8]]]);
    expect(await adaptiveAvgPool(x, [1, 2], 2).array()).toEqual([[[3.5, 4.5]]]);
  });

  test('second derivatives', async () => {
    await checkGradients((x) => adaptiveAvgPool(x.square(), [2, 3], 2), [randn([1, 1, 5, 4])], {
      order: 2,
      rtol: 1e-5,
    });
    await checkGradients((x) => adaptiveMaxPool(x.square(), 2, 1), [row(1, 2, 3, 4, 5)], { order: 2, rtol: 1e-5 });
  });

  test('layers', () => {
    expect(new AdaptiveAvgPool1d(3).forward(zeros([2, 4, 7])).shape).toEqual([2, 4, 3]);
    expect(new AdaptiveAvgPool2d([3, null]).forward(zeros([2, 4, 7, 5])).shape).toEqual([2, 4, 3, 5]);
    expect(new AdaptiveAvgPool3d(1).forward(zeros([2, 4, 7, 5, 6])).shape).toEqual([2, 4, 1, 1, 1]);
    expect(new AdaptiveMaxPool1d(3).forward(zeros([4, 7])).shape).toEqual([4, 3]);
    expect(new AdaptiveMaxPool2d(2).forward(zeros([2, 4, 7, 5])).shape).toEqual([2, 4, 2, 2]);
    expect(new AdaptiveMaxPool3d([2, 3, 1]).forward(zeros([2, 4, 7, 5, 6])).shape).toEqual([2, 4, 2, 3, 1]);
  });

  test('no bins and no samples', async () => {
    expect(await adaptiveAvgPool(zeros([1, 1, 3]), 0, 1).array()).toEqual([[[]]]);
    expect(await adaptiveMaxPool(zeros([1, 1, 3]), 0, 1).array()).toEqual([[[]]]);
    expect(await adaptiveMaxPool(zeros([0, 1, 3]), 2, 1).array()).toEqual([]);
    expect(await adaptiveAvgPool(zeros([0, 1, 3]), 2, 1).array()).toEqual([]);
  });

  test('messages', () => {
    expect(() => adaptiveAvgPool(zeros([3]), 2, 1)).toThrow('adaptiveAvgPool1d: x is [3], but data has 3 axes');
    expect(() => adaptiveAvgPool(zeros([1, 1, 3, 3]), [2], 2)).toThrow(
      'adaptiveAvgPool2d: outputSize is [2]. Give one whole number for each of the 2 spatial axes, or null to keep one.',
    );
    expect(() => adaptiveMaxPool(zeros([1, 1, 3]), 1.5, 1)).toThrow(ValueError);
    expect(() => adaptiveMaxPool(zeros([1, 1, 0]), 1, 1)).toThrow(
      'adaptiveMaxPool1d: a spatial axis of x [1, 1, 0] is empty, and has nothing for 1 bins. Give it at least one element.',
    );
  });
});

describe('global pooling', () => {
  test('one number a channel, for any number of axes', async () => {
    const x = tensor([1, 2, 3, 6, 5, 5, 5, 5], [1, 2, 2, 2]);
    expect(await new GlobalAvgPool().forward(x).array()).toEqual([[3, 5]]);
    expect(await new GlobalMaxPool().forward(x.reshape([1, 2, 4])).array()).toEqual([[6, 5]]);
  });

  test('as functions: a mean shares its gradient evenly, a maximum among those that tie', async () => {
    const x = tensor([1, 7, 7, 0], [1, 1, 4], { requiresGrad: true });
    expect(await (grad(globalAvgPool(x), x, { cotangent: ones([1, 1]) }) as Tensor).array()).toEqual([
      [[0.25, 0.25, 0.25, 0.25]],
    ]);
    expect(await (grad(globalMaxPool(x), x, { cotangent: ones([1, 1]) }) as Tensor).array()).toEqual([
      [[0, 0.5, 0.5, 0]],
    ]);
    await checkGradients((v) => globalMaxPool(v).mul(globalAvgPool(v)), [randn([2, 3, 2, 2])], { order: 2 });
  });

  test('messages', () => {
    expect(() => new GlobalAvgPool().forward(zeros([2, 3]))).toThrow(
      'globalAvgPool: x is [2, 3], but data is [N, C, spatial…] with at least one position. Reshape it.',
    );
    expect(() => new GlobalMaxPool().forward(zeros([2, 3, 0]))).toThrow(ShapeError);
  });
});

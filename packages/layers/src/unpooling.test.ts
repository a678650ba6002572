/** Lp pooling, max pooling with places, and the way back. */
import { checkGradients, grad } from '@dl/autograd';
import { iota, randn, ShapeError, setBackend, setSeed, type Tensor, tensor, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import {
  LPPool1d,
  LPPool2d,
  LPPool3d,
  lpPool,
  MaxPool1d,
  MaxPool2d,
  MaxUnpool1d,
  MaxUnpool2d,
  MaxUnpool3d,
  maxUnpool,
} from './index';

beforeAll(() => setBackend(referenceBackend()));
beforeEach(() => setSeed(1));

const row = (...data: number[]): Tensor => tensor(data, [1, 1, data.length]);

test('L2 pooling, by hand', async () => {
  expect(await lpPool(row(3, 4, 0, 5), 2, 1).array()).toEqual([[[5, 5]]]);
  expect(await new LPPool1d(1, 2, { stride: 1 }).forward(row(1, 2, 3)).array()).toEqual([[[3, 5]]]);
  expect(new LPPool2d(2, 2).forward(zeros([1, 1, 4, 4])).shape).toEqual([1, 1, 2, 2]);
  expect(new LPPool3d(2, 2, { ceilMode: true }).forward(zeros([1, 1, 3, 3, 3])).shape).toEqual([1, 1, 2, 2, 2]);
});

test('a window of zeros has gradient 0', async () => {
  const x = tensor([0, 0, 3, 4], [1, 1, 4], { requiresGrad: true });
  const y = lpPool(x, 2, 1);
  expect([...(await (grad(y.sum(), x) as Tensor).data())].map((v) => Math.round(v * 1e5) / 1e5)).toEqual([
    0, 0, 0.6, 0.8,
  ]);
});

test('second derivatives of Lp pooling', async () => {
  await checkGradients((x) => lpPool(x, 2, 2, { stride: 1 }), [randn([1, 1, 3, 3])], {
    order: 2,
    rtol: 1e-4,
    atol: 1e-5,
  });
});

test('maxima go back to where they came from', async () => {
  const x = row(1, 5, 2, 7);
  const { values, indices } = new MaxPool1d(2).withIndices(x);
  expect(await values.array()).toEqual([[[5, 7]]]);
  expect(await indices.array()).toEqual([[[1, 3]]]);
  expect(await new MaxUnpool1d(2).forward(values, indices).array()).toEqual([[[0, 5, 0, 7]]]);
});

test('a rounded size is given, and gradients come from the places', async () => {
  const x = tensor([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3], { requiresGrad: true });
  const { values, indices } = new MaxPool2d(2).withIndices(x);
  const back = new MaxUnpool2d(2).forward(values, indices, [3, 3]);
  expect(await back.array()).toEqual([
    [
      [0, 0, 0],
      [0, 5, 0],
      [0, 0, 0],
    ],
  ]);
  expect(await (grad(back.mul(3).sum(), x) as Tensor).flatten().array()).toEqual([0, 0, 0, 0, 3, 0, 0, 0, 0]);
  expect(new MaxUnpool3d(2).forward(zeros([1, 1, 2, 2, 2]), iota([1, 1, 2, 2, 2], 4)).shape).toEqual([1, 1, 4, 4, 4]);
});

test('messages', () => {
  expect(() => maxUnpool(zeros([1, 1, 2]), zeros([1, 1, 3], 'i32'), 2, 1)).toThrow(
    'maxUnpool1d: x is [1, 1, 2] and the indices are [1, 1, 3].',
  );
  expect(() => maxUnpool(zeros([1, 1, 2]), zeros([1, 1, 2], 'i32'), 2, 2)).not.toThrow();
  expect(() => maxUnpool(zeros([2]), zeros([2], 'i32'), 2, 1)).toThrow(ShapeError);
  expect(() => lpPool(row(1, 2), 2, 1, { p: 0 })).toThrow('lpPool1d: p is above 0 and finite, not 0. Use maxPool');
});

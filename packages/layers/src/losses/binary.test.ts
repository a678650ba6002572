import { checkGradients, grad } from '@dl/autograd';
import { rand, setBackend, setSeed, type Tensor, tensor } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, expect, test } from 'vitest';
import { binaryCrossEntropy } from '../index';

beforeAll(() => {
  setBackend(referenceBackend());
  setSeed(1);
});

test('probabilities of 0 and 1: logarithms end at −100, and slopes stay finite as in PyTorch', async () => {
  const p = tensor([0, 1, 0, 1], null, { requiresGrad: true });
  const losses = binaryCrossEntropy(p, tensor([0, 1, 1, 0]), { reduction: 'none' });
  expect([...(await losses.data())].map(Math.abs)).toEqual([0, 0, 100, 100]);
  const slopes = [...(await (grad(losses.sum(), p) as Tensor).data())];
  expect(slopes.every(Number.isFinite)).toBe(true);
  expect(slopes[2]).toBeCloseTo(-1e12, -6);
  expect(slopes[3]).toBeCloseTo(1e12, -6);
});

test('second derivatives', async () => {
  const target = rand([2, 3]);
  const run = (p: Tensor) => binaryCrossEntropy(p, target.cast(p.dtype));
  await checkGradients(run, [rand([2, 3]).mul(0.8).add(0.1)], { order: 2, rtol: 1e-4, atol: 1e-5 });
});

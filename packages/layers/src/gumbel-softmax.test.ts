import { checkGradients, grad } from '@dl/autograd';
import { Generator, randn, setBackend, setSeed, type Tensor, tensor } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeEach, expect, test } from 'vitest';
import { gumbelSoftmax } from './index';

beforeEach(() => {
  setBackend(referenceBackend());
  setSeed(4);
});

test('chooses each class as often as softmax says', async () => {
  const logits = tensor([Math.log(1), Math.log(3), Number.NEGATIVE_INFINITY]).expand([4000, 3]);
  const [a, b, c] = (await gumbelSoftmax(logits, { hard: true }).sum(0).array()) as number[];
  expect(Math.abs(a! - 1000)).toBeLessThan(140); // 5 standard deviations of 27
  expect([a! + b!, c]).toEqual([4000, 0]);
});

test('is near a choice when it is cold, and even when it is hot', async () => {
  const logits = randn([50, 4]);
  const largest = async (tau: number): Promise<number> => {
    const y = gumbelSoftmax(logits, { tau });
    expect(await y.sum(-1).sub(1).abs().max().item()).toBeLessThan(1e-5);
    return y.max(-1).mean().item();
  };
  expect(await largest(0.01)).toBeGreaterThan(0.98);
  expect(await largest(100)).toBeLessThan(0.27);
});

test('a hard choice has the gradient of the soft one', async () => {
  const x = tensor([0.3, -0.2, 1], [1, 3], { requiresGrad: true });
  const slopes = tensor([1, 2, 4]);
  const slope = (hard: boolean): Tensor => {
    const y = gumbelSoftmax(x, { hard, generator: new Generator(2) });
    return grad(y.mul(slopes).sum(), x) as Tensor;
  };
  expect(await slope(true).array()).toEqual(await slope(false).array());
  await checkGradients((v) => gumbelSoftmax(v, { tau: 0.5, generator: new Generator(2) }), [randn([2, 3])], {
    order: 2,
  });
  expect(() => gumbelSoftmax(x, { tau: 0 })).toThrow('gumbelSoftmax: tau is 0, but a temperature is above 0.');
});

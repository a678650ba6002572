/** Losses: worked by hand, by differences, and at the edges. Values against PyTorch are in test/golden.test.ts. */
import { checkGradients, grad } from '@dl/autograd';
import { compile, profile, rand, randn, setBackend, setSeed, type Tensor, tensor, ValueError, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  crossEntropy,
  huber,
  l1,
  mse,
  nll,
  Parameter,
  smoothL1,
} from '../index';

beforeEach(() => {
  setBackend(referenceBackend());
  setSeed(3);
});

const indices = (...data: number[]): Tensor => tensor(data, null, { dtype: 'i32' });

describe('crossEntropy', () => {
  test('log 2 for two equal logits; the gradient is softmax minus the target, over the number of rows', async () => {
    const logits = new Parameter(
      tensor([
        [0, 0],
        [0, 0],
      ]),
    );
    const loss = crossEntropy(logits, indices(0, 1));
    expect(await loss.item()).toBeCloseTo(Math.log(2), 6);
    expect(await (grad(loss, logits) as Tensor).array()).toEqual([
      [-0.25, 0.25],
      [0.25, -0.25],
    ]);
  });

  test('large logits neither overflow nor lose the answer', async () => {
    expect(
      await crossEntropy(
        tensor([
          [1000, 0],
          [-1000, 0],
        ]),
        indices(0, 1),
      ).item(),
    ).toBe(0);
    expect(await crossEntropy(tensor([[1000, 0]]), indices(1)).item()).toBe(1000);
  });

  test('an index outside the classes rejects the read by the name of the loss, in the backward pass too', async () => {
    for (const wrong of [3, -1]) {
      const message = new RegExp(`^crossEntropy in .*: index ${wrong} is outside 0 to 2`);
      await expect(crossEntropy(zeros([2, 3]), indices(0, wrong)).item()).rejects.toThrow(message);
      const logits = new Parameter(zeros([2, 3]));
      const slope = grad(crossEntropy(logits, indices(0, wrong)), logits) as Tensor;
      await expect(slope.data()).rejects.toThrow(message);
    }
    await expect(nll(zeros([1, 3]), indices(5)).item()).rejects.toThrow(/^nll in .*: index 5 is outside 0 to 2/);
  });

  test('ignored targets count for nothing; where all are ignored the mean is NaN, as in PyTorch', async () => {
    const logits = randn([3, 4]);
    const some = await crossEntropy(logits, indices(1, -100, 2)).item();
    expect(some).toBeCloseTo(await crossEntropy(logits.take(0, indices(0, 2)), indices(1, 2)).item(), 5);
    expect(await crossEntropy(logits, indices(-100, -100, -100)).item()).toBeNaN();
  });

  test('gradients agree with differences, for indices, probabilities, weights and smoothing', async () => {
    const [target, weight] = [indices(2, 0, -100), rand([3]).cast('f64')];
    await checkGradients((x) => crossEntropy(x, target, { weight, labelSmoothing: 0.1 }), [randn([3, 3])], {
      order: 2,
      rtol: 1e-5,
    });
    await checkGradients((x, p) => crossEntropy(x, p), [randn([2, 3, 2]), rand([2, 3, 2])], { order: 2, rtol: 1e-5 });
  });

  test('forward and gradient are two kernels of rows and one of the mean', async () => {
    const logits = new Parameter(randn([64, 10]));
    const target = indices(...Array.from({ length: 64 }, (_, i) => i % 10)).realize();
    const f = compile((y: Tensor) => {
      const loss = crossEntropy(logits, y);
      return [loss, grad(loss, logits) as Tensor];
    });
    f(target);
    expect((await profile(() => f(target))).kernels.length).toBeLessThanOrEqual(3);
  });

  test('messages say what a target looks like', () => {
    expect(() => crossEntropy(zeros([4, 3]), indices(1, 2))).toThrow(
      'crossEntropy: for input [4, 3] the target of class indices is [4], but got i32 [2].',
    );
    expect(() => crossEntropy(zeros([4, 3]), zeros([4]))).toThrow(
      "crossEntropy: the target is f32 [4], but the logits are [4, 3]. Probabilities have the logits' shape; class indices are integers: cast('i32').",
    );
    expect(() => crossEntropy(zeros([4, 3]), zeros([4], 'i32'), { weight: zeros([4]) })).toThrow(
      'has 3 classes. Give one factor a class.',
    );
    expect(() => crossEntropy(zeros([4, 3]), zeros([4], 'i32'), { labelSmoothing: 2 })).toThrow(ValueError);
    expect(() => crossEntropy(zeros([4, 3]), zeros([4], 'i32'), { reduction: 'avg' as never })).toThrow(
      "A reduction is 'none', 'mean' or 'sum', not 'avg'.",
    );
    expect(() => crossEntropy(tensor(1), indices(1))).toThrow('the input is a scalar');
    expect(() => nll(zeros([2, 2]), zeros([2]))).toThrow('nll: the target holds class indices, but its dtype is f32.');
  });
});

describe('losses of numbers', () => {
  const [input, target] = [tensor([1, 2, 5]), tensor([1, 4, 2])];
  test('by hand', async () => {
    expect(await mse(input, target).item()).toBeCloseTo((0 + 4 + 9) / 3, 6);
    expect(await mse(input, target, { reduction: 'none' }).array()).toEqual([0, 4, 9]);
    expect(await l1(input, target, { reduction: 'sum' }).item()).toBe(5);
    expect(await smoothL1(input, target, { reduction: 'none' }).array()).toEqual([0, 1.5, 2.5]);
    expect(await huber(input, target, { delta: 2, reduction: 'none' }).array()).toEqual([0, 2, 4]);
    expect(await binaryCrossEntropy(tensor([0.5, 1]), tensor([1, 0]), { reduction: 'none' }).array()).toEqual([
      Math.fround(Math.log(2)),
      100,
    ]);
    expect(
      await binaryCrossEntropyWithLogits(tensor([0, 1000, -1000]), tensor([1, 0, 1]), { reduction: 'none' }).array(),
    ).toEqual([Math.fround(Math.log(2)), 1000, 1000]);
  });

  test('gradients agree with differences', async () => {
    const options = { order: 2, rtol: 1e-5, atol: 1e-6 } as const;
    for (const loss of [mse, l1, smoothL1, huber, binaryCrossEntropyWithLogits]) {
      await checkGradients((x, t) => loss(x, t), [randn([2, 3]), rand([2, 3])], options);
    }
    await checkGradients((x, t) => binaryCrossEntropy(x.sigmoid(), t), [randn([2, 3]), rand([2, 3])], options);
  });

  test('shapes that differ are not broadcast', () => {
    expect(() => mse(zeros([4, 1]), zeros([4]))).toThrow(
      'mse: the prediction is [4, 1], but the target is [4]. Reshape one of them; they are not broadcast.',
    );
    expect(() => huber(input, target, { delta: 0 })).toThrow('huber: delta is above 0, not 0.');
    expect(() => smoothL1(input, target, { beta: -1 })).toThrow('smoothL1: beta is at least 0, not -1.');
  });
});

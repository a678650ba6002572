/** Losses with margins and focal losses: by hand, by differences, at the edges. Values against PyTorch are in test/. */
import { checkGradients, grad } from '@dl/autograd';
import { rand, randn, ShapeError, setBackend, setSeed, type Tensor, tensor, ValueError, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  binaryCrossEntropyWithLogits,
  crossEntropy,
  hinge,
  hingeEmbedding,
  marginRanking,
  multilabelMargin,
  multilabelSoftMargin,
  multiMargin,
  sigmoidFocal,
  softMargin,
  softmaxFocal,
} from '../index';

beforeAll(() => setBackend(referenceBackend()));
beforeEach(() => setSeed(1));

const indices = (...data: number[]): Tensor => tensor(data, null, { dtype: 'i32' });
const none = { reduction: 'none' } as const;

describe('margins', () => {
  test('hinge, by hand', async () => {
    expect(await hinge(tensor([0.5, 2, -1]), tensor([1, 1, -1]), none).array()).toEqual([0.5, 0, 0]);
    expect(await hinge(tensor([0.5, -1]), tensor([-1, 1])).item()).toBe(1.75);
    expect(await hingeEmbedding(tensor([0.5, 0.25, 3]), tensor([1, -1, -1]), none).array()).toEqual([0.5, 0.75, 0]);
    expect(await marginRanking(tensor([1, 1]), tensor([3, 0]), tensor([1, 1]), none).array()).toEqual([2, 0]);
  });

  test('the soft margin neither overflows nor loses the answer', async () => {
    expect(await softMargin(tensor([1000, -1000, 0]), tensor([1, 1, -1]), none).array()).toEqual([
      0,
      1000,
      Math.fround(Math.LN2),
    ]);
  });

  test('several classes, by hand: every other class that comes within the margin', async () => {
    const scores = tensor([[1, 0.5, -3]]);
    expect(await multiMargin(scores, indices(0)).item()).toBeCloseTo(0.5 / 3, 6);
    expect(await multiMargin(scores, indices(1), { p: 2 }).item()).toBeCloseTo(1.5 ** 2 / 3, 6);
    expect(await multiMargin(scores.squeeze(0), tensor(1, [], { dtype: 'i32' })).item()).toBeCloseTo(0.5, 6);
    expect(await multiMargin(scores, indices(0), { weight: tensor([6, 1, 1]) }).item()).toBeCloseTo(1, 6);
  });

  test('several labels: those before the first −1 against all others', async () => {
    const scores = tensor([[0.1, 0.2, 0.4, 0.8]]);
    const target = tensor([[3, 0, -1, 1]], null, { dtype: 'i32' });
    // The example in PyTorch's documentation: 0.25 · ((1−(0.1−0.2)) + (1−(0.1−0.4)) + (1−(0.8−0.2)) + (1−(0.8−0.4)))
    expect(await multilabelMargin(scores, target).item()).toBeCloseTo(0.85, 6);
    const nothing = tensor([[-1, 0, 0, 0]], null, { dtype: 'i32' });
    expect(await multilabelMargin(scores, nothing).item()).toBe(0);
  });

  test('the soft one is binary cross entropy over the classes', async () => {
    const [x, t] = [randn([3, 4]), rand([3, 4]).gt(0.5).cast('f32')];
    const whole = await binaryCrossEntropyWithLogits(x, t).item();
    expect(await multilabelSoftMargin(x, t).item()).toBeCloseTo(whole, 6);
  });

  test('second derivatives of the smooth ones', async () => {
    const t = tensor([1, -1, 1]);
    await checkGradients((x) => softMargin(x, t.cast(x.dtype)), [randn([3])], { order: 2, rtol: 1e-5 });
    const y = indices(0, 2);
    await checkGradients((x) => multiMargin(x, y, { p: 2, margin: 5 }), [rand([2, 3])], { order: 2, rtol: 1e-5 });
  });

  test('nothing of nothing', async () => {
    expect(await hinge(zeros([0]), zeros([0]), none).array()).toEqual([]);
    expect(await multiMargin(zeros([0, 3]), zeros([0], 'i32'), none).array()).toEqual([]);
    expect(await multilabelMargin(zeros([0, 3]), zeros([0, 3], 'i32'), none).array()).toEqual([]);
  });

  test('messages', async () => {
    expect(() => hinge(zeros([2]), zeros([3]))).toThrow(
      'hinge: the prediction is [2], but the target is [3]. Reshape one of them; they are not broadcast.',
    );
    expect(() => multiMargin(zeros([2, 3]), indices(1))).toThrow(
      'multiMargin: for input [2, 3] the target is [2], but got [1]. Give one class a row.',
    );
    expect(() => multiMargin(zeros([2, 3]), zeros([2]))).toThrow(ValueError);
    expect(() => multiMargin(zeros([1, 2, 3]), indices(1))).toThrow(ShapeError);
    expect(() => multiMargin(zeros([1, 3]), indices(1), { weight: zeros([2]) })).toThrow('the weight is [2]');
    await expect(multiMargin(tensor([[1, 2, 3]]), indices(3)).item()).rejects.toThrow(/^multiMargin in .*: index 3/);
  });
});

describe('focal losses', () => {
  test('without a gamma they are cross entropy', async () => {
    const [x, t] = [randn([4]), tensor([1, 0, 0, 1])];
    const plain = { gamma: 0, alpha: null };
    expect(await sigmoidFocal(x, t, plain).item()).toBeCloseTo(await binaryCrossEntropyWithLogits(x, t).item(), 6);
    const [logits, y] = [randn([3, 4]), indices(0, 3, 1)];
    expect(await softmaxFocal(logits, y, { gamma: 0 }).item()).toBeCloseTo(await crossEntropy(logits, y).item(), 6);
  });

  test('by hand: a probability of ½ counts a quarter', async () => {
    expect(await sigmoidFocal(tensor([0]), tensor([1])).item()).toBeCloseTo(0.25 * 0.25 * Math.LN2, 6);
    expect(await sigmoidFocal(tensor([0]), tensor([0])).item()).toBeCloseTo(0.75 * 0.25 * Math.LN2, 6);
    expect(await softmaxFocal(tensor([[0, 0]]), indices(1)).item()).toBeCloseTo(0.25 * Math.LN2, 6);
  });

  test.each([0.5, 1, 1.5, 2])('certain answers have finite values and gradients (gamma = %d)', async (gamma) => {
    const x = tensor([200, -200, 200, -200], null, { requiresGrad: true });
    const loss = sigmoidFocal(x, tensor([1, 1, 0, 0]), { gamma, alpha: null, ...none });
    expect([...(await loss.data())]).toEqual([0, 200, 200, 0]);
    expect([...(await (grad(loss.sum(), x) as Tensor).data())]).toEqual([0, -1, 1, 0]);
    const logits = tensor(
      [
        [200, -200],
        [200, -200],
      ],
      null,
      { requiresGrad: true },
    );
    const focal = softmaxFocal(logits, indices(0, 1), { gamma, ...none });
    expect([...(await focal.data())].map(Math.abs)).toEqual([0, 400]);
    const slopes = [...(await (grad(focal.sum(), logits) as Tensor).data())];
    expect(slopes.map((g) => g + 0)).toEqual([0, 0, 1, -1]);
  });

  test('second derivatives', async () => {
    const t = tensor([1, 0, 1]);
    await checkGradients((x) => sigmoidFocal(x, t.cast(x.dtype), { gamma: 1.5 }), [randn([3])], {
      order: 2,
      rtol: 1e-4,
    });
    await checkGradients((x) => softmaxFocal(x, indices(0, 2)), [randn([2, 3])], { order: 2, rtol: 1e-4 });
  });

  test('messages', () => {
    expect(() => sigmoidFocal(zeros([2]), zeros([2]), { gamma: -1 })).toThrow(
      'sigmoidFocal: gamma is at least 0, not -1.',
    );
    expect(() => softmaxFocal(zeros([2, 3]), indices(1))).toThrow(
      'softmaxFocal: for input [2, 3] the target of class indices is [2]',
    );
    expect(() => softmaxFocal(zeros([2, 3]), indices(1, 1), { alpha: zeros([2]) })).toThrow(
      'softmaxFocal: the weight is [2]',
    );
  });
});

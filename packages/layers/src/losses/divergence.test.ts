/** Divergences, likelihoods and penalties: by hand, by differences, at the edges. Values against PyTorch are in test/. */
import { checkGradients, grad } from '@dl/autograd';
import { rand, randn, setBackend, setSeed, type Tensor, tensor, ValueError, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  crossEntropy,
  distillation,
  gaussianNll,
  halfMse,
  klDivergence,
  Linear,
  l1Penalty,
  l2Penalty,
  mse,
  poissonNll,
} from '../index';

beforeAll(() => setBackend(referenceBackend()));
beforeEach(() => setSeed(1));

const settings = { order: 2, rtol: 1e-4, atol: 1e-5 } as const;
const indices = (...data: number[]): Tensor => tensor(data, null, { dtype: 'i32' });

describe('klDivergence', () => {
  test('by hand: of a fair coin from one that always falls the same way, log 2', async () => {
    const fair = tensor([[0.5, 0.5]]).log();
    expect(await klDivergence(fair, tensor([[1, 0]]), { reduction: 'batchmean' }).item()).toBeCloseTo(Math.LN2, 6);
    expect(await klDivergence(fair, fair, { logTarget: true, reduction: 'sum' }).item()).toBe(0);
  });

  test('a target of 0 has no part, even where the input has probability 0', async () => {
    const input = tensor([Number.NEGATIVE_INFINITY, 0], null, { requiresGrad: true });
    const loss = klDivergence(input, tensor([0, 1]), { reduction: 'sum' });
    expect(await loss.item()).toBe(0);
    expect([...(await (grad(loss, input) as Tensor).data())].map(Math.abs)).toEqual([0, 1]);
  });

  test('second derivatives', async () => {
    await checkGradients((x, t) => klDivergence(x, t), [randn([2, 3]), rand([2, 3]).add(0.1)], settings);
    await checkGradients((x, t) => klDivergence(x, t, { logTarget: true }), [randn([2, 3]), randn([2, 3])], settings);
  });

  test('messages', () => {
    expect(() => klDivergence(zeros([2]), zeros([3]))).toThrow(
      'klDivergence: the prediction is [2], but the target is [3].',
    );
    expect(() => klDivergence(zeros([2]), zeros([2]), { reduction: 'max' as never })).toThrow(ValueError);
  });
});

describe('distillation', () => {
  test('a student that says what the teacher says has the labels’ loss alone', async () => {
    const [logits, target] = [randn([3, 4]), indices(0, 1, 3)];
    const hard = await crossEntropy(logits, target).item();
    expect(await distillation(logits, logits, target, { softWeight: 0.9 }).item()).toBeCloseTo(0.1 * hard, 6);
    expect(await distillation(logits, logits, target, { softWeight: 2, hardWeight: 1 }).item()).toBeCloseTo(hard, 6);
  });

  test('no gradient reaches the teacher', async () => {
    const [student, teacher] = [0, 1].map(() => tensor([1, 2, 3], [1, 3], { requiresGrad: true }));
    const loss = distillation(student!, teacher!, indices(0));
    expect(() => grad(loss, teacher!)).toThrow(ValueError);
  });

  test('messages', () => {
    expect(() => distillation(zeros([1, 2]), zeros([1, 2]), indices(0), { temperature: 0 })).toThrow(
      'distillation: the temperature is above 0, not 0.',
    );
    expect(() => distillation(zeros([1, 2]), zeros([1, 3]), indices(0))).toThrow(
      'distillation: the prediction is [1, 2]',
    );
  });
});

describe('likelihoods', () => {
  test('gaussian, by hand', async () => {
    expect(await gaussianNll(tensor([1]), tensor([3]), tensor([4])).item()).toBeCloseTo((Math.log(4) + 1) / 2, 6);
    const full = await gaussianNll(tensor([0]), tensor([0]), tensor([1]), { full: true }).item();
    expect(full).toBeCloseTo(Math.log(Math.sqrt(2 * Math.PI)), 6);
  });

  test('a variance of 0 counts as eps, with the gradient that eps has', async () => {
    const variance = tensor([0, 0.01], null, { requiresGrad: true });
    const loss = gaussianNll(zeros([2]), zeros([2]), variance, { eps: 0.01, reduction: 'none' });
    const [a, b] = await loss.array(1);
    expect(a).toBeCloseTo(b!, 5);
    const [ga, gb] = await (grad(loss.sum(), variance) as Tensor).array(1);
    expect(ga).toBeCloseTo(gb!, 3);
  });

  test('poisson, by hand; the factorial of small counts is left out', async () => {
    expect(await poissonNll(tensor([0]), tensor([3])).item()).toBe(1);
    expect(await poissonNll(tensor([2]), tensor([3]), { logInput: false }).item()).toBeCloseTo(2 - 3 * Math.LN2, 6);
    const full = { full: true, reduction: 'none' } as const;
    const [small, large] = await poissonNll(zeros([2]), tensor([1, 5]), full).array(1);
    expect(small).toBe(1);
    expect(large! - 1).toBeCloseTo(Math.log(120), 1); // Stirling
  });

  test('second derivatives', async () => {
    const inputs = [randn([3]), randn([3]), rand([3]).add(0.5)];
    await checkGradients((x, t, v) => gaussianNll(x, t, v), inputs, settings);
    await checkGradients((x) => poissonNll(x, tensor([0, 2, 5]), { full: true }), [randn([3])], settings);
  });

  test('messages', () => {
    expect(() => gaussianNll(zeros([2]), zeros([2]), zeros([2]), { eps: 0 })).toThrow(
      'gaussianNll: eps is above 0, not 0.',
    );
    expect(() => poissonNll(zeros([2]), zeros([1]))).toThrow(
      'poissonNll: the prediction is [2], but the target is [1].',
    );
  });
});

describe('penalties and halves', () => {
  test('by hand', async () => {
    const parameters = [tensor([1, -2]), tensor([[3]])];
    expect(await l1Penalty(parameters, 0.5).item()).toBe(3);
    expect(await l2Penalty(parameters, 0.5).item()).toBe(3.5);
    expect(await halfMse(tensor([1, 2]), tensor([0, 4])).item()).toBe(1.25);
    expect(await mse(tensor([1, 2]), tensor([0, 4])).item()).toBe(2.5);
  });

  test('the gradient of the L2 penalty is weight decay', async () => {
    const { weight } = new Linear(2, 1);
    const decay = grad(l2Penalty([weight], 0.1), weight) as Tensor;
    const want = [...(await weight.mul(0.1).data())];
    for (const [i, g] of [...(await decay.data())].entries()) expect(g).toBeCloseTo(want[i]!, 7);
  });

  test('messages', () => {
    expect(() => l1Penalty([], 1)).toThrow('l1Penalty: there are no parameters. Pass those that the penalty is for.');
  });
});

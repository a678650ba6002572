/** CTC against the sum over all alignments, its gradient by differences, and its edges. Values against PyTorch are in test/. */
import { checkGradients, grad } from '@dl/autograd';
import { compile, randn, ShapeError, setBackend, setSeed, type Tensor, tensor, ValueError, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ctc } from '../index';

beforeAll(() => setBackend(referenceBackend()));
beforeEach(() => setSeed(1));

const indices = (...rows: number[][]): Tensor => tensor(rows, null, { dtype: 'i32' });

/** What a path says: repeats joined, blanks left out. */
const spoken = (path: readonly number[], blank: number): number[] =>
  path.filter((label, t) => label !== blank && label !== path[t - 1]);

/** −log Σ over all paths of classes that say the target. */
async function bruteForce(logProbs: Tensor, target: readonly number[], blank = 0): Promise<number> {
  const table = (await logProbs.array(2)) as number[][];
  const C = table[0]!.length;
  let sum = 0;
  for (let code = 0; code < C ** table.length; code++) {
    const path = table.map((_, t) => Math.floor(code / C ** t) % C);
    if (String(spoken(path, blank)) !== String(target)) continue;
    sum += Math.exp(path.reduce((total, label, t) => total + table[t]![label]!, 0));
  }
  return -Math.log(sum);
}

describe('ctc', () => {
  test.each([
    ['one label', [1], 0],
    ['two', [2, 1], 0],
    ['a repeat, which needs a blank between', [1, 1], 0],
    ['none', [], 0],
    ['another blank', [0, 1], 2],
  ] as const)('sums over all alignments: %s', async (_, target, blank) => {
    const logProbs = randn([5, 1, 3], { dtype: 'f64' }).logSoftmax(2);
    const targets = tensor([...target, 1, 0], [1, target.length + 2], { dtype: 'i32' });
    const loss = ctc(logProbs, targets, { targetLengths: [target.length], blank, reduction: 'sum' });
    expect(await loss.item()).toBeCloseTo(await bruteForce(logProbs.squeeze(1), target, blank), 10);
  });

  test('each sample has its own lengths; later frames count for nothing', async () => {
    const logProbs = randn([4, 2, 3], { dtype: 'f64' }).logSoftmax(2);
    const losses = ctc(logProbs, indices([1, 2], [2, 7]), {
      inputLengths: [4, 2],
      targetLengths: [2, 1],
      reduction: 'none',
    });
    const [first, second] = await losses.array(1);
    expect(first).toBeCloseTo(await bruteForce(logProbs.at(':', 0), [1, 2]), 10);
    expect(second).toBeCloseTo(await bruteForce(logProbs.at(':2', 1), [2]), 10);
  });

  test('first and second derivatives', async () => {
    const run = (logits: Tensor) => ctc(logits.logSoftmax(2), indices([1, 1], [2, 1]), { inputLengths: [4, 3] });
    await checkGradients(run, [randn([4, 2, 3])], { order: 2, rtol: 1e-4, atol: 1e-6 });
  });

  test('the gradient is the posterior of the labels, less the frames that were ignored', async () => {
    const logProbs = tensor(await randn([3, 1, 3]).logSoftmax(2).data(), [3, 1, 3], { requiresGrad: true });
    const g = grad(ctc(logProbs, indices([1]), { inputLengths: [2], reduction: 'sum' }), logProbs) as Tensor;
    const sums = await g.sum([1, 2]).array(1);
    expect(sums[0]).toBeCloseTo(-1, 5);
    expect(sums[1]).toBeCloseTo(-1, 5);
    expect(sums[2]).toBe(0);
  });

  test('what cannot be said has an infinite loss, or 0 if asked for, and never a NaN gradient', async () => {
    for (const [zeroInfinity, want] of [
      [false, Number.POSITIVE_INFINITY],
      [true, 0],
    ] as const) {
      const logits = tensor(await randn([2, 1, 3]).data(), [2, 1, 3], { requiresGrad: true });
      const loss = ctc(logits.logSoftmax(2), indices([1, 1]), { zeroInfinity, reduction: 'sum' });
      expect(await loss.item()).toBe(want);
      expect([...(await (grad(loss, logits) as Tensor).data())]).toEqual(Array(6).fill(0));
    }
  });

  test('classes of probability 0 are no NaN', async () => {
    const logits = tensor([0, Number.NEGATIVE_INFINITY, 0, 0, 0, Number.NEGATIVE_INFINITY], [2, 1, 3]);
    const loss = ctc(logits.logSoftmax(2), indices([1]), { reduction: 'sum' });
    expect(await loss.item()).toBeCloseTo(Math.log(4), 5); // frames (blank or 2), (blank or 1): only blank, then 1
    expect(await ctc(logits.logSoftmax(2), indices([2, 2]), { reduction: 'sum' }).item()).toBe(
      Number.POSITIVE_INFINITY,
    );
  });

  test('lengths as tensors, compiled', async () => {
    const step = compile((logits: Tensor, targets: Tensor, inputs: Tensor, labels: Tensor) =>
      ctc(logits.logSoftmax(2), targets, { inputLengths: inputs, targetLengths: labels }),
    );
    for (const [inputs, labels] of [
      [
        [4, 3],
        [2, 1],
      ],
      [
        [2, 4],
        [0, 2],
      ],
      [
        [3, 3],
        [1, 1],
      ],
    ] as const) {
      const logits = randn([4, 2, 3]);
      const targets = indices([1, 2], [2, 1]);
      const eager = ctc(logits.logSoftmax(2), targets, { inputLengths: inputs, targetLengths: labels });
      const lengths = [inputs, labels].map((list) => tensor(Int32Array.from(list)));
      expect(await step(logits, targets, lengths[0]!, lengths[1]!).item()).toBeCloseTo(await eager.item(), 5);
    }
  });

  test('a length or label out of range rejects the read', async () => {
    const logProbs = zeros([3, 1, 3]);
    const length = (n: number): Tensor => tensor(Int32Array.of(n));
    await expect(ctc(logProbs, indices([1]), { inputLengths: length(4) }).item()).rejects.toThrow(/^ctc.*index 4/);
    await expect(ctc(logProbs, indices([1]), { targetLengths: length(-1) }).item()).rejects.toThrow(/^ctc.*index -1/);
    await expect(ctc(logProbs, indices([3])).item()).rejects.toThrow(/^ctc.*index 3/);
  });

  test('messages', () => {
    const logProbs = zeros([3, 2, 4]);
    expect(() => ctc(logProbs, indices([1]))).toThrow(
      'ctc: logProbs is [3, 2, 4] and targets [1, 1]. Give [T, N, C] and [N, S] with the same N.',
    );
    expect(() => ctc(zeros([0, 1, 4]), indices([1]))).toThrow(ShapeError);
    expect(() => ctc(logProbs, zeros([2, 1]))).toThrow(
      "ctc: targets hold class indices, but their dtype is f32. Cast them with cast('i32').",
    );
    expect(() => ctc(logProbs, indices([1], [1]), { blank: 4 })).toThrow(
      'ctc: blank is 4, but the classes are 0 to 3.',
    );
    expect(() => ctc(logProbs, indices([1], [1]), { inputLengths: [3] })).toThrow(
      'ctc: inputLengths is [1], but there are 2 samples. Give one a sample.',
    );
    expect(() => ctc(logProbs, indices([1], [1]), { inputLengths: [3, 4] })).toThrow(
      'ctc: inputLengths has 4, but a length is a whole number from 0 to 3.',
    );
    expect(() => ctc(logProbs, indices([1], [1]), { targetLengths: [0.5, 1] })).toThrow(ValueError);
  });
});

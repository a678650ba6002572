/** Losses of embeddings and the mining of triplets: by hand, by differences, at the edges. Values against PyTorch are in test/. */
import { checkGradients, grad } from '@dl/autograd';
import { randn, ShapeError, setBackend, setSeed, type Tensor, tensor, ValueError, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  contrastive,
  cosineEmbedding,
  cosineSimilarity,
  distanceMatrix,
  pairwiseDistance,
  semiHardNegatives,
  tripletMargin,
  tripletSemiHard,
} from '../index';

beforeAll(() => setBackend(referenceBackend()));
beforeEach(() => setSeed(1));

const none = { reduction: 'none' } as const;
const finite = async (x: Tensor): Promise<boolean> => [...(await x.data())].every(Number.isFinite);

describe('distances', () => {
  test('by hand', async () => {
    const [a, b] = [tensor([[3, 0]]), tensor([[0, 4]])];
    expect(await pairwiseDistance(a, b, { eps: 0 }).array()).toEqual([5]);
    expect(await pairwiseDistance(a, b, { eps: 0, p: 1, keepDims: true }).array()).toEqual([[7]]);
    expect(await cosineSimilarity(a, b).array()).toEqual([0]);
    expect(await cosineSimilarity(a, a.mul(-2)).array()).toEqual([-1]);
    expect(
      await distanceMatrix(
        tensor([
          [0, 0],
          [3, 4],
        ]),
      ).array(),
    ).toEqual([
      [0, 5],
      [5, 0],
    ]);
  });

  test('zero vectors and equal ones have finite gradients', async () => {
    const zero = tensor([[0, 0]], null, { requiresGrad: true });
    expect(await finite(grad(cosineSimilarity(zero, zero).sum(), zero) as Tensor)).toBe(true);
    expect(await finite(grad(pairwiseDistance(zero, zero, { eps: 0 }).sum(), zero) as Tensor)).toBe(true);
    expect(await finite(grad(contrastive(zero, zero, tensor([0])), zero) as Tensor)).toBe(true);
    expect(await finite(grad(distanceMatrix(zero).sum(), zero) as Tensor)).toBe(true);
  });

  test('messages', () => {
    expect(() => pairwiseDistance(zeros([2, 3]), zeros([3]))).toThrow(
      'pairwiseDistance: the vectors are [2, 3] and [3]. Give both one shape; they are not broadcast.',
    );
    expect(() => pairwiseDistance(zeros([]), zeros([]))).toThrow(ShapeError);
  });
});

describe('pairs and triplets', () => {
  test('contrastive, by hand: ½ d² together, ½ (margin − d)² apart', async () => {
    const [a, b] = [
      tensor([
        [3, 0],
        [3, 0],
        [3, 0],
      ]),
      tensor([
        [0, 4],
        [0, 4],
        [3, 0.5],
      ]),
    ];
    const losses = await contrastive(a, b, tensor([1, 0, 0]), none).array(1);
    expect(losses[0]).toBeCloseTo(12.5, 5);
    expect(losses.slice(1)).toEqual([0, 0.125]);
    expect(await contrastive(a, b, tensor([1, 0, 0]), { margin: 6 }).item()).toBeCloseTo(
      (12.5 + 0.5 + 5.5 ** 2 / 2) / 3,
      5,
    );
  });

  test('triplets, by hand, and with the positive in the anchor’s place', async () => {
    const [anchor, positive, negative] = [tensor([[0, 0]]), tensor([[3, 0]]), tensor([[4, 0]])];
    expect(await tripletMargin(anchor, positive, negative, { margin: 2, eps: 0 }).item()).toBe(1);
    expect(await tripletMargin(anchor, positive, negative, { margin: 2, eps: 0, swap: true }).item()).toBe(4);
  });

  test('cosine embedding, by hand', async () => {
    const [a, b] = [
      tensor([
        [1, 0],
        [1, 0],
      ]),
      tensor([
        [0, 2],
        [3, 0],
      ]),
    ];
    expect(await cosineEmbedding(a, b, tensor([1, -1]), none).array()).toEqual([1, 1]);
    expect(await cosineEmbedding(a, b, tensor([-1, -1]), { margin: 0.5 }).item()).toBe(0.25);
  });

  test.each([
    ['contrastive', (a: Tensor, b: Tensor) => contrastive(a, b, tensor([1, 0]), { margin: 9 })],
    ['cosineEmbedding', (a: Tensor, b: Tensor) => cosineEmbedding(a, b, tensor([1, -1]), { margin: -1 })],
    ['tripletMargin', (a: Tensor, b: Tensor) => tripletMargin(a, b, b.mul(-1), { margin: 9 })],
  ])('second derivatives of %s', async (_, loss) => {
    await checkGradients(loss, [randn([2, 3]), randn([2, 3])], { order: 2, rtol: 1e-4, atol: 1e-5 });
  });

  test('messages', () => {
    expect(() => contrastive(zeros([2, 3]), zeros([2, 3]), zeros([3]))).toThrow(
      'contrastive: the target is [3], but the vectors are [2, 3]. Give one label a pair: [2].',
    );
    expect(() => cosineEmbedding(zeros([2, 3]), zeros([2, 3]), zeros([2]), { margin: 2 })).toThrow(ValueError);
  });
});

describe('semi-hard mining', () => {
  // On a line: two of kind 0 at 0 and 2, and three of kind 1 at 1, 3 and 7.
  const places = tensor([[0], [2], [1], [3], [7]]);
  const kinds = tensor([0, 0, 1, 1, 1], null, { dtype: 'i32' });

  test('takes the nearest beyond the positive, or the farthest of all', async () => {
    const { negatives, isPair } = semiHardNegatives(distanceMatrix(places), kinds);
    const table = await negatives.array(2);
    expect(table[0]![1]).toBe(3); // d(0, 1) = 2; 1 is nearer, 3 is the nearest beyond
    expect(table[1]![0]).toBe(4); // d = 2; 1 and 3 are at 1, 7 is at 5
    expect(table[4]![2]).toBe(0); // d = 6; 0 is at 7, 2 at 5
    expect(table[2]![4]).toBe(0); // d = 6; none is beyond: 0 and 2 are both at 1, the first of the farthest
    expect(await isPair.array()).toEqual([
      [false, true, false, false, false],
      [true, false, false, false, false],
      [false, false, false, true, true],
      [false, false, true, false, true],
      [false, false, true, true, false],
    ]);
  });

  test('the loss is the mean over pairs', async () => {
    const pairs = places.narrow(0, 0, 3);
    const labels = kinds.narrow(0, 0, 3);
    // (0, 1): positive 2, no negative beyond, farthest 1; (1, 0): the same.
    expect(await tripletSemiHard(pairs, labels).item()).toBe(2);
    expect(await tripletSemiHard(pairs, labels, { reduction: 'sum' }).item()).toBe(4);
    expect(await tripletSemiHard(pairs, labels, none).array()).toEqual([
      [0, 2, 0],
      [2, 0, 0],
      [0, 0, 0],
    ]);
  });

  test('a batch of one kind, or without pairs, has loss 0 and finite gradients', async () => {
    for (const labels of [
      [4, 4, 4],
      [1, 2, 3],
    ]) {
      const x = tensor([0, 1, 1], [3, 1], { requiresGrad: true });
      const loss = tripletSemiHard(x, tensor(labels, null, { dtype: 'i32' }));
      expect(await loss.item()).toBe(0);
      expect(await finite(grad(loss, x) as Tensor)).toBe(true);
    }
  });

  test('the gradient flows through distances, not through the choice', async () => {
    const labels = tensor([0, 0, 1, 1], null, { dtype: 'i32' });
    await checkGradients((x) => tripletSemiHard(x, labels, { margin: 5 }), [randn([4, 3])], { rtol: 1e-5 });
  });

  test('messages', () => {
    expect(() => semiHardNegatives(zeros([2, 3]), zeros([2], 'i32'))).toThrow(
      'semiHardNegatives: the distances are [2, 3] and the labels [2]. Give [N, N] and [N].',
    );
  });
});

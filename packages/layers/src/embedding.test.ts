import { checkGradients, grad } from '@dl/autograd';
import { compile, DTypeError, randn, setBackend, setSeed, type Tensor, tensor, ValueError, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { constant, Embedding, embed } from './index';

beforeAll(() => setBackend(referenceBackend()));
beforeEach(() => setSeed(1));

const indices = (data: number[], shape?: number[]): Tensor => tensor(data, shape ?? [data.length], { dtype: 'i32' });

test('rows by index, for indices of any shape', async () => {
  const weight = tensor([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  expect(await embed(indices([2, 0], [1, 2]), weight).array()).toEqual([
    [
      [5, 6],
      [1, 2],
    ],
  ]);
  expect(await embed(tensor(1, [], { dtype: 'i32' }), weight).array()).toEqual([3, 4]);
  expect(embed(indices([], [0, 4]), weight).shape).toEqual([0, 4, 2]);
});

test('a row that is named twice gets both gradients; the row of padding gets none', async () => {
  const layer = new Embedding(3, 2, { paddingIdx: -1 });
  const y = layer.forward(indices([0, 2, 0]));
  expect(await (grad(y.sum(), layer.weight) as Tensor).array()).toEqual([
    [2, 2],
    [0, 0],
    [0, 0],
  ]);
});

test('the row of padding starts at 0, others as the initialiser says', async () => {
  const layer = new Embedding(3, 1, { paddingIdx: 1, weightInit: constant(5) });
  expect(await layer.weight.array()).toEqual([[5], [0], [5]]);
  expect(Object.keys(layer.stateDict())).toEqual(['weight']);
  const values = [...(await new Embedding(200, 50).weight.data())];
  expect(Math.abs(values.reduce((a, b) => a + b, 0) / values.length)).toBeLessThan(0.05);
  expect(Math.abs(values.reduce((a, b) => a + b * b, 0) / values.length - 1)).toBeLessThan(0.08);
});

test('compiles; gradients agree with differences', async () => {
  const layer = new Embedding(4, 3);
  const run = compile((x: Tensor) => layer.forward(x));
  for (const row of [0, 3, 1]) {
    const wanted = await layer.weight.at(row).array(1);
    expect(await run(indices([row])).array()).toEqual([wanted]);
  }
  await checkGradients((w) => embed(indices([1, 1, 0]), w).square(), [randn([2, 3])], { order: 2, rtol: 1e-5 });
});

test('an index outside the table rejects the next read by the name of the layer, whatever it is fused with', async () => {
  const layer = new Embedding(3, 2);
  const step = compile((ids: Tensor) => {
    const y = layer.forward(ids).mul(2).add(1).relu();
    return [y, grad(y.sum(), layer.weight) as Tensor] as const;
  });
  const [y, slope] = step(indices([0, 7]));
  await expect(y.data()).rejects.toThrow(/^embedding in .*: index 7 is outside 0 to 2/);
  await expect(step(indices([0, 1]))[0].data()).resolves.toHaveLength(4);
  void slope;

  await expect(embed(indices([3]), tensor([[1], [2], [3]])).array()).rejects.toThrow(/^embedding in .*: index 3 is/);
  await expect(embed(indices([-1]), tensor([[1], [2], [3]])).array()).rejects.toThrow(/^embedding in .*: index -1 is/);
});

test('messages', () => {
  expect(() => embed(zeros([2]), zeros([3, 2]))).toThrow(DTypeError);
  expect(() => embed(zeros([2]), zeros([3, 2]))).toThrow(
    "embedding: indices are integers, but got f32. Use cast('i32').",
  );
  expect(() => new Embedding(3, 2, { paddingIdx: 3 })).toThrow(
    'embedding: paddingIdx is 3, but the table has 3 rows. Give one from -3 to 2.',
  );
  expect(() => embed(indices([0]), zeros([3, 2]), { paddingIdx: -4 })).toThrow(ValueError);
});

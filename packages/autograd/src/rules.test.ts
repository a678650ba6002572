/** Every rule against finite differences in f64, first and second order, and by hand at its kinks. */
import { setBackend, type Tensor, tensor } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Case, cases, window } from '../test/rule-cases';
import { checkGradients, grad } from './index';

beforeAll(() => setBackend(referenceBackend()));

describe.each(Object.entries(cases).filter(([, list]) => list.length > 0))('%s', (_, list) => {
  it.each((list as readonly Case[]).map((c) => [c.name ?? 'agrees with differences', c] as const))(
    '%s',
    async (__, { fn, inputs, order }) => {
      const { checked } = await checkGradients(fn, inputs, { order: order ?? 2 });
      expect(checked).toBeGreaterThan(0);
    },
  );
});

describe('conventions', () => {
  const leaf = (data: Parameters<typeof tensor>[0]): Tensor => tensor(data, null, { requiresGrad: true });
  const gradient = async (fn: (x: Tensor) => Tensor, at: number[]): Promise<unknown> => {
    const x = leaf(at);
    return grad(fn(x).sum(), x).array();
  };

  it('abs has gradient 0 at 0', async () => {
    expect(await gradient((x) => x.abs(), [-2, 0, 2])).toEqual([-1, 0, 1]);
  });

  it('relu has gradient 0 at 0; a number that ties takes all', async () => {
    expect(await gradient((x) => x.relu(), [-1, 0, 1])).toEqual([0, 0, 1]);
    expect(await gradient((x) => x.minimum(0), [-1, 0, 1])).toEqual([1, 0, 0]);
  });

  it('clamp has gradient 1 at its limits', async () => {
    expect(await gradient((x) => x.clamp(-1, 1), [-2, -1, 0, 1, 2])).toEqual([0, 1, 1, 1, 0]);
  });

  it('two tensors that tie take half each', async () => {
    const [a, b] = [leaf([1, 2, 3]), leaf([1, 3, 2])];
    const [ga, gb] = grad(a.maximum(b).sum(), [a, b]);
    expect([await ga.array(), await gb.array()]).toEqual([
      [0.5, 0, 1],
      [0.5, 1, 0],
    ]);
    const [ha, hb] = grad(a.minimum(b).sum(), [a, b]);
    expect([await ha.array(), await hb.array()]).toEqual([
      [0.5, 1, 0],
      [0.5, 0, 1],
    ]);
  });

  it('elements that tie in a reduction share evenly; in a window the first takes all', async () => {
    expect(await gradient((x) => x.max(), [3, 1, 3])).toEqual([0.5, 0, 0.5]);
    expect(await gradient((x) => x.min(), [1, 1, 1, 2])).toEqual([1 / 3, 1 / 3, 1 / 3, 0].map(Math.fround));
    expect(await gradient((x) => x.windowMax(window(2, 2)), [5, 5, 1, 5])).toEqual([1, 0, 0, 1]);
    expect(await gradient((x) => x.windowMax(window(2, 1)), [5, 5, 1])).toEqual([1, 1, 0]);
  });

  it('powers of zero', async () => {
    expect(await gradient((x) => x.pow(1), [0])).toEqual([1]);
    expect(await gradient((x) => x.pow(0), [0, 2])).toEqual([0, 0]);
    expect(await gradient((x) => x.pow(3), [0])).toEqual([0]);
    const [a, b] = [leaf([0, 0, 0, 2]), leaf([0, 2, 0.5, 0])];
    const [ga, gb] = grad(a.pow(b).sum(), [a, b]);
    expect(await ga.array()).toEqual([0, 0, Number.POSITIVE_INFINITY, 0]);
    expect(await gb.array()).toEqual([0, 0, 0, Math.fround(Math.log(2))]);
    const exponent = leaf([2, 0]);
    expect(await grad(tensor(0).pow(exponent).sum(), exponent).array()).toEqual([0, 0]);
  });

  it('what is constant between jumps has gradient 0', async () => {
    for (const fn of [
      (x: Tensor) => x.floor(),
      (x: Tensor) => x.ceil(),
      (x: Tensor) => x.round(),
      (x: Tensor) => x.sign(),
    ]) {
      expect(await gradient(fn, [-1.5, 0, 2.5])).toEqual([0, 0, 0]);
    }
  });

  it('flows through casts between floats in their dtypes, and not through integers', async () => {
    const x = leaf([1.5]);
    const g = grad(x.cast('f64').square().sum(), x);
    expect(g.dtype).toBe('f32');
    expect(await g.array()).toEqual([3]);
    expect(x.cast('i32').requiresGrad).toBe(false);
  });

  it('gives empty tensors empty gradients', async () => {
    for (const fn of [
      (x: Tensor) => x.square(),
      (x: Tensor) => x.pad([1, 0], [0, 0]).sum(),
      (x: Tensor) => x.prod(0),
      (x: Tensor) => x.matmul(x.transpose()),
      (x: Tensor) => x.reshape([3, 0]).exp(),
    ]) {
      const x = tensor(new Float32Array(0), [0, 3], { requiresGrad: true });
      expect(await grad(fn(x).sum(), x).array()).toEqual([]);
    }
    const x = leaf([1, 2]);
    expect(await grad(x.at('1:1').sum().add(x.sum()), x).array()).toEqual([1, 1]);
  });

  it('leaves no permutation behind in the gradient of a transposed weight', () => {
    const w = tensor(
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      null,
      { requiresGrad: true },
    ); // [out, in]
    const g = grad(
      tensor([[1, 2]])
        .matmul(w.transpose())
        .square()
        .sum(),
      w,
    );
    expect(g.node.op).toBe('dot');
    expect(g.shape).toEqual([3, 2]);
  });
});

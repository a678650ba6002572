import { cpu } from '@dl/backend-cpu';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  concat,
  DTypeError,
  full,
  iota,
  ones,
  rand,
  randn,
  ShapeError,
  setBackend,
  setSeed,
  stack,
  tensor,
  ValueError,
  zeros,
} from './index';

describe.each([
  ['reference', referenceBackend],
  ['cpu', cpu],
])('on the %s backend', (_, makeBackend) => {
  beforeAll(async () => setBackend(await makeBackend()));

  describe('creation', () => {
    it('takes nested arrays, numbers, booleans and typed arrays', async () => {
      expect(
        await tensor([
          [1, 2],
          [3, 4],
        ]).array(),
      ).toEqual([
        [1, 2],
        [3, 4],
      ]);
      expect(await tensor(5).item()).toBe(5);
      expect(tensor([true, false]).dtype).toBe('bool');
      expect(await tensor([true, false]).array()).toEqual([true, false]);
      expect(tensor(new Int32Array([1, 2, 3])).dtype).toBe('i32');
      expect(await tensor(new Float64Array(6), [2, 3]).array(2)).toEqual([
        [0, 0, 0],
        [0, 0, 0],
      ]);
    });

    it('names both sizes when data does not fill the shape', () => {
      expect(() => tensor([1, 2, 3], [2, 2])).toThrow('tensor: 3 elements do not fill [2, 2], which has 4');
      expect(() => tensor([[1, 2], [3]])).toThrow(ShapeError);
    });

    it('copies typed arrays', async () => {
      const data = new Float32Array([1, 2]);
      const x = tensor(data);
      data[0] = 9;
      expect(await x.array()).toEqual([1, 2]);
    });

    it('gives the same random numbers whenever they are computed', async () => {
      setSeed(3);
      const [a, b] = [rand([8]), rand([8])];
      const second = await b.array();
      setSeed(3);
      expect(await rand([8]).array()).toEqual(await a.array());
      expect(await rand([8]).array()).toEqual(second);
      const values = (await rand([4000]).data('f32')) as Float32Array;
      expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...values)).toBeLessThan(1);
      expect(values.reduce((s, v) => s + v, 0) / 4000).toBeCloseTo(0.5, 1);
      expect(await randn([4000]).std().item()).toBeCloseTo(1, 1);
    });
  });

  describe('elementwise', () => {
    it('broadcasts from the end', async () => {
      expect(
        await tensor([[1], [2]])
          .add(tensor([10, 20]))
          .array(),
      ).toEqual([
        [11, 21],
        [12, 22],
      ]);
      expect(() => ones([2, 3]).add(ones([2, 4]))).toThrow(
        'add: [2, 3] and [2, 4] do not broadcast (3 ≠ 4 at axis -1)',
      );
    });

    it('lets a number follow the tensor, and refuses a fraction among integers', async () => {
      const x = tensor(new Int32Array([7, -7]));
      expect(x.add(1).dtype).toBe('i32');
      expect(() => x.add(0.5)).toThrow(DTypeError);
      expect(await x.mod(3).array()).toEqual([1, 2]);
      expect(await x.floorDivide(2).array()).toEqual([3, -4]);
      expect(x.div(2).dtype).toBe('f32');
    });

    it('compares with NaN as IEEE 754 does', async () => {
      const x = tensor([Number.NaN, 1]);
      expect(await x.le(1).array()).toEqual([false, true]);
      expect(await x.ne(x).array()).toEqual([true, false]);
      expect(await x.maximum(0).array()).toEqual([Number.NaN, 1]);
      expect(await x.isNaN().array()).toEqual([true, false]);
    });

    it('computes sigmoid without overflow', async () => {
      expect(await tensor([-1000, 0, 1000]).sigmoid().array()).toEqual([0, 0.5, 1]);
    });
  });

  describe('movement', () => {
    const x = tensor([
      [0, 1, 2],
      [3, 4, 5],
    ]);

    it('indexes as NumPy does', async () => {
      expect(await x.at(1).array()).toEqual([3, 4, 5]);
      expect(await x.at(':', -1).array()).toEqual([2, 5]);
      expect(await x.at('...', '1:').array()).toEqual([
        [1, 2],
        [4, 5],
      ]);
      expect(await x.at(':', '::-2').array()).toEqual([
        [2, 0],
        [5, 3],
      ]);
      expect(x.at(null, 0).shape).toEqual([1, 3]);
      expect(await x.at(':', tensor(new Int32Array([2, 0]))).array()).toEqual([
        [2, 0],
        [5, 3],
      ]);
      expect(() => x.at(2)).toThrow('at: index 2 is out of range for axis 0 of [2, 3]');
    });

    it('replaces a region by `with`', async () => {
      expect(await x.with([0, '1:3'], 9).array()).toEqual([
        [0, 9, 9],
        [3, 4, 5],
      ]);
      expect(
        await x
          .with(
            [':', '::-2'],
            tensor([
              [10, 20],
              [30, 40],
            ]),
          )
          .array(),
      ).toEqual([
        [20, 1, 10],
        [40, 4, 30],
      ]);
    });

    it('pads the value and not what is computed from it', async () => {
      expect(await tensor([1, 2]).add(1).pad([1], [1]).array()).toEqual([0, 2, 3, 0]);
    });

    it('splits, joins, repeats and flips', async () => {
      const [a, b] = x.split(1, [1, 2]);
      expect(await concat([b!, a!], 1).array()).toEqual([
        [1, 2, 0],
        [4, 5, 3],
      ]);
      expect(await stack([x.at(0), x.at(1)], 1).array()).toEqual([
        [0, 3],
        [1, 4],
        [2, 5],
      ]);
      expect(await tensor([1, 2]).tile([2, 2]).array()).toEqual([
        [1, 2, 1, 2],
        [1, 2, 1, 2],
      ]);
      expect(await tensor([1, 2]).repeat(0, 2).array()).toEqual([1, 1, 2, 2]);
      expect(await x.flip(1).array()).toEqual([
        [2, 1, 0],
        [5, 4, 3],
      ]);
      expect(x.chunk(1, 2).map((c) => c.shape)).toEqual([
        [2, 2],
        [2, 1],
      ]);
    });

    it('slices at a start that is read at run time', async () => {
      const start = tensor(new Int32Array([1]));
      expect(await tensor([1, 2, 3, 4]).narrow(0, start, 2).array()).toEqual([2, 3]);
      expect(await tensor([8, 9]).place([start], [5]).array()).toEqual([0, 8, 9, 0, 0]);
    });

    it('names what does not fit', () => {
      expect(() => x.reshape([4])).toThrow('reshape: [2, 3] has 6 elements, but [4] has 4');
      expect(() => x.permute([0, 0])).toThrow('not an order of the 2 axes');
      expect(() => x.sum(2)).toThrow('sum: axis 2 is out of range for rank 2');
      expect(() => x.dims(3)).toThrow(ShapeError);
    });
  });

  describe('reductions', () => {
    const x = tensor([
      [1, 5, 3],
      [4, 2, 6],
    ]);

    it('reduces over any axes, and keeps them when asked', async () => {
      expect(await x.sum().item()).toBe(21);
      expect(await x.sum(0).array()).toEqual([5, 7, 9]);
      expect((await x.mean(1, { keepDims: true }).array(2)).map((r) => r[0])).toEqual([3, 4]);
      expect(await x.max(1).array()).toEqual([5, 6]);
      expect(await x.argmax(1).array()).toEqual([1, 2]);
      expect(await x.argmin(0).array()).toEqual([0, 1, 0]);
      expect(await x.variance(1, { correction: 0 }).array()).toEqual([expect.closeTo(8 / 3), expect.closeTo(8 / 3)]);
    });

    it('has identities for what is empty, and an error where there is none', async () => {
      expect(await zeros([0, 2]).sum(0).array()).toEqual([0, 0]);
      expect(await zeros([0, 2]).prod(0).array()).toEqual([1, 1]);
      expect(await zeros([0]).mean().item()).toBeNaN();
      expect(() => zeros([0, 2]).max(0)).toThrow(ValueError);
    });

    it('cumsum goes on from infinity', async () => {
      expect(await tensor([1, Infinity, Infinity, 2]).cumsum(0).array()).toEqual([1, Infinity, Infinity, Infinity]);
    });

    it('keeps softmax finite where logits are large', async () => {
      expect(await tensor([1000, 1000]).softmax(0).array()).toEqual([0.5, 0.5]);
      expect(
        await tensor([[-1e30, 0]])
          .logSoftmax(1)
          .array(),
      ).toEqual([[expect.closeTo(-1e30, -25), 0]]);
    });
  });

  describe('contractions and indexing', () => {
    it('multiplies matrices with NumPy’s rules', async () => {
      const a = tensor([
        [1, 2],
        [3, 4],
      ]);
      expect(await a.matmul(a).add(1).array()).toEqual([
        [8, 11],
        [16, 23],
      ]);
      expect(await a.matmul(tensor([1, 1])).array()).toEqual([3, 7]);
      expect(await tensor([1, 1]).matmul(a).array()).toEqual([4, 6]);
      expect(ones([5, 1, 2, 3]).matmul(ones([4, 3, 2])).shape).toEqual([5, 4, 2, 2]);
      expect(() => ones([32, 128]).matmul(ones([64, 128]))).toThrow(
        'matmul: inner sizes differ: a is [32, 128], b is [64, 128] (128 ≠ 64). Did you mean b.transpose()?',
      );
    });

    it('gathers and scatters', async () => {
      const x = tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]);
      expect(await x.take(0, tensor(new Int32Array([2, 0]))).array()).toEqual([
        [5, 6],
        [1, 2],
      ]);
      const i = tensor(new Int32Array([0, 0, 1]));
      expect(
        await zeros([2])
          .scatterAdd(0, i, tensor([1, 2, 3]))
          .array(),
      ).toEqual([3, 3]);
    });

    it('names the operation when an index is out of range, at the next read', async () => {
      const bad = tensor([1, 2]).take(0, tensor(new Int32Array([5])));
      await expect(bad.data()).rejects.toThrow(/^take in gather: index 5 is outside 0 to 1/);
      const ids = tensor(new Int32Array([2]));
      await expect(tensor([1, 2]).gather(0, ids).data()).rejects.toThrow(/^gather: index 2/);
      await expect(tensor([1, 2]).at(ids).data()).rejects.toThrow(/^at in gather: index 2/);
      const added = tensor([1, 2]).scatterAdd(0, ids, tensor([1]));
      await expect(added.data()).rejects.toThrow(/^scatter.*: index 2/);
    });

    it('sorts stably, with NaN as the largest', async () => {
      const { values, indices } = tensor([2, Number.NaN, 1, 2]).sort(0);
      expect(await values.array()).toEqual([1, 2, 2, Number.NaN]);
      expect(await indices.array()).toEqual([2, 0, 3, 1]);
      expect(await tensor([1, 3, 2]).topk(2).values.array()).toEqual([3, 2]);
      expect(await tensor([1, 2, 3]).cumsum(0).array()).toEqual([1, 3, 6]);
      expect(await tensor([2, 0, 3]).cumprod(0).array()).toEqual([2, 0, 0]);
    });
  });

  describe('a tensor is not a number', () => {
    it('refuses strings, sums and clones', async () => {
      const x = full([2], 1);
      expect(() => `${x as unknown as string}`).toThrow(DTypeError);
      expect(() => structuredClone(x)).toThrow();
      await expect(x.data('i32')).rejects.toThrow('data: i32 was asked for, but the tensor is f32');
      expect(String(iota([2], 0)[Symbol.toStringTag])).toBe('Tensor i32 [2]');
    });
  });
});

import { type TypedArray, ValueError } from '@dl/tensor';
import { describe, expect, it } from 'vitest';
import { ArrayDataset } from './array-dataset';
import type { Dataset } from './dataset';
import { map, subset, take } from './views';

const numbers = new ArrayDataset([{ data: Float32Array.from([0, 10, 20, 30, 40]) }]);

const values = (dataset: Dataset<unknown>, epoch = 0): number[] => {
  const into = new Float32Array(dataset.length);
  for (let i = 0; i < dataset.length; i++) dataset.copy(i, [into], i, epoch);
  return [...into];
};

describe('subset and take', () => {
  it('give the samples asked for, in order, also twice, also of a subset', () => {
    expect(values(subset(numbers, [3, 1, 1]))).toEqual([30, 10, 10]);
    expect(values(subset(subset(numbers, [3, 1, 4]), [2, 0]))).toEqual([40, 30]);
    expect(values(take(numbers, 2))).toEqual([0, 10]);
    expect(take(numbers, 0).length).toBe(0);
  });

  it('do not follow later changes of the indices', () => {
    const indices = [1, 2];
    const some = subset(numbers, indices);
    indices[0] = 4;
    expect(values(some)).toEqual([10, 20]);
  });

  it('refuse samples that are not there', () => {
    expect(() => subset(numbers, [0, 5])).toThrow('subset: there is no sample 5; there are 5, from 0 on');
    expect(() => subset(numbers, [0.5])).toThrow(ValueError);
    expect(() => take(numbers, 6)).toThrow("take: count is an integer from 0 to 5, the dataset's length, not 6");
    expect(() => subset(numbers, [0]).copy(1, [new Float32Array(1)], 0, 0)).toThrow('there is no sample 1');
  });
});

describe('map', () => {
  const noisy = map(numbers, ([x], random) => {
    x![0]! += random.uniform();
  });

  it('changes samples, and not the dataset under it', () => {
    const doubled = map(numbers, ([x]) => {
      x![0]! *= 2;
    });
    expect(values(doubled)).toEqual([0, 20, 40, 60, 80]);
    expect(values(numbers)).toEqual([0, 10, 20, 30, 40]);
    expect(values(map(doubled, ([x]) => void (x![0]! += 1)))).toEqual([1, 21, 41, 61, 81]);
  });

  it('draws the same for the same epoch and index, in any order, and else differs', () => {
    const first = values(noisy, 0);
    const again = new Float32Array(1);
    noisy.copy(3, [again], 0, 0);
    expect(again[0]).toBe(first[3]);
    expect(values(noisy, 0)).toEqual(first);
    expect(values(noisy, 1)).not.toEqual(first);
    const noises = first.map((value, i) => value - 10 * i);
    expect(new Set(noises.map((noise) => noise.toFixed(3))).size).toBeGreaterThan(1);
    const otherSeed = map(numbers, ([x], random) => void (x![0]! += random.uniform()), { seed: 1 });
    expect(values(otherSeed)).not.toEqual(first);
  });

  it('can make samples of another shape and dtype', () => {
    const fields = [{ name: 'pair', dtype: 'i32', shape: [2] }] as const;
    const pairs = map(numbers, ([x], _random, [out]) => out!.set([x![0]!, x![0]! + 1]), { fields });
    expect(pairs.fields).toBe(fields);
    const into: TypedArray = new Int32Array(4);
    pairs.copy(2, [into], 1, 0);
    expect([...into]).toEqual([0, 0, 20, 21]);
    expect(() => map(numbers, () => undefined, { fields: [] })).toThrow('the dataset has 1, but 0 are given');
  });
});

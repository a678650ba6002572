import { describe, expect, it } from 'vitest';
import { Dims } from './dims';

const sizes = (dims: Dims, lists: readonly (readonly number[] | null)[]): (number[] | null)[] =>
  lists.map((list) => list && dims.resolve(list).map((d) => dims.size(d)));

describe('dimensions', () => {
  it('an axis of size 1 is made of none', () => {
    expect(new Dims().ofShape([2, 1, 3]).map((list) => list.length)).toEqual([1, 0, 1]);
  });

  it('a reshape that merges and one that splits undo each other', () => {
    const dims = new Dims();
    const coords = dims.ofShape([2, 3, 4]);
    const merged = dims.regroup([2, 3, 4], [6, 4], coords);
    expect(sizes(dims, merged)).toEqual([[2, 3], [4]]);
    expect(dims.regroup([6, 4], [2, 3, 4], merged)).toEqual(coords);
  });

  it('a reshape that cuts through a dimension splits it for all who know it', () => {
    const dims = new Dims();
    const coords = dims.ofShape([12]);
    expect(sizes(dims, dims.regroup([12], [3, 4], coords))).toEqual([[3], [4]]);
    expect(sizes(dims, coords)).toEqual([[3, 4]]);
  });

  it('a reshape across dimensions that do not nest is unknown there, and only there', () => {
    const dims = new Dims();
    const coords = dims.ofShape([5, 4, 3]);
    expect(sizes(dims, dims.regroup([5, 4, 3], [5, 6, 2], coords))).toEqual([[5], null, null]);
  });

  it('aligns two ways to cut one run', () => {
    const dims = new Dims();
    const [a, b] = [dims.ofShape([4, 6]).flat(), dims.ofShape([2, 12]).flat()];
    const aligned = dims.align(a, b)!;
    expect(sizes(dims, aligned)).toEqual([
      [2, 2, 6],
      [2, 2, 6],
    ]);
    expect(dims.align(dims.ofShape([4]).flat(), dims.ofShape([6]).flat())).toBe(null);
  });

  it('pairs each dimension with one other', () => {
    const dims = new Dims();
    const [a, b, c] = dims.ofShape([3, 3, 3]).flat() as [number, number, number];
    dims.beginMatch();
    expect([dims.pair(a, b), dims.pair(a, b), dims.pair(a, c), dims.pair(c, b)]).toEqual([true, true, false, false]);
    dims.beginMatch();
    expect(dims.pair(a, c)).toBe(true);
  });
});

import { DTypeError, ShapeError, type TypedArray, ValueError } from '@dl/tensor';
import { describe, expect, it } from 'vitest';
import { ArrayDataset, type Column } from './array-dataset';

/** What one column becomes in a batch of samples 2 and 0, at places 0 and 1. */
function batchOf(column: Column, into: TypedArray): number[] {
  const dataset = new ArrayDataset([column]);
  dataset.copy(2, [into], 0);
  dataset.copy(0, [into], 1);
  return [...into];
}

describe('ArrayDataset', () => {
  it('copies a sample into its place in the batch', () => {
    const data = Float32Array.from([0, 1, 2, 3, 4, 5]);
    expect(batchOf({ data, shape: [3, 2] }, new Float32Array(4))).toEqual([4, 5, 0, 1]);
    expect(batchOf({ data: Int32Array.from([7, 8, 9]) }, new Int32Array(2))).toEqual([9, 7]);
  });

  it('converts between types', () => {
    const bytes = Uint8Array.from([1, 0, 255]);
    expect(batchOf({ data: bytes, dtype: 'f32' }, new Float32Array(2))).toEqual([255, 1]);
    expect(batchOf({ data: bytes, dtype: 'i32' }, new Int32Array(2))).toEqual([255, 1]);
    expect(batchOf({ data: bytes, dtype: 'bool' }, new Uint8Array(2))).toEqual([1, 1]);
    expect(batchOf({ data: Int8Array.from([-1, 0, 3]) }, new Int32Array(2))).toEqual([3, -1]);
  });

  it('normalises bytes by 255 and other numbers as they are', () => {
    const normalize = { mean: 0.5, std: 0.25 };
    expect(batchOf({ data: Uint8Array.from([0, 1, 255]), normalize }, new Float32Array(2))).toEqual([2, -2]);
    expect(batchOf({ data: Int16Array.from([0, 1, 3]), normalize }, new Float32Array(2))).toEqual([10, -2]);
    expect(batchOf({ data: new Float64Array([0, 1, 3]), normalize, dtype: 'f64' }, new Float64Array(2))).toEqual([
      10, -2,
    ]);
  });

  it('describes its fields', () => {
    const x = { data: new Uint8Array(12), shape: [3, 2, 2], normalize: {} };
    expect(new ArrayDataset([x, { data: new Int16Array(3), name: 'label' }]).fields).toEqual([
      { name: 'field 0', dtype: 'f32', shape: [2, 2] },
      { name: 'label', dtype: 'i32', shape: [] },
    ]);
    expect(new ArrayDataset({ image: x }).fields[0]!.name).toBe('image');
  });

  it('may be empty of samples, or have samples of no elements', () => {
    expect(new ArrayDataset([{ data: new Float32Array(0), shape: [0, 5] }]).length).toBe(0);
    const hollow = new ArrayDataset([{ data: new Float32Array(0), shape: [3, 0] }]);
    expect(hollow.length).toBe(3);
    hollow.copy(2, [new Float32Array(0)], 0);
  });

  it('refuses columns that do not fit', () => {
    expect(() => new ArrayDataset([{ data: new Float32Array(5), shape: [2, 3] }])).toThrow(ShapeError);
    expect(() => new ArrayDataset([{ data: new Float32Array(5), shape: [2, 3] }])).toThrow(
      "ArrayDataset: the shape of 'field 0' does not fit its elements: [2, 3] holds 6, but there are 5",
    );
    expect(() => new ArrayDataset([{ data: new Float32Array(1), shape: [] }])).toThrow('lacks the axis of samples');
    expect(() => new ArrayDataset({ x: { data: new Float32Array(2) }, y: { data: new Float32Array(3) } })).toThrow(
      "ArrayDataset: columns differ in length: 'x' has 2 samples, 'y' has 3",
    );
    expect(() => new ArrayDataset([])).toThrow(ValueError);
  });

  it('refuses conversions that make no sense', () => {
    const data = new Float32Array(1);
    expect(() => new ArrayDataset([{ data, normalize: { std: 0 } }])).toThrow(
      'a std other than 0, but scale is 1, mean 0, std 0',
    );
    expect(() => new ArrayDataset([{ data, normalize: { mean: Number.NaN } }])).toThrow(ValueError);
    expect(() => new ArrayDataset([{ data, normalize: {}, dtype: 'i32' }])).toThrow(DTypeError);
    expect(() => new ArrayDataset([{ data, dtype: 'f16' }])).toThrow(DTypeError);
  });

  it('refuses an index outside', () => {
    const dataset = new ArrayDataset([{ data: new Float32Array(2) }]);
    for (const index of [-1, 2, Number.NaN]) {
      expect(() => dataset.copy(index, [new Float32Array(1)], 0)).toThrow(`there is no sample ${index}; there are 2`);
    }
  });
});

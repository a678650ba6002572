import type { Contraction, Expr } from '@dl/tensor';
import { describe, expect, test } from 'vitest';
import { quadAxes } from './quads';

const times = (index: number, size: number, factor: number): Expr => {
  const term: Expr = { kind: 'var', index, size };
  return factor === 1 ? term : { kind: 'mul', term, factor };
};
const sum = (...terms: Expr[]): Expr => ({ kind: 'add', terms });

/** A product of m × k by k × n whose operands are at these places. */
const product = (
  [m, n, k]: readonly [number, number, number],
  lhs: Expr,
  rhs: Expr,
  bounds: Contraction['lhs']['bounds'] = [],
): Contraction => ({
  kind: 'contraction',
  dtype: 'f32',
  batch: [],
  m: [m],
  n: [n],
  k: [k],
  lhs: { binding: 0, index: lhs, bounds },
  rhs: { binding: 1, index: rhs, bounds: [] },
  out: 2,
});

describe('where an operand is read in fours', () => {
  test('along k in the rows of the left, along n in those of the right', () => {
    const plain = product([5, 12, 8], sum(times(0, 5, 8), times(2, 8, 1)), sum(times(2, 8, 12), times(1, 12, 1)));
    expect(quadAxes(plain)).toEqual({ lhs: 'k', rhs: 'own' });
  });

  test('along m and along k where both are transposed', () => {
    const turned = product([4, 5, 8], sum(times(2, 8, 4), times(0, 4, 1)), sum(times(1, 5, 8), times(2, 8, 1)));
    expect(quadAxes(turned)).toEqual({ lhs: 'own', rhs: 'k' });
  });

  test('not where rows, or the axis itself, are no multiple of 4', () => {
    const odd = product([4, 6, 8], sum(times(0, 4, 9), times(2, 8, 1)), sum(times(2, 8, 6), times(1, 6, 1)));
    expect(quadAxes(odd)).toEqual({ lhs: null, rhs: null });
  });

  test('not from an offset that is no multiple of 4, or known only at run time', () => {
    const row = sum(times(0, 4, 8), times(2, 8, 1));
    const shifted = sum(row, { kind: 'const', value: 2 });
    const sliced = sum(row, { kind: 'param', index: 0, min: 0, max: 4 });
    expect(quadAxes(product([4, 4, 8], shifted, times(2, 8, 4))).lhs).toBe(null);
    expect(quadAxes(product([4, 4, 8], sliced, times(2, 8, 4))).lhs).toBe(null);
  });

  test('not where a part of the four may be padding, nor where memory runs along an axis that is not the fastest', () => {
    const row = sum(times(0, 4, 8), times(2, 8, 1));
    const bounds = [{ term: times(2, 8, 1), min: 1, end: 8 }];
    expect(quadAxes(product([4, 4, 8], row, row, bounds)).lhs).toBe(null);
    const slow: Contraction = {
      ...product([4, 4, 8], row, row),
      k: [8, 3],
      lhs: { binding: 0, index: row, bounds: [] },
    };
    expect(quadAxes(slow).lhs).toBe(null);
  });
});

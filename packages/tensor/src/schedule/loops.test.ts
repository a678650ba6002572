import { describe, expect, it } from 'vitest';
import { add, constant, div, linear, mod, variable } from '../index/simplify';
import { canonicalNest, withLead } from './loops';

describe('canonical loops', () => {
  const [a, b, c] = [variable(0, 2), variable(1, 3), variable(2, 4)];

  it('are one loop where every index runs through them as one', () => {
    const nest = canonicalNest({
      groups: [[2, 3, 4]],
      exprs: [linear([a, b, c], [12, 4, 1]), linear([a, b, c], [36, 12, 3])],
    });
    expect(nest).toEqual({ groups: [[24]], exprs: [variable(0, 24), linear([variable(0, 24)], [3])] });
  });

  it('collapse as far as strides allow', () => {
    const nest = canonicalNest({ groups: [[2, 3, 4]], exprs: [linear([a, b, c], [20, 4, 1])] });
    expect(nest.groups).toEqual([[2, 12]]);
  });

  it('never collapse across groups, nor the pinned loop', () => {
    const index = linear([a, b, c], [12, 4, 1]);
    expect(canonicalNest({ groups: [[2, 3], [4]], exprs: [index] }).groups).toEqual([[6], [4]]);
    expect(canonicalNest({ groups: [[2, 3, 4]], exprs: [index] }, 1).groups).toEqual([[2, 12]]);
  });

  it('lose loops of size 1', () => {
    expect(canonicalNest({ groups: [[1, 5, 1]], exprs: [variable(1, 5)] })).toEqual({
      groups: [[5]],
      exprs: [variable(0, 5)],
    });
  });

  it('split a variable that is only divided', () => {
    const v = variable(0, 12);
    const nest = canonicalNest({ groups: [[12]], exprs: [linear([div(v, 4), mod(v, 4)], [1, 3])] });
    expect(nest).toEqual({ groups: [[3, 4]], exprs: [linear([variable(0, 3), variable(1, 4)], [1, 3])] });
  });

  it('keep what lies within a division', () => {
    const run = add(linear([a, b], [3, 1]), constant(1));
    const nest = canonicalNest({ groups: [[2, 3]], exprs: [div(run, 4)] });
    expect(nest).toEqual({ groups: [[6]], exprs: [div(add(variable(0, 6), constant(1)), 4)] });
  });

  it('lead with a loop of a wanted size, merged or split', () => {
    const index = linear([a, b, c], [12, 4, 1]);
    expect(withLead({ groups: [[2, 3, 4]], exprs: [index] }, 6)?.groups).toEqual([[1, 6, 4]]);
    expect(withLead({ groups: [[2, 3, 4]], exprs: [linear([a, b, c], [20, 4, 1])] }, 6)).toBe(null);
    expect(withLead({ groups: [[12]], exprs: [variable(0, 12)] }, 3)?.groups).toEqual([[3, 4]]);
  });
});

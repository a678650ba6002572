import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Expr } from './expression';
import {
  add,
  constant,
  decideBound,
  div,
  evaluate,
  linear,
  maxOf,
  minOf,
  mod,
  mul,
  parameter,
  sameExpr,
  substitute,
  variable,
} from './simplify';

/** An expression without simplification, and how it simplifies. */
type Plain =
  | { kind: 'const'; value: number }
  | { kind: 'var'; index: number }
  | { kind: 'param' }
  | { kind: 'add'; a: Plain; b: Plain }
  | { kind: 'mul' | 'div' | 'mod'; a: Plain; by: number };

const sizes = [2, 3, 4, 6];
const paramRange = [-3, 5] as const;

const { plain } = fc.letrec<{ plain: Plain }>((tie) => ({
  plain: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.record({ kind: fc.constant('var' as const), index: fc.nat(sizes.length - 1) }),
    fc.record({ kind: fc.constant('const' as const), value: fc.integer({ min: -20, max: 20 }) }),
    fc.record({ kind: fc.constant('param' as const) }),
    fc.record({ kind: fc.constant('add' as const), a: tie('plain'), b: tie('plain') }),
    fc.record({ kind: fc.constant('mul' as const), a: tie('plain'), by: fc.integer({ min: -6, max: 12 }) }),
    fc.record({
      kind: fc.constantFrom('div' as const, 'mod' as const),
      a: tie('plain'),
      by: fc.constantFrom(1, 2, 3, 4, 6, 8, 12, 24),
    }),
  ),
}));

function value(p: Plain, vars: number[], param: number): number {
  switch (p.kind) {
    case 'const':
      return p.value;
    case 'var':
      return vars[p.index]!;
    case 'param':
      return param;
    case 'add':
      return value(p.a, vars, param) + value(p.b, vars, param);
    case 'mul':
      return value(p.a, vars, param) * p.by;
    case 'div':
      return Math.floor(value(p.a, vars, param) / p.by);
    case 'mod': {
      const a = value(p.a, vars, param);
      return a - Math.floor(a / p.by) * p.by;
    }
  }
}

function built(p: Plain): Expr {
  switch (p.kind) {
    case 'const':
      return constant(p.value);
    case 'var':
      return variable(p.index, sizes[p.index]!);
    case 'param':
      return parameter(0, ...paramRange);
    case 'add':
      return add(built(p.a), built(p.b));
    case 'mul':
      return mul(built(p.a), p.by);
    case 'div':
      return div(built(p.a), p.by);
    case 'mod':
      return mod(built(p.a), p.by);
  }
}

function* points(): Generator<[number[], number]> {
  const all = sizes.reduce((a, b) => a * b, 1);
  for (let i = 0; i < all; i += 1) {
    let rest = i;
    const vars = sizes.map((n) => {
      const v = rest % n;
      rest = Math.floor(rest / n);
      return v;
    });
    yield [vars, paramRange[0] + (i % (paramRange[1] - paramRange[0] + 1))];
  }
}

describe('index simplifier', () => {
  it('keeps the value of random expressions at every point, and its ranges hold', () => {
    fc.assert(
      fc.property(plain, (p) => {
        const e = built(p);
        const low = minOf(e);
        const high = maxOf(e);
        for (const [vars, param] of points()) {
          const expected = value(p, vars, param) + 0;
          expect(evaluate(e, vars, [param]) + 0).toBe(expected);
          expect(expected).toBeGreaterThanOrEqual(low);
          expect(expected).toBeLessThanOrEqual(high);
        }
      }),
      { numRuns: 600 },
    );
  });

  it('keeps the value under substitution', () => {
    fc.assert(
      fc.property(plain, plain, (p, q) => {
        const e = substitute(built(p), (i, n) => (i === 0 ? mod(built(q), n) : variable(i, n)));
        for (const [vars, param] of points()) {
          const n = sizes[0]!;
          const inner = value(q, vars, param);
          const expected = value(p, [inner - Math.floor(inner / n) * n, ...vars.slice(1)], param) + 0;
          expect(evaluate(e, vars, [param]) + 0).toBe(expected);
        }
      }),
      { numRuns: 200 },
    );
  });

  const a = variable(0, 5);
  const b = variable(1, 4);
  const c = variable(2, 3);
  const flat = linear([a, b, c], [12, 3, 1]);

  it('undoes a reshape that splits what another merged', () => {
    expect(div(flat, 12)).toEqual(a);
    expect(mod(div(flat, 3), 4)).toEqual(b);
    expect(mod(flat, 3)).toEqual(c);
    expect(div(mod(flat, 12), 3)).toEqual(b);
  });

  it('joins the quotient and remainder of one division', () => {
    const v = variable(0, 60);
    const parts = linear([div(v, 12), mod(div(v, 3), 4), mod(v, 3)], [12, 3, 1]);
    expect(parts).toEqual(v);
  });

  it('takes common factors out of a division', () => {
    expect(div(linear([a, b], [6, 3], 2), 6)).toEqual(add(a, div(b, 2)));
    expect(mod(linear([b, c], [3, 1]), 6)).toEqual(add(mul(mod(b, 2), 3), c));
  });

  it('floors for negative operands', () => {
    expect(div(constant(-7), 2)).toEqual(constant(-4));
    expect(mod(constant(-7), 4)).toEqual(constant(1));
    expect(evaluate(div(add(a, constant(-3)), 2), [0], [])).toBe(-2);
  });

  it('brings terms into one order', () => {
    expect(sameExpr(add(mul(b, 2), a), add(a, mul(b, 2)))).toBe(true);
    expect(add(mul(a, 2), mul(a, -2))).toEqual(constant(0));
  });

  it('decides bounds from ranges', () => {
    expect(decideBound({ term: a, min: 0, end: 5 })).toBe(true);
    expect(decideBound({ term: add(a, constant(5)), min: 0, end: 5 })).toBe(false);
    expect(decideBound({ term: add(a, constant(-1)), min: 0, end: 5 })).toBe(undefined);
  });
});

/** Index expressions, bounds and accesses as functions of the loop variables: the plainest reading of kernel.ts. */
import { type Access, BackendError, type Bound, type Expr } from '@dl/tensor';

/** What an expression may depend on while a kernel runs. */
export interface Point {
  /** Values of the loop variables. */
  readonly vars: number[];
  /** Values of the kernel's parameters. */
  readonly params: readonly number[];
}

export type IndexFunction = (at: Point) => number;

const floorMod = (a: number, b: number): number => a - Math.floor(a / b) * b;

/** An expression as a function. Division and remainder floor. */
export function indexFunction(expr: Expr): IndexFunction {
  switch (expr.kind) {
    case 'const':
      return () => expr.value;
    case 'var':
      return (at) => at.vars[expr.index]!;
    case 'param':
      return (at) => at.params[expr.index]!;
    case 'add': {
      const terms = expr.terms.map(indexFunction);
      return (at) => terms.reduce((total, term) => total + term(at), 0);
    }
    case 'mul': {
      const term = indexFunction(expr.term);
      return (at) => term(at) * expr.factor;
    }
    case 'div': {
      const term = indexFunction(expr.term);
      return (at) => Math.floor(term(at) / expr.divisor);
    }
    case 'mod': {
      const term = indexFunction(expr.term);
      return (at) => floorMod(term(at), expr.divisor);
    }
    default:
      return expr satisfies never;
  }
}

/** Whether all of the bounds hold at a point. */
export function boundsFunction(bounds: readonly Bound[]): (at: Point) => boolean {
  const tests = bounds.map(({ term, min, end }) => ({ term: indexFunction(term), min, end }));
  return (at) =>
    tests.every(({ term, min, end }) => {
      const value = term(at);
      return value >= min && value < end;
    });
}

/** Calls `visit` for an expression and all its parts. */
export function visitExpr(expr: Expr, visit: (part: Expr) => void): void {
  visit(expr);
  if (expr.kind === 'add') for (const term of expr.terms) visitExpr(term, visit);
  if (expr.kind === 'mul' || expr.kind === 'div' || expr.kind === 'mod') visitExpr(expr.term, visit);
}

/** All expressions of an access: its index and the terms of its bounds. */
export const accessExprs = (access: Access): Expr[] => [access.index, ...access.bounds.map((b) => b.term)];

/** The numbers of the loop variables that expressions mention. */
export function variablesOf(exprs: readonly Expr[]): Set<number> {
  const found = new Set<number>();
  for (const expr of exprs) visitExpr(expr, (part) => part.kind === 'var' && found.add(part.index));
  return found;
}

/** Checks that each variable is an axis of the space with the size it claims, and each parameter exists. */
export function checkExprs(what: string, exprs: readonly Expr[], space: readonly number[], params: number): void {
  const check = (part: Expr): void => {
    if (part.kind === 'var' && space[part.index] !== part.size) {
      throw new BackendError(
        `${what}: variable ${part.index} claims size ${part.size}, but the space is [${space.join(', ')}].`,
      );
    }
    if (part.kind === 'param' && part.index >= params) {
      throw new BackendError(`${what}: parameter ${part.index} does not exist; the kernel has ${params}.`);
    }
    if ((part.kind === 'div' || part.kind === 'mod') && !(part.divisor > 0)) {
      throw new BackendError(`${what}: divides by ${part.divisor}; divisors are positive.`);
    }
  };
  for (const expr of exprs) visitExpr(expr, check);
}

/** Steps through all positions of `sizes`, the last axis fastest, as variables `from`, `from + 1`, … */
export function forEachPoint(
  vars: number[],
  from: number,
  sizes: readonly number[],
  body: (flat: number) => void,
): void {
  const count = sizes.reduce((a, b) => a * b, 1);
  for (let flat = 0; flat < count; flat++) {
    let rest = flat;
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      vars[from + axis] = rest % sizes[axis]!;
      rest = Math.floor(rest / sizes[axis]!);
    }
    body(flat);
  }
}

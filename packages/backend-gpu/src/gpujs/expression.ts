/** Index expressions: rendered as JavaScript, renumbered, and asked for their variables. */
import type { Access, Bound, Expr } from '@dl/tensor';

/** How a place in the source is named, and how it divides; both floor. */
export interface ExprNames {
  variable(index: number): string;
  param(index: number): string;
  quotient(dividend: string, divisor: number): string;
}

/** A whole number in source, with brackets where a sign would join the operator before it. */
const whole = (value: number): string => (value < 0 ? `(${value})` : `${value}`);

export function renderExpr(expr: Expr, names: ExprNames): string {
  const render = (part: Expr): string => renderExpr(part, names);
  switch (expr.kind) {
    case 'const':
      return whole(expr.value);
    case 'var':
      return names.variable(expr.index);
    case 'param':
      return names.param(expr.index);
    case 'add':
      return `(${expr.terms.map(render).join(' + ')})`;
    case 'mul':
      return `(${render(expr.term)} * ${whole(expr.factor)})`;
    case 'div':
      return names.quotient(render(expr.term), expr.divisor);
    case 'mod': {
      const term = render(expr.term);
      return `(${term} - ${names.quotient(term, expr.divisor)} * ${expr.divisor})`;
    }
    default:
      return expr satisfies never;
  }
}

/** The condition that all bounds hold; empty if there are none. */
export const renderBounds = (bounds: readonly Bound[], names: ExprNames): string =>
  bounds
    .map(({ term, min, end }) => {
      const value = renderExpr(term, names);
      return `${value} >= ${whole(min)} && ${value} < ${whole(end)}`;
    })
    .join(' && ');

export function visitExpr(expr: Expr, visit: (part: Expr) => void): void {
  visit(expr);
  if (expr.kind === 'add') for (const term of expr.terms) visitExpr(term, visit);
  if (expr.kind === 'mul' || expr.kind === 'div' || expr.kind === 'mod') visitExpr(expr.term, visit);
}

export const accessExprs = ({ index, bounds }: Access): Expr[] => [index, ...bounds.map((b) => b.term)];

/** The expression with each variable replaced by another variable, which has the same size. */
export function renumber(expr: Expr, to: (index: number) => number): Expr {
  switch (expr.kind) {
    case 'const':
    case 'param':
      return expr;
    case 'var':
      return { ...expr, index: to(expr.index) };
    case 'add':
      return { ...expr, terms: expr.terms.map((term) => renumber(term, to)) };
    case 'mul':
    case 'div':
    case 'mod':
      return { ...expr, term: renumber(expr.term, to) };
    default:
      return expr satisfies never;
  }
}

export const renumberAccess = (access: Access, to: (index: number) => number): Access => ({
  ...access,
  index: renumber(access.index, to),
  bounds: access.bounds.map((b) => ({ ...b, term: renumber(b.term, to) })),
});

/** A variable of a space; 0 on an axis of one place, which has none. */
export const variableOf = (sizes: readonly number[], index: number): Expr =>
  sizes[index] === 1 ? { kind: 'const', value: 0 } : { kind: 'var', index, size: sizes[index]! };

/** The row-major place of a point of a space. */
export function flatIndex(sizes: readonly number[]): Expr {
  const terms: Expr[] = [];
  let stride = 1;
  for (let index = sizes.length - 1; index >= 0; index--) {
    const size = sizes[index]!;
    if (size !== 1) {
      const variable = variableOf(sizes, index);
      terms.unshift(stride === 1 ? variable : { kind: 'mul', term: variable, factor: stride });
    }
    stride *= size;
  }
  if (terms.length === 0) return { kind: 'const', value: 0 };
  return terms.length === 1 ? terms[0]! : { kind: 'add', terms };
}

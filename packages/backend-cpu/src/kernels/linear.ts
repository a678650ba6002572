/*
 * Index expressions in the form that address code is written from: a constant plus factors times atoms, where an atom
 * is a loop variable, a parameter, or a floored division or remainder of such a sum. A sum knows which loop variables
 * it depends on (a bit each), so that the nest can place every part at the outermost loop where it is known.
 */
import type { Bound, Expr } from '@dl/tensor';

export type Atom =
  | { readonly kind: 'var'; readonly index: number; readonly size: number }
  | { readonly kind: 'param'; readonly index: number; readonly min: number; readonly max: number }
  | { readonly kind: 'div' | 'mod'; readonly of: Linear; readonly divisor: number };

export interface Term {
  readonly atom: Atom;
  readonly factor: number;
}

/** constant + Σ factor · atom. */
export interface Linear {
  readonly constant: number;
  readonly terms: readonly Term[];
  /** Bit v is set where variable v occurs. */
  readonly mask: number;
}

/** True where min ≤ term < end. */
export interface Limit {
  readonly term: Linear;
  readonly min: number;
  readonly end: number;
}

export const zero: Linear = { constant: 0, terms: [], mask: 0 };

export const constant = (value: number): Linear => ({ constant: value, terms: [], mask: 0 });

export const atomMask = (atom: Atom): number =>
  atom.kind === 'var' ? 1 << atom.index : atom.kind === 'param' ? 0 : atom.of.mask;

/** Collects terms: equal variables and parameters are merged, zero factors dropped. */
export function linear(value: number, terms: readonly Term[]): Linear {
  const merged: Term[] = [];
  for (const term of terms) {
    const { atom } = term;
    const at = atom.kind === 'div' || atom.kind === 'mod' ? -1 : merged.findIndex((m) => sameLeaf(m.atom, atom));
    if (at < 0) merged.push(term);
    else merged[at] = { atom, factor: merged[at]!.factor + term.factor };
  }
  const kept = merged.filter((t) => t.factor !== 0);
  let mask = 0;
  for (const t of kept) mask |= atomMask(t.atom);
  return { constant: value, terms: kept, mask };
}

const sameLeaf = (a: Atom, b: Atom): boolean =>
  (a.kind === 'var' || a.kind === 'param') && a.kind === b.kind && a.index === b.index;

export const scaled = (sum: Linear, factor: number): Linear =>
  factor === 1
    ? sum
    : linear(
        sum.constant * factor,
        sum.terms.map((t) => ({ atom: t.atom, factor: t.factor * factor })),
      );

export const plus = (a: Linear, b: Linear): Linear => linear(a.constant + b.constant, [...a.terms, ...b.terms]);

/** The factor of a loop variable outside divisions and remainders. */
export function factorOf(sum: Linear, variable: number): number {
  for (const t of sum.terms) if (t.atom.kind === 'var' && t.atom.index === variable) return t.factor;
  return 0;
}

/** Whether a loop variable occurs inside a division or remainder. */
export const isCurved = (sum: Linear, variable: number): boolean =>
  sum.terms.some((t) => t.atom.kind !== 'var' && (atomMask(t.atom) & (1 << variable)) !== 0);

/** Smallest and largest value. */
export function rangeOf(sum: Linear): readonly [number, number] {
  let low = sum.constant;
  let high = sum.constant;
  for (const { atom, factor } of sum.terms) {
    const [min, max] = atomRange(atom);
    low += factor * (factor > 0 ? min : max);
    high += factor * (factor > 0 ? max : min);
  }
  return [low, high];
}

function atomRange(atom: Atom): readonly [number, number] {
  if (atom.kind === 'var') return [0, Math.max(0, atom.size - 1)];
  if (atom.kind === 'param') return [atom.min, atom.max];
  const [min, max] = rangeOf(atom.of);
  const low = Math.floor(min / atom.divisor);
  const high = Math.floor(max / atom.divisor);
  if (atom.kind === 'div') return [low, high];
  return low === high ? [min - low * atom.divisor, max - low * atom.divisor] : [0, atom.divisor - 1];
}

/** Puts a sum in the place of every loop variable; `null` leaves a variable as it is. */
export function substitute(sum: Linear, by: (variable: number) => Linear | null): Linear {
  let result: Linear = constant(sum.constant);
  for (const { atom, factor } of sum.terms) {
    let value: Linear;
    if (atom.kind === 'var') value = by(atom.index) ?? linear(0, [{ atom, factor: 1 }]);
    else if (atom.kind === 'param') value = linear(0, [{ atom, factor: 1 }]);
    else value = quotient(atom.kind, substitute(atom.of, by), atom.divisor);
    result = plus(result, scaled(value, factor));
  }
  return result;
}

/** Floored division or remainder, computed at once where the value is known or does not change. */
export function quotient(kind: 'div' | 'mod', of: Linear, divisor: number): Linear {
  const [min, max] = rangeOf(of);
  const low = Math.floor(min / divisor);
  if (low === Math.floor(max / divisor)) {
    return kind === 'div' ? constant(low) : plus(of, constant(-low * divisor));
  }
  const divides = of.constant % divisor === 0 && of.terms.every((t) => t.factor % divisor === 0);
  if (divides) return kind === 'mod' ? zero : scaledDown(of, divisor);
  return linear(0, [{ atom: { kind, of, divisor }, factor: 1 }]);
}

const scaledDown = (of: Linear, divisor: number): Linear =>
  linear(
    of.constant / divisor,
    of.terms.map((t) => ({ atom: t.atom, factor: t.factor / divisor })),
  );

/** The sum of an expression. */
export function linearOf(expr: Expr): Linear {
  switch (expr.kind) {
    case 'const':
      return constant(expr.value);
    case 'var':
      return expr.size <= 1 ? zero : linear(0, [{ atom: expr, factor: 1 }]);
    case 'param':
      return linear(0, [{ atom: expr, factor: 1 }]);
    case 'add':
      return expr.terms.map(linearOf).reduce(plus, zero);
    case 'mul':
      return scaled(linearOf(expr.term), expr.factor);
    case 'div':
    case 'mod':
      return quotient(expr.kind, linearOf(expr.term), expr.divisor);
  }
}

/** Bounds as sums, without those that always hold; `null` where one never holds. */
export function limitsOf(bounds: readonly Bound[]): Limit[] | null {
  return simplifyLimits(bounds.map((b) => ({ term: linearOf(b.term), min: b.min, end: b.end })));
}

/** Drops the limits that always hold; `null` where one never holds. */
export function simplifyLimits(limits: readonly Limit[]): Limit[] | null {
  const kept: Limit[] = [];
  for (const limit of limits) {
    const [min, max] = rangeOf(limit.term);
    if (min >= limit.min && max < limit.end) continue;
    if (max < limit.min || min >= limit.end || limit.end <= limit.min) return null;
    kept.push(limit);
  }
  return kept;
}

/** Whether `outer` and `inner` occur in a sum only as outer · size + inner. */
export function walksAsOne(sum: Linear, outer: number, inner: number, size: number): boolean {
  if (factorOf(sum, outer) !== factorOf(sum, inner) * size) return false;
  return sum.terms.every(
    ({ atom }) => (atom.kind !== 'div' && atom.kind !== 'mod') || walksAsOne(atom.of, outer, inner, size),
  );
}

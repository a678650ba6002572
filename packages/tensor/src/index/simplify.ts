/**
 * The only way to build index expressions: each constructor gives a normal form, so that equal functions mostly have equal
 * forms and a chain of movement operations that cancel leaves no arithmetic behind. A normal form is a sum of atoms with
 * whole factors and one constant; an atom is a variable, a parameter, or a floored division or remainder that the ranges
 * of its operands do not decide. Tested against brute force, negative operands included.
 */
import type { Bound, Expr } from './expression';

/** A sum under construction: Σ factors[i] · atoms[i] + constant. */
interface Sum {
  atoms: Expr[];
  factors: number[];
  constant: number;
}

const newSum = (): Sum => ({ atoms: [], factors: [], constant: 0 });

const zero: Expr = { kind: 'const', value: 0 };

/** A whole number. */
export const constant = (value: number): Expr => (value === 0 ? zero : { kind: 'const', value: value + 0 });

/** Loop variable `index`, 0 ≤ v < size; one of size 1 is 0. */
export const variable = (index: number, size: number): Expr => (size === 1 ? zero : { kind: 'var', index, size });

/** A number known when the kernel runs. */
export const parameter = (index: number, min: number, max: number): Expr =>
  min === max ? constant(min) : { kind: 'param', index, min, max };

/** The smallest value that the expression can have, as far as its form shows. */
export function minOf(e: Expr): number {
  switch (e.kind) {
    case 'const':
      return e.value;
    case 'var':
      return 0;
    case 'param':
      return e.min;
    case 'mul':
      return e.factor >= 0 ? e.factor * minOf(e.term) : e.factor * maxOf(e.term);
    case 'div':
      return Math.floor(minOf(e.term) / e.divisor);
    case 'mod':
      return 0;
    case 'add': {
      let total = 0;
      for (const t of e.terms) total += minOf(t);
      return total;
    }
  }
}

/** The largest value that the expression can have, as far as its form shows. */
export function maxOf(e: Expr): number {
  switch (e.kind) {
    case 'const':
      return e.value;
    case 'var':
      return e.size - 1;
    case 'param':
      return e.max;
    case 'mul':
      return e.factor >= 0 ? e.factor * maxOf(e.term) : e.factor * minOf(e.term);
    case 'div':
      return Math.floor(maxOf(e.term) / e.divisor);
    case 'mod':
      return e.divisor - 1;
    case 'add': {
      let total = 0;
      for (const t of e.terms) total += maxOf(t);
      return total;
    }
  }
}

/** Whether two expressions have the same form. */
export function sameExpr(a: Expr, b: Expr): boolean {
  return a === b || compare(a, b) === 0;
}

const rank = { var: 0, param: 1, div: 2, mod: 3, mul: 4, add: 5, const: 6 } as const;

/** A total order of forms; variables come first, by index. */
function compare(a: Expr, b: Expr): number {
  if (a === b) return 0;
  if (a.kind !== b.kind) return rank[a.kind] - rank[b.kind];
  switch (a.kind) {
    case 'const':
      return a.value - (b as typeof a).value;
    case 'var':
    case 'param':
      return a.index - (b as typeof a).index;
    case 'div':
    case 'mod':
      return a.divisor - (b as typeof a).divisor || compare(a.term, (b as typeof a).term);
    case 'mul':
      return compare(a.term, (b as typeof a).term) || a.factor - (b as typeof a).factor;
    case 'add': {
      const other = (b as typeof a).terms;
      const n = Math.min(a.terms.length, other.length);
      for (let i = 0; i < n; i++) {
        const c = compare(a.terms[i]!, other[i]!);
        if (c !== 0) return c;
      }
      return a.terms.length - other.length;
    }
  }
}

/** Adds factor · atom to the sum, keeping the atoms in order. */
function accumulateAtom(sum: Sum, atom: Expr, factor: number): void {
  const { atoms, factors } = sum;
  let i = atoms.length;
  while (i > 0) {
    const c = compare(atoms[i - 1]!, atom);
    if (c === 0) {
      factors[i - 1]! += factor;
      return;
    }
    if (c < 0) break;
    i--;
  }
  if (i === atoms.length) {
    atoms.push(atom);
    factors.push(factor);
  } else {
    atoms.splice(i, 0, atom);
    factors.splice(i, 0, factor);
  }
}

function accumulate(sum: Sum, e: Expr, factor: number): void {
  switch (e.kind) {
    case 'const':
      sum.constant += e.value * factor;
      return;
    case 'mul':
      accumulateAtom(sum, e.term, e.factor * factor);
      return;
    case 'add':
      for (const t of e.terms) accumulate(sum, t, factor);
      return;
    default:
      accumulateAtom(sum, e, factor);
  }
}

/** Joins f·(x mod d) with f·d·(x div d) to f·x, and with f·d·((x div d) mod a) to f·(x mod d·a). Whether it did. */
function recombine(sum: Sum): boolean {
  const { atoms, factors } = sum;
  if (atoms.length < 2) return false;
  for (let i = 0; i < atoms.length; i++) {
    const part = atoms[i]!;
    const f = factors[i]!;
    if (part.kind !== 'mod' || f === 0) continue;
    for (let j = 0; j < atoms.length; j++) {
      const rest = atoms[j]!;
      if (
        j === i ||
        factors[j] !== f * part.divisor ||
        (rest.kind !== 'div' && rest.kind !== 'mod' && rest.kind !== 'var')
      )
        continue;
      const quotient = div(part.term, part.divisor);
      const whole = sameExpr(rest, quotient)
        ? part.term
        : rest.kind === 'mod' && sameExpr(rest.term, quotient)
          ? mod(part.term, part.divisor * rest.divisor)
          : null;
      // A remainder that comes apart again would be joined again without end.
      if (whole === null || (whole !== part.term && whole.kind !== 'mod')) continue;
      factors[i] = 0;
      factors[j] = 0;
      accumulate(sum, whole, f);
      return true;
    }
  }
  return false;
}

const scaled = (atom: Expr, factor: number): Expr => (factor === 1 ? atom : { kind: 'mul', term: atom, factor });

function build(sum: Sum): Expr {
  while (recombine(sum));
  const { atoms, factors } = sum;
  const terms: Expr[] = [];
  for (let i = 0; i < atoms.length; i++) if (factors[i] !== 0) terms.push(scaled(atoms[i]!, factors[i]!));
  if (sum.constant !== 0 || terms.length === 0) terms.push(constant(sum.constant));
  return terms.length === 1 ? terms[0]! : { kind: 'add', terms };
}

/** a + b. */
export function add(a: Expr, b: Expr): Expr {
  if (a.kind === 'const' && a.value === 0) return b;
  if (b.kind === 'const' && b.value === 0) return a;
  if (a.kind === 'const' && b.kind === 'const') return constant(a.value + b.value);
  const sum = newSum();
  accumulate(sum, a, 1);
  accumulate(sum, b, 1);
  return build(sum);
}

/** Σ terms[i] · factors[i] + offset. */
export function linear(terms: readonly Expr[], factors: readonly number[], offset = 0): Expr {
  const sum = newSum();
  sum.constant = offset;
  for (let i = 0; i < terms.length; i++) if (factors[i] !== 0) accumulate(sum, terms[i]!, factors[i]!);
  return build(sum);
}

/** e · factor. */
export function mul(e: Expr, factor: number): Expr {
  if (factor === 1) return e;
  if (factor === 0) return zero;
  if (e.kind === 'const') return constant(e.value * factor);
  const sum = newSum();
  accumulate(sum, e, factor);
  return build(sum);
}

const floorMod = (a: number, d: number): number => a - Math.floor(a / d) * d;

function gcd(a: number, b: number): number {
  a = Math.abs(a);
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

/**
 * A g > 1 that divides d such that e = g·x + y with 0 ≤ y < g, where x takes the terms whose factor g divides. Then
 * e div d = x div (d/g), and e mod d = g·(x mod (d/g)) + y.
 */
function splitByFactor(sum: Sum, d: number): { g: number; x: Sum; y: Sum } | null {
  const { atoms, factors } = sum;
  for (let i = 0; i < atoms.length; i++) {
    const g = gcd(factors[i]!, d);
    if (g === 1) continue;
    const x = newSum();
    const y = newSum();
    let low = 0;
    let high = 0;
    for (let j = 0; j < atoms.length; j++) {
      const f = factors[j]!;
      if (f % g === 0) {
        x.atoms.push(atoms[j]!);
        x.factors.push(f / g);
      } else {
        y.atoms.push(atoms[j]!);
        y.factors.push(f);
        low += f > 0 ? f * minOf(atoms[j]!) : f * maxOf(atoms[j]!);
        high += f > 0 ? f * maxOf(atoms[j]!) : f * minOf(atoms[j]!);
      }
    }
    // The constant goes where y fits: y.constant ≡ constant (mod g), and y in [0, g).
    const shift = floorMod(sum.constant + low, g) - low;
    y.constant = shift;
    x.constant = (sum.constant - shift) / g;
    if (high + shift < g) return { g, x, y };
  }
  return null;
}

/** Splits e into d·quotient + rest, moving whole multiples of d to the quotient. */
function splitByDivisor(e: Expr, d: number): { quotient: Sum; rest: Sum } {
  const all = newSum();
  accumulate(all, e, 1);
  const quotient = newSum();
  const rest = newSum();
  for (let i = 0; i < all.atoms.length; i++) {
    const f = all.factors[i]!;
    if (f % d === 0) {
      quotient.atoms.push(all.atoms[i]!);
      quotient.factors.push(f / d);
    } else {
      rest.atoms.push(all.atoms[i]!);
      rest.factors.push(f);
    }
  }
  quotient.constant = Math.floor(all.constant / d);
  rest.constant = all.constant - quotient.constant * d;
  return { quotient, rest };
}

/** floor(e / d), d > 0. */
export function div(e: Expr, d: number): Expr {
  if (d === 1) return e;
  if (e.kind === 'const') return constant(Math.floor(e.value / d));
  if (e.kind === 'var' && e.size <= d) return zero;
  const { quotient, rest } = splitByDivisor(e, d);
  const r = build(rest);
  const low = Math.floor(minOf(r) / d);
  if (low === Math.floor(maxOf(r) / d)) {
    quotient.constant += low;
    return build(quotient);
  }
  const split = splitByFactor(rest, d);
  accumulate(quotient, split !== null ? div(build(split.x), d / split.g) : divAtom(r, d), 1);
  return build(quotient);
}

function divAtom(r: Expr, d: number): Expr {
  if (r.kind === 'div') return div(r.term, r.divisor * d);
  if (r.kind === 'mod' && r.divisor % d === 0) return mod(div(r.term, d), r.divisor / d);
  return { kind: 'div', term: r, divisor: d };
}

/** e − d·floor(e / d), d > 0: in [0, d). */
export function mod(e: Expr, d: number): Expr {
  if (d === 1) return zero;
  if (e.kind === 'const') return constant(floorMod(e.value, d));
  if (e.kind === 'var' && e.size <= d) return e;
  const { rest } = splitByDivisor(e, d);
  const r = build(rest);
  const low = Math.floor(minOf(r) / d);
  if (low === Math.floor(maxOf(r) / d)) return low === 0 ? r : add(r, constant(-low * d));
  const split = splitByFactor(rest, d);
  if (split !== null) return add(mul(mod(build(split.x), d / split.g), split.g), build(split.y));
  if (r.kind === 'mod' && r.divisor % d === 0) return mod(r.term, d);
  return { kind: 'mod', term: r, divisor: d };
}

/** The expression with each variable replaced by what `of` gives for it. */
export function substitute(e: Expr, of: (index: number, size: number) => Expr): Expr {
  switch (e.kind) {
    case 'const':
    case 'param':
      return e;
    case 'var':
      return of(e.index, e.size);
    case 'mul':
      return mul(substitute(e.term, of), e.factor);
    case 'div':
      return div(substitute(e.term, of), e.divisor);
    case 'mod':
      return mod(substitute(e.term, of), e.divisor);
    case 'add': {
      const sum = newSum();
      for (const t of e.terms) accumulate(sum, substitute(t, of), 1);
      return build(sum);
    }
  }
}

/** Whether the variable occurs. */
export function dependsOn(e: Expr, index: number): boolean {
  switch (e.kind) {
    case 'const':
    case 'param':
      return false;
    case 'var':
      return e.index === index;
    case 'add':
      return e.terms.some((t) => dependsOn(t, index));
    default:
      return dependsOn(e.term, index);
  }
}

/** The variable's factor in the sum that `e` is; occurrences within divisions and remainders do not count. */
export function coefficient(e: Expr, index: number): number {
  switch (e.kind) {
    case 'var':
      return e.index === index ? 1 : 0;
    case 'mul':
      return e.term.kind === 'var' && e.term.index === index ? e.factor : 0;
    case 'add':
      for (const t of e.terms) {
        const c = coefficient(t, index);
        if (c !== 0) return c;
      }
      return 0;
    default:
      return 0;
  }
}

/** Whether a bound always holds (true), never does (false), or depends (undefined). */
export function decideBound(bound: Bound): boolean | undefined {
  const low = minOf(bound.term);
  const high = maxOf(bound.term);
  if (low >= bound.min && high < bound.end) return true;
  if (high < bound.min || low >= bound.end) return false;
  return undefined;
}

/** Whether two lists of bounds have the same form. */
export function sameBounds(a: readonly Bound[], b: readonly Bound[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    const x = a[i]!;
    const y = b[i]!;
    if (x !== y && (x.min !== y.min || x.end !== y.end || !sameExpr(x.term, y.term))) return false;
  }
  return true;
}

/** The value of an expression for given variables and parameters; for interpreters and tests. */
export function evaluate(e: Expr, variables: ArrayLike<number>, params: ArrayLike<number>): number {
  switch (e.kind) {
    case 'const':
      return e.value;
    case 'var':
      return variables[e.index]!;
    case 'param':
      return params[e.index]!;
    case 'mul':
      return evaluate(e.term, variables, params) * e.factor;
    case 'div':
      return Math.floor(evaluate(e.term, variables, params) / e.divisor);
    case 'mod':
      return floorMod(evaluate(e.term, variables, params), e.divisor);
    case 'add': {
      let total = 0;
      for (const t of e.terms) total += evaluate(t, variables, params);
      return total;
    }
  }
}

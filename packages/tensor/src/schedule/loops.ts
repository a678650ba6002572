/**
 * Canonical loop nests. A variable that is only ever divided by a divisor of its size is split in two; adjacent loops that
 * every index treats as one run are one. So the same computation under other shapes gives the same loops, inner loops are
 * long, and indices end up as sums of variables with strides wherever they can.
 */
import type { Expr } from '../index/expression';
import { coefficient, linear, substitute, variable } from '../index/simplify';

/** Loops in groups (rows and reduced; or batch, m, n, k) with the expressions over them; variables are numbered through. */
export interface Nest {
  readonly groups: readonly (readonly number[])[];
  readonly exprs: readonly Expr[];
}

/**
 * The nest with split and collapsed loops; loops of size 1 are gone. Groups keep their order and never mix.
 *
 * @param pinned - how many leading variables stay loops of their own
 * @param kept - whether the last group stays as it is, even if its size is 1; its variable may have another size in some
 *   expressions
 */
export function canonicalNest(nest: Nest, pinned = 0, kept = false): Nest {
  return collapsed(split(nest, pinned, kept), pinned, kept);
}

/**
 * The nest whose first loop has just the given size, made of leading loops that run as one or of a part of the first; null
 * if they do not.
 */
export function withLead(nest: Nest, size: number): Nest | null {
  const first = nest.groups.findIndex((g) => g.some((n) => n > 1));
  if (first < 0) return null;
  const base = nest.groups.slice(0, first).reduce((n, g) => n + g.length, 0);
  return leadFrom(nest, first, base + nest.groups[first]!.findIndex((n) => n > 1), size);
}

function leadFrom(nest: Nest, group: number, variableIndex: number, size: number): Nest | null {
  const base = nest.groups.slice(0, group).reduce((n, g) => n + g.length, 0);
  const sizes = nest.groups[group]!;
  let at = variableIndex - base;
  let product = sizes[at]!;
  if (product > size) return product % size === 0 ? splitVariable(nest, variableIndex, product / size) : null;
  const members = [variableIndex];
  while (product < size && ++at < sizes.length) {
    product *= sizes[at]!;
    if (sizes[at]! > 1) members.push(base + at);
  }
  if (product !== size) return null;
  for (let i = members.length - 2; i >= 0; i--) {
    let innerSize = 1;
    for (let j = i + 1; j < members.length; j++) innerSize *= sizes[members[j]! - base]!;
    if (!canCollapse(nest.exprs, members[i]!, members.at(-1)!, innerSize)) return null;
  }
  return mergeVariables(nest, group, base, members, size);
}

/** Makes the last of the variables the only one of them; the loops of the others get size 1. */
function mergeVariables(nest: Nest, group: number, base: number, members: readonly number[], size: number): Nest {
  if (members.length === 1) return nest;
  const last = members.at(-1)!;
  const groups = nest.groups.map((sizes, g) =>
    g !== group ? sizes : sizes.map((n, i) => (base + i === last ? size : members.includes(base + i) ? 1 : n)),
  );
  const renamed = (index: number, n: number): Expr =>
    index === last ? variable(index, size) : members.includes(index) ? { kind: 'const', value: 0 } : variable(index, n);
  return { groups, exprs: nest.exprs.map((e) => substitute(e, renamed)) };
}

/** Whether the first `count` variables, with the given sizes, run as one loop in every expression. */
export function leadRunsAsOne(exprs: readonly Expr[], sizes: readonly number[], count: number): boolean {
  let innerSize = 1;
  for (let i = count - 2; i >= 0; i--) {
    innerSize *= sizes[i + 1]!;
    if (!canCollapse(exprs, i, count - 1, innerSize)) return false;
  }
  return true;
}

function split(nest: Nest, pinned: number, kept: boolean): Nest {
  for (;;) {
    const end = nest.groups.reduce((n, g, i) => (kept && i === nest.groups.length - 1 ? n : n + g.length), 0);
    const found = findSplit(nest.exprs, pinned, end);
    if (found === null) return nest;
    nest = splitVariable(nest, found.index, found.divisor);
  }
}

/** A division or remainder of a lone variable by a proper divisor of its size. */
function findSplit(exprs: readonly Expr[], begin: number, end: number): { index: number; divisor: number } | null {
  const stack: Expr[] = [];
  for (const root of exprs) {
    if (root.kind === 'var' || root.kind === 'const') continue;
    stack.push(root);
    while (stack.length > 0) {
      const e = stack.pop()!;
      if (e.kind === 'add') for (const t of e.terms) stack.push(t);
      else if (e.kind === 'mul') stack.push(e.term);
      else if (e.kind === 'div' || e.kind === 'mod') {
        const { term, divisor } = e;
        if (term.kind === 'var' && term.size % divisor === 0 && term.index >= begin && term.index < end)
          return { index: term.index, divisor };
        stack.push(term);
      }
    }
  }
  return null;
}

function splitVariable(nest: Nest, index: number, divisor: number): Nest {
  let from = 0;
  const groups = nest.groups.map((sizes) => {
    const at = index - from;
    from += sizes.length;
    if (at < 0 || at >= sizes.length) return sizes;
    return [...sizes.slice(0, at), sizes[at]! / divisor, divisor, ...sizes.slice(at + 1)];
  });
  const renamed = (i: number, size: number): Expr => {
    if (i < index) return variable(i, size);
    if (i > index) return variable(i + 1, size);
    return linear([variable(i, size / divisor), variable(i + 1, divisor)], [divisor, 1]);
  };
  return { groups, exprs: nest.exprs.map((e) => substitute(e, renamed)) };
}

function collapsed(nest: Nest, pinned: number, kept: boolean): Nest {
  /** For each old variable: the loop it is the innermost part of, or −1. */
  const target: number[] = [];
  const sizes: number[] = [];
  const groups: number[][] = [];
  let first = 0;
  let made = 0;
  let changed = false;
  const whole = kept ? nest.groups.at(-1) : undefined;
  for (const group of nest.groups) {
    const loops: number[] = [];
    const inner: number[] = [];
    for (let i = group.length - 1; i >= 0; i--) {
      const index = first + i;
      const size = group[i]!;
      target[index] = -1;
      if (size === 1 && group !== whole) {
        changed = true;
        continue;
      }
      const last = loops.length - 1;
      if (last >= 0 && index >= pinned && canCollapse(nest.exprs, index, inner[last]!, loops[last]!)) {
        loops[last]! *= size;
        changed = true;
      } else {
        loops.push(size);
        inner.push(index);
      }
    }
    for (let j = loops.length - 1; j >= 0; j--) {
      target[inner[j]!] = made++;
      sizes.push(loops[j]!);
    }
    groups.push(loops.reverse());
    first += group.length;
  }
  if (!changed) return nest;
  const wholeFrom = whole === undefined ? first : first - whole.length;
  const renamed = (index: number, size: number): Expr => {
    const to = target[index]!;
    return to < 0 ? { kind: 'const', value: 0 } : variable(to, index >= wholeFrom ? size : sizes[to]!);
  };
  return { groups, exprs: nest.exprs.map((e) => substitute(e, renamed)) };
}

function canCollapse(exprs: readonly Expr[], outer: number, inner: number, innerSize: number): boolean {
  for (const e of exprs) if (!runsAsOne(e, outer, inner, innerSize)) return false;
  return true;
}

/** Whether every sum within `e` has outer · innerSize and inner with one factor. */
function runsAsOne(e: Expr, outer: number, inner: number, innerSize: number): boolean {
  switch (e.kind) {
    case 'const':
    case 'param':
      return true;
    case 'var':
      return e.index !== outer && e.index !== inner;
    case 'mul':
      return runsAsOne(e.term, outer, inner, innerSize);
    case 'div':
    case 'mod':
      return runsAsOne(e.term, outer, inner, innerSize);
    case 'add': {
      if (coefficient(e, outer) !== coefficient(e, inner) * innerSize) return false;
      for (const t of e.terms) {
        const atom = t.kind === 'mul' ? t.term : t;
        if (atom.kind !== 'var' && !runsAsOne(atom, outer, inner, innerSize)) return false;
      }
      return true;
    }
  }
}

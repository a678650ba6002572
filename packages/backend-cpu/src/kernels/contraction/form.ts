/*
 * A contraction in the terms that the ways of computing it share: few axes, each with a role, and both operands as sums
 * over them. Neighbouring axes of one role that both operands walk as one become one axis.
 */
import type { Access, Contraction, DType, Kernel } from '@dl/tensor';
import {
  constant,
  factorOf,
  type Limit,
  type Linear,
  limitsOf,
  linear,
  linearOf,
  simplifyLimits,
  substitute,
  walksAsOne,
} from '../linear';

export type Role = 'batch' | 'm' | 'n' | 'k';

export interface FormAxis {
  readonly size: number;
  readonly role: Role;
}

/** One of the factors: elements of a binding (or of scratch memory, as −1) within limits, zero outside. */
export interface Factor {
  readonly binding: number;
  /** In elements. */
  readonly index: Linear;
  readonly limits: readonly Limit[];
}

export interface Form {
  readonly dtype: DType;
  /** Batch, m, n, k, in this order; variable i of a sum is axis i. */
  readonly axes: readonly FormAxis[];
  readonly lhs: Factor;
  readonly rhs: Factor;
  readonly out: number;
  /** Where these do not hold, the right operand is zero, although it can be read. */
  readonly zeros: readonly Limit[];
  /** Steps of the first axis for each step of the kernel's range; 0 where it is not split. */
  readonly rangeScale: number;
}

function factorOfAccess({ binding, index, bounds }: Access): Factor | null {
  const limits = limitsOf(bounds);
  return limits && { binding, index: linearOf(index), limits };
}

const sumsOfFactor = ({ index, limits }: Factor): Linear[] => [index, ...limits.map((l) => l.term)];

type Change = (variable: number) => Linear | null;

const changed = (factor: Factor, by: Change): Factor => ({
  ...factor,
  index: substitute(factor.index, by),
  limits: simplifyLimits(factor.limits.map((l) => ({ ...l, term: substitute(l.term, by) }))) ?? factor.limits,
});

const variable = (index: number, size: number): Linear =>
  linear(0, [{ atom: { kind: 'var', index, size }, factor: 1 }]);

/** The form of a contraction, or null where an operand is zero throughout. */
export function formOf(contraction: Contraction, kernel: Pick<Kernel, 'range'>): Form | null {
  const { batch, m, n, k } = contraction;
  const roles: readonly (readonly [Role, readonly number[]])[] = [
    ['batch', batch],
    ['m', m],
    ['n', n],
    ['k', k],
  ];
  const all = roles.flatMap(([role, sizes]) => sizes.map((size): FormAxis => ({ size, role })));
  const left = factorOfAccess(contraction.lhs);
  const right = factorOfAccess(contraction.rhs);
  if (left === null || right === null) return null;
  const kept = all.map((_, i) => i).filter((i) => all[i]!.size !== 1);
  const place = new Map(kept.map((old, now) => [old, now]));
  const renumber: Change = (old) => {
    const index = place.get(old);
    return index === undefined ? constant(0) : variable(index, all[old]!.size);
  };
  const form: Form = {
    dtype: contraction.dtype,
    axes: kept.map((i) => all[i]!),
    lhs: changed(left, renumber),
    rhs: changed(right, renumber),
    out: contraction.out,
    zeros: [],
    rangeScale: kernel.range > 1 ? 1 : 0,
  };
  return merged(form);
}

/** Merges whatever axes can be, batch axes only if `batch` says so. */
export function merged(form: Form, batch = true): Form {
  let { axes, lhs, rhs, zeros, rangeScale } = form;
  for (let at = axes.length - 2; at >= 0; at--) {
    const [outer, inner] = [axes[at]!, axes[at + 1]!];
    const sums = [...sumsOfFactor(lhs), ...sumsOfFactor(rhs), ...zeros.map((l) => l.term)];
    if (outer.role !== inner.role || (outer.role === 'batch' && !batch)) continue;
    if (!sums.every((sum) => walksAsOne(sum, at, at + 1, inner.size))) continue;
    const size = outer.size * inner.size;
    const before = axes;
    const by: Change = (v) => {
      if (v === at) return constant(0);
      return variable(v > at ? v - 1 : v, v === at + 1 ? size : before[v]!.size);
    };
    lhs = changed(lhs, by);
    rhs = changed(rhs, by);
    zeros = zeros.map((l) => ({ ...l, term: substitute(l.term, by) }));
    axes = [...axes.slice(0, at), { size, role: outer.role }, ...axes.slice(at + 2)];
    if (at === 0) rangeScale *= inner.size;
  }
  return { ...form, axes, lhs, rhs, zeros, rangeScale };
}

/** The form with axes of other sizes. */
export function resized(form: Form, sizes: ReadonlyMap<number, number>): Form {
  const axes = form.axes.map((axis, i) => ({ ...axis, size: sizes.get(i) ?? axis.size }));
  const by: Change = (v) => variable(v, axes[v]!.size);
  return { ...form, axes, lhs: changed(form.lhs, by), rhs: changed(form.rhs, by) };
}

/** The form with its axes in another order, the first `batch` of them as batch axes. */
export function reordered(form: Form, order: readonly number[], batch: number): Form {
  const axes = order.map((old, now): FormAxis => ({ ...form.axes[old]!, ...(now < batch && { role: 'batch' }) }));
  const by: Change = (old) => variable(order.indexOf(old), form.axes[old]!.size);
  return { ...form, axes, lhs: changed(form.lhs, by), rhs: changed(form.rhs, by) };
}

/** The axes of a role, as variables. */
export const axesOf = (form: Form, role: Role): number[] =>
  form.axes.map((_, i) => i).filter((i) => form.axes[i]!.role === role);

export const sizeOfRole = (form: Form, role: Role): number =>
  axesOf(form, role).reduce((n, axis) => n * form.axes[axis]!.size, 1);

/** Whether a factor is a sum of variables with constant strides, without limits. */
export const isEven = (factor: Factor): boolean =>
  factor.limits.length === 0 && factor.index.terms.every((t) => t.atom.kind === 'var' || t.atom.kind === 'param');

export const strideOf = (factor: Factor, axis: number): number => factorOf(factor.index, axis);

/** The part of an index that does not depend on given axes. */
export const without = (index: Linear, axes: readonly number[]): Linear =>
  linear(
    index.constant,
    index.terms.filter((t) => t.atom.kind !== 'var' || !axes.includes(t.atom.index)),
  );

/** Strides of the result, in elements. */
export function outStrides(form: Form): number[] {
  const strides: number[] = new Array<number>(form.axes.length).fill(0);
  let step = 1;
  for (let axis = form.axes.length - 1; axis >= 0; axis--) {
    if (form.axes[axis]!.role === 'k') continue;
    strides[axis] = step;
    step *= form.axes[axis]!.size;
  }
  return strides;
}

/** The place of the result as a sum. */
export function outIndex(form: Form): Linear {
  const strides = outStrides(form);
  return linear(
    0,
    form.axes.flatMap(({ size, role }, index) =>
      role === 'k' ? [] : [{ atom: { kind: 'var' as const, index, size }, factor: strides[index]! }],
    ),
  );
}

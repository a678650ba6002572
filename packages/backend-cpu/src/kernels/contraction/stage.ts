/*
 * Copies of an operand in scratch memory, so that a contraction finds it with constant strides and without limits.
 *
 * Where limits and divisions are functions of sums such as (pixel + kernel element − padding), the sum itself becomes an
 * axis of the copy: an image with its padding, or with the zeros between elements that a dilation asks for, not one
 * element for each pair of pixel and kernel element. What does not fit that is copied element for element.
 */
import {
  constant,
  factorOf,
  type Limit,
  type Linear,
  linear,
  plus,
  rangeOf,
  scaled,
  simplifyLimits,
  substitute,
} from '../linear';
import { emitNest } from '../loop';
import { mergeAxes, type Nest, type NestOp } from '../nest';
import { planOf } from '../plan';
import { type Frame, widths } from '../target';
import { axesOf, type Factor, type Form, isEven } from './form';

/** Variables from here on stand for axes outside a nest; `frame.counters` has them. */
const externalVariable = 24;
/** Largest copy. */
const maxBytes = 1 << 26;

/** A copy to be made for each step of the batch axes that it depends on. */
export interface Stage {
  /** Loads from the operand and stores into scratch memory. Batch axis i is variable `externalVariable + i`. */
  readonly nest: Nest;
  readonly bytes: number;
  /** How many batch axes must be running. */
  readonly depth: number;
  /** What takes the operand's place. */
  readonly factor: Factor;
  /** Limits of the operand, outside which the copy is zero. */
  readonly zeros: readonly Limit[];
}

/** A sum that becomes an axis of the copy in place of its pivot. */
interface Virtual {
  readonly sum: Linear;
  readonly pivot: number;
  readonly low: number;
  readonly size: number;
}

type Axis =
  | { readonly kind: 'own'; readonly variable: number; readonly size: number }
  | ({ readonly kind: 'virtual' } & Virtual);

/** Sums of two variables or more that limits and divisions are functions of, each once. */
function candidates(factor: Factor): Linear[] {
  const found = new Map<string, Linear>();
  const take = (sum: Linear): void => {
    if (sum.terms.length < 2 || sum.terms.some((t) => t.atom.kind !== 'var')) return;
    const bare = linear(0, sum.terms);
    found.set(
      JSON.stringify(
        [...bare.terms].sort((a, b) => (a.atom as { index: number }).index - (b.atom as { index: number }).index),
      ),
      bare,
    );
  };
  const visit = (sum: Linear): void => {
    for (const { atom } of sum.terms) if (atom.kind === 'div' || atom.kind === 'mod') take(atom.of);
  };
  for (const { term } of factor.limits) {
    take(term);
    visit(term);
  }
  visit(factor.index);
  return [...found.values()];
}

const one = (index: number, size: number): Linear => linear(0, [{ atom: { kind: 'var', index, size }, factor: 1 }]);

/** Puts the sum in place of its pivot: pivot = ±(sum − the rest). */
function pivoted(of: Linear, { sum, pivot }: Pick<Virtual, 'sum' | 'pivot'>, axis: Linear): Linear {
  const sign = factorOf(sum, pivot);
  const rest = linear(
    0,
    sum.terms.filter((t) => t.atom.kind !== 'var' || t.atom.index !== pivot),
  );
  return substitute(of, (v) => (v === pivot ? plus(scaled(axis, sign), scaled(rest, -sign)) : null));
}

function occurs(variable: number, factor: Factor): boolean {
  const bit = 1 << variable;
  return [factor.index, ...factor.limits.map((l) => l.term)].some((sum) => (sum.mask & bit) !== 0);
}

function changed(factor: Factor, by: (sum: Linear) => Linear): Factor {
  return { ...factor, index: by(factor.index), limits: factor.limits.map((l): Limit => ({ ...l, term: by(l.term) })) };
}

/** Replaces pivots by sums as far as that frees the operand of their other variables. */
function virtualise(factor: Factor, batch: number): { factor: Factor; virtual: Virtual[] } {
  const virtual: Virtual[] = [];
  let current = factor;
  for (const sum of candidates(factor)) {
    const variables = sum.terms.map((t) => (t.atom as { index: number }).index);
    if (variables.some((v) => v < batch || virtual.some((o) => factorOf(o.sum, v) !== 0))) continue;
    const pivot = variables.find((v) => Math.abs(factorOf(sum, v)) === 1);
    if (pivot === undefined) continue;
    const [low, high] = rangeOf(sum);
    const own: Virtual = { sum, pivot, low, size: high - low + 1 };
    // The pivot's number stands for the sum from here on.
    const axis = plus(one(pivot, own.size), constant(low));
    const next = changed(current, (s) => pivoted(s, own, axis));
    if (variables.some((v) => v !== pivot && occurs(v, next))) continue;
    virtual.push(own);
    current = next;
  }
  return { factor: current, virtual };
}

/** How far apart neighbours along a variable lie in the operand, as far as the form shows. */
function spread(sum: Linear, variable: number): number {
  let most = 0;
  for (const { atom, factor } of sum.terms) {
    if (
      atom.kind === 'var' ? atom.index === variable : atom.kind !== 'param' && (atom.of.mask & (1 << variable)) !== 0
    ) {
      most = Math.max(most, Math.abs(factor));
    }
  }
  return most;
}

/** The axes of the copy, outermost first: those that the operand depends on, in the order of its memory or k before n. */
function axesOfCopy(
  form: Form,
  { factor, virtual }: { factor: Factor; virtual: readonly Virtual[] },
  { batch, order }: { readonly batch: number; readonly order: Order },
): Axis[] {
  const axes: Axis[] = [];
  form.axes.forEach(({ size }, variable) => {
    if (variable < batch || !occurs(variable, factor)) return;
    const own = virtual.find((v) => v.pivot === variable);
    axes.push(own ? { kind: 'virtual', ...own } : { kind: 'own', variable, size });
  });
  if (order === 'k before n') {
    const isK = (axis: Axis) => axis.kind === 'own' && form.axes[axis.variable]!.role === 'k';
    return [...axes.filter(isK), ...axes.filter((axis) => !isK(axis))];
  }
  const variableOf = (axis: Axis): number => (axis.kind === 'own' ? axis.variable : axis.pivot);
  return axes
    .map((axis) => ({ axis, by: spread(factor.index, variableOf(axis)) }))
    .sort((a, b) => b.by - a.by)
    .map(({ axis }) => axis);
}

/** In which order a copy lies: as the operand, or, with one element for each step of the loops, k outside n. */
type Order = 'memory' | 'k before n';

/**
 * The copy of an operand at an offset in scratch memory, or null if it would be too large.
 *
 * @param dense - one element for each step of the loops, whatever the sums
 */
export function stageOf(
  form: Form,
  factor: Factor,
  offset: number,
  dense = false,
  order: Order = 'memory',
): Stage | null {
  if (factor.limits.some((l) => l.term.terms.some((t) => t.atom.kind === 'param'))) dense = true;
  const batch = axesOf(form, 'batch').length;
  const virtual = dense ? { factor, virtual: [] } : virtualise(factor, batch);
  const axes = axesOfCopy(form, virtual, { batch, order });
  const strides: number[] = [];
  let elements = 1;
  for (let i = axes.length - 1; i >= 0; i--) {
    strides[i] = elements;
    elements *= axes[i]!.size;
  }
  const width = widths[form.dtype];
  const bytes = Math.ceil((elements * width + 64) / 64) * 64; // vectors may be read beyond the last element
  if (bytes > maxBytes || axes.length > 16) return null;
  let place: Linear = constant(offset / width);
  axes.forEach((axis, i) => {
    const position = axis.kind === 'own' ? one(axis.variable, axis.size) : plus(axis.sum, constant(-axis.low));
    place = plus(place, scaled(position, strides[i]!));
  });
  const usedBatch = form.axes.map((_, i) => i).filter((i) => i < batch && occurs(i, factor));
  return {
    nest: nestOfCopy(form, virtual.factor, { axes, strides, batch, offset: offset / width }),
    bytes,
    depth: usedBatch.length === 0 ? 0 : Math.max(...usedBatch) + 1,
    factor: { binding: -1, index: place, limits: [] },
    zeros: factor.limits.filter((l) => l.term.terms.every((t) => t.atom.kind === 'var')),
  };
}

interface Copy {
  readonly axes: readonly Axis[];
  readonly strides: readonly number[];
  readonly batch: number;
  /** In elements. */
  readonly offset: number;
}

function nestOfCopy(form: Form, factor: Factor, { axes, strides, batch, offset }: Copy): Nest {
  const { dtype } = form;
  const renumber = (sum: Linear): Linear =>
    substitute(sum, (v) => {
      if (v < batch) return one(externalVariable + v, form.axes[v]!.size);
      const at = axes.findIndex((axis) => (axis.kind === 'own' ? axis.variable : axis.pivot) === v);
      return one(at, axes[at]!.size);
    });
  const limits = simplifyLimits(factor.limits.map((l) => ({ ...l, term: renumber(l.term) })));
  const to = linear(
    offset,
    axes.map(({ size }, index) => ({ atom: { kind: 'var', index, size }, factor: strides[index]! })),
  );
  const zero: NestOp = { op: 'constant', dtype, args: [], source: { op: 'constant', dtype, value: 0 } };
  const access = { binding: 0, index: { kind: 'const', value: 0 }, bounds: [] } as const;
  const load: NestOp = {
    op: 'load',
    dtype,
    args: [],
    place: { binding: factor.binding, index: renumber(factor.index), limits: limits ?? [] },
    source: { op: 'load', dtype, access, fill: 0 },
  };
  const store: NestOp = {
    op: 'store',
    dtype,
    args: [0],
    place: { binding: -1, index: to, limits: [] },
    source: { op: 'store', dtype, access, args: [0] },
  };
  return {
    axes: axes.map(({ size }) => ({ size, reduced: false })),
    ops: [limits ? load : zero, store],
    rangeScale: 0,
  };
}

/** Writes a copy, inside the loops over the axes `batch`, which are the batch axes of the form that it was made for. */
export function emitCopy(frame: Frame, { nest }: Stage, batch: readonly number[]): void {
  const counters = [...frame.counters];
  for (const [i, axis] of batch.entries()) frame.counters[externalVariable + i] = counters[axis];
  emitNest(frame, planOf(mergeAxes(nest)));
  frame.counters.splice(0, counters.length, ...counters);
}

/** Whether an operand must be copied before tiles can read it. */
export const needsStage = (factor: Factor): boolean => !isEven(factor);

/*
 * The body of a kernel as a nest of loops: index expressions as sums, axes of size 1 gone, and neighbouring axes that
 * every access walks as one merged into one. What runs in which loop is decided in plan.ts.
 */
import { type Access, type DType, type Instruction, type Kernel, reduceOps } from '@dl/tensor';
import {
  constant,
  type Limit,
  type Linear,
  limitsOf,
  linear,
  linearOf,
  simplifyLimits,
  substitute,
  walksAsOne,
} from './linear';

export interface Axis {
  readonly size: number;
  readonly reduced: boolean;
}

/** Where an element lies: a binding (−1 is scratch memory), an element offset, and the limits within which it is touched. */
export interface Place {
  readonly binding: number;
  readonly index: Linear;
  readonly limits: readonly Limit[];
}

/** An instruction whose expressions are sums over the axes of the nest. */
export interface NestOp {
  readonly op: Instruction['op'] | 'nothing';
  readonly dtype: DType;
  readonly args: readonly number[];
  /** Of a load, gather or store. */
  readonly place?: Place;
  /** Of an index or random instruction. */
  readonly expr?: Linear;
  /** Of a guard. */
  readonly limits?: readonly Limit[];
  /** The instruction as it was given: fill, value, parameters. */
  readonly source: Instruction;
}

export interface Nest {
  /** Rows, then reduced; variable i of a sum is axis i. */
  readonly axes: readonly Axis[];
  readonly ops: readonly NestOp[];
  /** How many steps of axis 0 one step of the kernel's range is; 0 when the range is not split. */
  readonly rangeScale: number;
}

const argsOf = (instruction: Instruction): readonly number[] => ('args' in instruction ? instruction.args : []);

const fillOf = (source: Instruction, fill: number): NestOp => ({
  op: 'constant',
  dtype: source.dtype,
  args: [],
  source: { op: 'constant', dtype: source.dtype, value: fill },
});

const nothing = (source: Instruction): NestOp => ({ op: 'nothing', dtype: source.dtype, args: [], source });

function placeOf(access: Access): Place | null {
  const limits = limitsOf(access.bounds);
  return limits && { binding: access.binding, index: linearOf(access.index), limits };
}

function nestOp(source: Instruction): NestOp {
  const base = { op: source.op, dtype: source.dtype, args: argsOf(source), source };
  switch (source.op) {
    case 'load':
    case 'gather': {
      const place = placeOf(source.access);
      return place ? { ...base, place } : fillOf(source, source.fill);
    }
    case 'store': {
      const place = placeOf(source.access);
      return place ? { ...base, place } : nothing(source);
    }
    case 'guard': {
      const limits = limitsOf(source.bounds);
      return limits ? { ...base, limits } : fillOf(source, source.fill);
    }
    case 'index':
      return { ...base, expr: linearOf(source.expr) };
    case 'random':
      return { ...base, expr: linearOf(source.index) };
    default:
      return base;
  }
}

/** Every sum of an operation. */
export function sumsOf(op: NestOp): Linear[] {
  const sums: Linear[] = [];
  if (op.place) sums.push(op.place.index, ...op.place.limits.map((l) => l.term));
  if (op.expr) sums.push(op.expr);
  if (op.limits) sums.push(...op.limits.map((l) => l.term));
  return sums;
}

type Change = (variable: number) => Linear | null;

const changeLimits = (limits: readonly Limit[], by: Change): Limit[] | null =>
  simplifyLimits(limits.map((l) => ({ ...l, term: substitute(l.term, by) })));

/** The operation with sums in the place of variables. */
export function changeOp(op: NestOp, by: Change): NestOp {
  if (op.place) {
    const limits = changeLimits(op.place.limits, by);
    if (!limits) return 'fill' in op.source ? fillOf(op.source, op.source.fill) : nothing(op.source);
    return { ...op, place: { ...op.place, index: substitute(op.place.index, by), limits } };
  }
  if (op.expr) return { ...op, expr: substitute(op.expr, by) };
  if (op.limits) {
    const limits = changeLimits(op.limits, by);
    return limits ? { ...op, limits } : fillOf(op.source, (op.source as { fill: number }).fill);
  }
  return op;
}

/** Numbers the axes in `kept` anew, in order. */
function renumber(ops: readonly NestOp[], axes: readonly Axis[], kept: readonly number[]): NestOp[] {
  const place = new Map(kept.map((old, now) => [old, now]));
  const by: Change = (variable) => {
    const index = place.get(variable);
    if (index === undefined) return constant(0);
    return linear(0, [{ atom: { kind: 'var', index, size: axes[variable]!.size }, factor: 1 }]);
  };
  return ops.map((op) => changeOp(op, by));
}

/** Merges axis `at` with the next one. */
function mergeAt(ops: readonly NestOp[], axes: readonly Axis[], at: number): NestOp[] {
  const size = axes[at]!.size * axes[at + 1]!.size;
  const by: Change = (variable) => {
    if (variable === at) return constant(0);
    if (variable >= axes.length) return null; // of a loop outside the nest
    const index = variable > at ? variable - 1 : variable;
    const ownSize = variable === at + 1 ? size : axes[variable]!.size;
    return linear(0, [{ atom: { kind: 'var', index, size: ownSize }, factor: 1 }]);
  };
  return ops.map((op) => changeOp(op, by));
}

/** Merges whatever axes can be, from the last to the first. */
export function mergeAxes(nest: Nest): Nest {
  let { ops, rangeScale } = nest;
  const axes = [...nest.axes];
  const sums = () => ops.flatMap(sumsOf);
  let all = sums();
  for (let at = axes.length - 2; at >= 0; at--) {
    const [outer, inner] = [axes[at]!, axes[at + 1]!];
    if (outer.reduced !== inner.reduced || !all.every((sum) => walksAsOne(sum, at, at + 1, inner.size))) continue;
    ops = mergeAt(ops, axes, at);
    axes.splice(at, 2, { size: outer.size * inner.size, reduced: outer.reduced });
    if (at === 0 && rangeScale > 0) rangeScale *= inner.size;
    all = sums();
  }
  return { axes, ops, rangeScale };
}

/** Steps of the range that let threads share a nest evenly, and elements from which sharing matters. */
const enoughSteps = 8;
const worthSharing = 1 << 16;

/**
 * The nest with another row axis first, which its range then is, where the first is too short to share: [2, 10⁶] runs by
 * columns. Rows are independent of one another, so any of them may.
 */
export function ledByLongAxis(nest: Nest): Nest {
  const { axes, ops } = nest;
  const steps = rangeOfNest(nest);
  if (steps >= enoughSteps || axes.reduce((n, a) => n * a.size, 1) < worthSharing) return nest;
  const rows = axes.filter((a) => !a.reduced).map((a) => a.size);
  const long = rows.findIndex((size, i) => i > 0 && size >= enoughSteps);
  const lead = long > 0 ? long : rows.indexOf(Math.max(...rows));
  if (lead <= 0 || rows[lead]! < 2 * steps) return nest;
  const order = [lead, ...axes.map((_, i) => i).filter((i) => i !== lead)];
  return { axes: order.map((i) => axes[i]!), ops: renumber(ops, axes, order), rangeScale: 1 };
}

/** How many steps the range of a nest has. */
export const rangeOfNest = ({ axes, rangeScale }: Nest): number => (rangeScale > 0 ? axes[0]!.size / rangeScale : 1);

/** The nest of a kernel's body. */
export function nestOf(kernel: Pick<Kernel, 'rows' | 'reduced' | 'body' | 'range'>): Nest {
  const all: Axis[] = [
    ...kernel.rows.map((size) => ({ size, reduced: false })),
    ...kernel.reduced.map((size) => ({ size, reduced: true })),
  ];
  const kept = all.map((_, i) => i).filter((i) => all[i]!.size !== 1);
  const ops = renumber(kernel.body.map(nestOp), all, kept);
  const rangeScale = kernel.range > 1 ? 1 : 0;
  return mergeAxes({ axes: kept.map((i) => all[i]!), ops, rangeScale });
}

const reductions: ReadonlySet<string> = new Set(reduceOps);

export const isReduction = (op: NestOp): boolean => reductions.has(op.op);

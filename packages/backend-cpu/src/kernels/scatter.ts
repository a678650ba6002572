/*
 * Scatter: a copy of the base, then each update in order, so that a sum does not depend on how the work is split. A
 * part of the range owns some of the outer axis, or, where there is none, some places of the indexed axis. Where one
 * index serves a whole row of updates, as in the gradient of an embedding, rows are added as vectors.
 */
import type { Access, DType, Expr, Kernel, Scatter } from '@dl/tensor';
import type { Local } from '../wasm/assembler';
import type { PlainOp } from '../wasm/function-builder';
import { constant, factorOf, type Linear, limitsOf, linearOf, plus, scaled, substitute } from './linear';
import { emitNest } from './loop';
import { nestOf } from './nest';
import { type Plan, planOf } from './plan';
import { loopOver, pushElement, pushRowMajor, scalarKinds } from './scalar-loops';
import { type Frame, widths } from './target';

/** The row-major place of axes, from variable 0 on. */
function rowMajor(sizes: readonly number[]): Expr {
  let step = 1;
  const terms: Expr[] = [];
  for (let index = sizes.length - 1; index >= 0; index--) {
    const size = sizes[index]!;
    terms.push({ kind: 'mul', term: { kind: 'var', index, size }, factor: step });
    step *= size;
  }
  return { kind: 'add', terms };
}

/** The loop that sets the output to the base, or to zeros. */
function baseKernel(
  { dtype, outer, limit, inner, base, out }: Scatter,
  range: number,
): Pick<Kernel, 'rows' | 'reduced' | 'body' | 'range'> {
  const rows = [...outer, limit, ...inner];
  const place: Access = { binding: out, index: rowMajor(rows), bounds: [] };
  return {
    rows,
    reduced: [],
    range,
    body: [
      base ? { op: 'load', dtype, access: base, fill: 0 } : { op: 'constant', dtype, value: 0 },
      { op: 'store', dtype, access: place, args: [0] },
    ],
  };
}

/** The plan of the base's loop, for its grain. */
export const scatterBase = (scatter: Scatter, range: number): Plan => planOf(nestOf(baseKernel(scatter, range)));

/** How the updates are walked. */
interface Walk {
  readonly frame: Frame;
  readonly scatter: Scatter;
  readonly range: number;
  readonly indexDtype: DType;
}

/** Writes a scatter; `indexDtype` is that of its index binding. */
export function emitScatter(frame: Frame, scatter: Scatter, options: { range: number; indexDtype: DType }): void {
  emitNest(frame, scatterBase(scatter, options.range));
  const walk: Walk = { frame, scatter, ...options };
  const row = rowOfUpdates(scatter);
  if (row !== null) emitRows(walk, row);
  else emitElements(walk);
}

/** Loads the index of an update, and runs `body` with it if it is in range and this part owns its place. */
function atIndex({ frame, scatter, range, indexDtype }: Walk, place: Local, body: () => void): void {
  const { f } = frame;
  const { outer, limit, index } = scatter;
  pushElement(frame, index, indexDtype);
  f.tee(place).i32(limit).op('i32.lt_u');
  f.if(
    () => {
      if (range === 1 || outer.length > 0) {
        body();
        return;
      }
      f.get(place).get(frame.begin).op('i32.ge_u').get(place).get(frame.end).op('i32.lt_u').op('i32.and');
      f.if(body);
    },
    () => frame.fault(place, limit),
  );
}

/** One update after another. */
function emitElements(walk: Walk): void {
  const { frame, scatter, range } = walk;
  const { f } = frame;
  const { dtype, mode, outer, count, inner, limit, updates, out } = scatter;
  const kind = scalarKinds[dtype];
  const place = f.local('i32');
  const address = f.local('i32');
  const sizes = [...outer, count, ...inner];
  loopOver(frame, sizes, { ranged: range > 1 && outer.length > 0 }, () => {
    atIndex(walk, place, () => {
      const counters = sizes.map((_, axis) => frame.counters[axis]!);
      counters[outer.length] = place;
      pushRowMajor(frame, [...outer, limit, ...inner], counters);
      f.i32(widths[dtype]).op('i32.mul');
      frame.pushBinding(out);
      f.op('i32.add').tee(address);
      if (mode === 'add') f.get(address).mem(kind.load);
      pushElement(frame, updates, dtype);
      if (mode === 'add') f.op(kind.add);
      f.mem(kind.store);
    });
  });
}

const vectorAdd: Partial<Record<DType, PlainOp>> = {
  f32: 'f32x4.add',
  f64: 'f64x2.add',
  i32: 'i32x4.add',
  u32: 'i32x4.add',
};

/** The place of the first update of a row, if the updates of a row are contiguous and share their index. */
function rowOfUpdates({ dtype, outer, inner, index, updates }: Scatter): Linear | null {
  if (inner.length === 0 || vectorAdd[dtype] === undefined) return null;
  const limits = limitsOf(updates.bounds);
  if (limits === null || limits.length > 0) return null;
  const from = outer.length + 1;
  const innerMask = inner.reduce((mask, _, i) => mask | (1 << (from + i)), 0);
  const bounds = limitsOf(index.bounds) ?? [];
  if ([linearOf(index.index), ...bounds.map((b) => b.term)].some((sum) => (sum.mask & innerMask) !== 0)) return null;
  const sum = linearOf(updates.index);
  let step = 1;
  for (let i = inner.length - 1; i >= 0; i--) {
    if (inner[i] !== 1 && factorOf(sum, from + i) !== step) return null;
    step *= inner[i]!;
  }
  const first = substitute(sum, (v) => (v >= from ? constant(0) : null));
  // Nothing of the row is left in the sum, or it was in a division.
  const restored = plus(first, linearOf(shifted(rowMajor(inner), from)));
  return restored.mask === sum.mask && restored.terms.length === sum.terms.length ? first : null;
}

/** An expression over variables from `by` on. */
function shifted(expr: Expr, by: number): Expr {
  if (expr.kind === 'var') return { ...expr, index: expr.index + by };
  if (expr.kind === 'mul') return { ...expr, term: shifted(expr.term, by) };
  return expr.kind === 'add' ? { ...expr, terms: expr.terms.map((t) => shifted(t, by)) } : expr;
}

/** A row of updates for each index. */
function emitRows(walk: Walk, row: Linear): void {
  const { frame, scatter, range } = walk;
  const { f } = frame;
  const { dtype, mode, outer, count, inner, limit, updates, out } = scatter;
  const width = widths[dtype];
  const size = inner.reduce((a, b) => a * b, 1);
  const [place, from, to, at] = f.locals('i32', 4) as [Local, Local, Local, Local];
  const kind = scalarKinds[dtype];
  const whole = size - (size % (16 / width));
  if (size === 0) return;
  loopOver(frame, [...outer, count], { ranged: range > 1 && outer.length > 0 }, () => {
    atIndex(walk, place, () => {
      const counters = outer.map((_, axis) => frame.counters[axis]!);
      pushRowMajor(frame, [...outer, limit], [...counters, place]);
      f.i32(size * width).op('i32.mul');
      frame.pushBinding(out);
      f.op('i32.add').set(to);
      frame.pushSum(scaled(row, width));
      frame.pushBinding(updates.binding);
      f.op('i32.add').set(from);
      if (whole > 0) {
        f.for(at, { to: whole, step: 16 / width }, () => {
          f.get(to);
          if (mode === 'add') f.get(to).mem('v128.load', 0, 2);
          f.get(from).mem('v128.load', 0, 2);
          if (mode === 'add') f.op(vectorAdd[dtype]!);
          f.mem('v128.store', 0, 2).increment(from, 16).increment(to, 16);
        });
      }
      for (let rest = 0; rest < size - whole; rest++) {
        f.get(to);
        if (mode === 'add') f.get(to).mem(kind.load, rest * width);
        f.get(from).mem(kind.load, rest * width);
        if (mode === 'add') f.op(kind.add);
        f.mem(kind.store, rest * width);
      }
    });
  });
}

/*
 * Scatter: a copy of the base, then each update in order, so that a sum does not depend on how the work is split. A
 * part of the range owns some of the outer axis, or, where there is none, some places of the indexed axis.
 */
import type { Access, DType, Kernel, Scatter } from '@dl/tensor';
import { emitNest } from './loop';
import { nestOf } from './nest';
import { planOf } from './plan';
import { loopOver, pushElement, pushRowMajor, scalarKinds } from './scalar-loops';
import { type Frame, widths } from './target';

/** The loop that sets the output to the base, or to zeros. */
function baseKernel(
  { dtype, outer, limit, inner, base, out }: Scatter,
  range: number,
): Pick<Kernel, 'rows' | 'reduced' | 'body' | 'range'> {
  const rows = [...outer, limit, ...inner];
  let step = 1;
  const terms = rows
    .map((size, index) => ({ size, index }))
    .reverse()
    .map(({ size, index }) => {
      const term = { kind: 'mul', term: { kind: 'var', index, size }, factor: step } as const;
      step *= size;
      return term;
    });
  const place: Access = { binding: out, index: { kind: 'add', terms }, bounds: [] };
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
export const scatterBase = (scatter: Scatter, range: number) => planOf(nestOf(baseKernel(scatter, range)));

/** Writes a scatter; `indexDtype` is that of its index binding. */
export function emitScatter(
  frame: Frame,
  scatter: Scatter,
  { range, indexDtype }: { range: number; indexDtype: DType },
): void {
  const { f } = frame;
  const { dtype, mode, outer, count, inner, limit, index, updates, out } = scatter;
  emitNest(frame, scatterBase(scatter, range));
  const kind = scalarKinds[dtype];
  const ranged = range > 1;
  const splitsOuter = ranged && outer.length > 0;
  const place = f.local('i32');
  const address = f.local('i32');
  loopOver(frame, [...outer, count, ...inner], { ranged: splitsOuter }, () => {
    pushElement(frame, index, indexDtype);
    f.tee(place).i32(limit).op('i32.lt_u');
    f.if(
      () => {
        const update = () => {
          const counters = [...outer, count, ...inner].map((_, axis) => frame.counters[axis]!);
          counters[outer.length] = place;
          pushRowMajor(frame, [...outer, limit, ...inner], counters);
          f.i32(widths[dtype]).op('i32.mul');
          frame.pushBinding(out);
          f.op('i32.add').set(address);
          f.get(address);
          if (mode === 'add') f.get(address).mem(kind.load);
          pushElement(frame, updates, dtype);
          if (mode === 'add') f.op(kind.add);
          f.mem(kind.store);
        };
        if (!ranged || splitsOuter) return update();
        f.get(place).get(frame.begin).op('i32.ge_u').get(place).get(frame.end).op('i32.lt_u').op('i32.and');
        f.if(update);
      },
      () => frame.fault(place, limit),
    );
  });
}

/*
 * Scan: h_t = a_t · h_{t−1} + b_t. A row is a chain of operations that wait for one another, so rows go side by side: in
 * the lanes of vectors where neighbours in memory are rows (then time is the outer loop, and h_{t−1} is read back from what
 * was just written), else a few at a time. A product and a sum are rounded each, in every case, so that a row's result does
 * not depend on where it lies.
 */
import type { Access, DType, Scan } from '@dl/tensor';
import type { Local } from '../wasm/assembler';
import type { PlainOp } from '../wasm/function-builder';
import { factorOf, isCurved, type Linear, limitsOf, linearOf } from './linear';
import { loopOver, pushAddress, pushElement, pushNumber, scalarKinds } from './scalar-loops';
import { type Frame, widths } from './target';

/** Rows that go side by side one element at a time. */
const atOnce = 4;
/** Rows in lanes that one call takes at least, so that memory is read in long lines. */
const lanesAtOnce = 256;

const vectorOps: Partial<Record<DType, readonly [mul: PlainOp, add: PlainOp]>> = {
  f32: ['f32x4.mul', 'f32x4.add'],
  f64: ['f64x2.mul', 'f64x2.add'],
  i32: ['i32x4.mul', 'i32x4.add'],
  u32: ['i32x4.mul', 'i32x4.add'],
};

/** One of the three accesses, whose address moves evenly with time and from row to row. */
interface Walk {
  readonly access: Access;
  /** Bytes from one time to the next, and from one of the rows that go side by side to the next. */
  readonly time: number;
  readonly row: number;
}

interface ScanPlan {
  /** The row axis whose rows go side by side. */
  readonly axis: number;
  readonly inLanes: boolean;
  readonly a: Walk;
  readonly b: Walk;
  readonly out: Walk;
}

const outAccess = ({ out, outIndex }: Scan): Access => ({ binding: out, index: outIndex, bounds: [] });

function walkOf(access: Access, scan: Scan, axis: number): Walk | null {
  if (limitsOf(access.bounds)?.length !== 0) return null;
  const sum: Linear = linearOf(access.index);
  const time = scan.rows.length;
  if (isCurved(sum, time) || isCurved(sum, axis)) return null;
  const width = widths[scan.dtype];
  const walk = { access, time: factorOf(sum, time) * width, row: factorOf(sum, axis) * width };
  return walk.row < 0 ? null : walk;
}

function planFor(scan: Scan, axis: number): ScanPlan | null {
  const walks = [scan.a, scan.b, outAccess(scan)].map((access) => walkOf(access, scan, axis));
  const [a, b, out] = walks;
  if (!a || !b || !out) return null;
  const width = widths[scan.dtype];
  const fits = vectorOps[scan.dtype] !== undefined && scan.rows[axis]! >= 16 / width;
  const inLanes = fits && out.row === width && [a, b].every((walk) => walk.row === 0 || walk.row === width);
  return { axis, inLanes, a, b, out };
}

/** How rows go side by side, or null where one goes after another. */
function planOf(scan: Scan): ScanPlan | null {
  if (scan.dtype === 'u8' || scan.dtype === 'bool' || scan.length === 0) return null;
  const plans = scan.rows.map((_, axis) => planFor(scan, axis));
  return plans.find((plan) => plan?.inLanes) ?? plans.at(-1) ?? null;
}

/** Every part of the range begins at a multiple of this. */
export function scanGrain(scan: Scan, range: number): number {
  const plan = planOf(scan);
  if (plan?.axis !== 0 || range === 1) return 1;
  return Math.min(range, plan.inLanes ? lanesAtOnce : atOnce);
}

/** Writes a scan. */
export function emitScan(frame: Frame, scan: Scan, range: number): void {
  const plan = planOf(scan);
  const ranged = range > 1;
  if (plan === null) {
    emitOneByOne(frame, scan, ranged);
    return;
  }
  const { f } = frame;
  const others = scan.rows.map((_, axis) => axis).filter((axis) => axis !== plan.axis);
  const step = (at: number): void => {
    const axis = others[at];
    if (axis === undefined) {
      const [from, to] = [f.borrow('i32'), f.borrow('i32')];
      if (ranged && plan.axis === 0) f.get(frame.begin).set(from).get(frame.end).set(to);
      else f.i32(0).set(from).i32(scan.rows[plan.axis]!).set(to);
      if (plan.inLanes) emitInLanes(frame, scan, plan, { from, to });
      else emitSideBySide(frame, scan, plan, { from, to });
      f.release(from, to);
      return;
    }
    f.scratch('i32', (counter) => {
      frame.counters[axis] = counter;
      const own = ranged && axis === 0 ? { from: frame.begin, to: frame.end } : { to: scan.rows[axis]! };
      f.for(counter, own, () => step(at + 1));
    });
  };
  if (scan.rows.every((n) => n > 0)) step(0);
}

interface Part {
  readonly from: Local;
  readonly to: Local;
}

/** Sets locals to the addresses of the three accesses where the counters are. */
function pointers(frame: Frame, scan: Scan, { a, b, out }: ScanPlan): Local[] {
  return [a, b, out].map(({ access }) => {
    const local = frame.f.borrow('i32');
    pushAddress(frame, access.binding, access, scan.dtype);
    frame.f.set(local);
    return local;
  });
}

/** Time outside, rows inside: line after line of memory. */
function emitInLanes(frame: Frame, scan: Scan, plan: ScanPlan, { from, to }: Part): void {
  const { f } = frame;
  const { rows, length, reverse, dtype } = scan;
  const { a, b, out, axis } = plan;
  const kind = scalarKinds[dtype];
  const width = widths[dtype];
  const [mul, add] = vectorOps[dtype]!;
  const before = reverse ? out.time : -out.time;
  const [step, time, row, last] = f.locals('i32', 4) as [Local, Local, Local, Local];
  f.get(to)
    .i32(16 / width - 1)
    .op('i32.sub')
    .set(last);
  const line = (first: boolean) => {
    frame.counters[rows.length] = time;
    frame.counters[axis] = from;
    const [pa, pb, po] = pointers(frame, scan, plan) as [Local, Local, Local];
    const previous = f.borrow('i32');
    f.get(po).i32(before).op('i32.add').set(previous);
    const move = (bytes: number) => {
      if (a.row > 0) f.increment(pa, bytes);
      if (b.row > 0) f.increment(pb, bytes);
      f.increment(po, bytes).increment(previous, bytes);
    };
    const vector = (walk: { readonly row: number }, at: Local) =>
      walk.row > 0
        ? f.get(at).mem('v128.load', 0, 2)
        : f.get(at).mem(width === 8 ? 'v128.load64_splat' : 'v128.load32_splat');
    f.for(row, { from, to: last, step: 16 / width }, () => {
      f.get(po);
      vector(a, pa);
      if (first) f.i32(0).op('i32x4.splat');
      else f.get(previous).mem('v128.load', 0, 2);
      f.op(mul);
      vector(b, pb);
      f.op(add).mem('v128.store', 0, 2);
      move(16);
    });
    f.for(row, { from: row, to }, () => {
      f.get(po).get(pa).mem(kind.load);
      if (first) pushNumber(frame, dtype, 0);
      else f.get(previous).mem(kind.load);
      f.op(kind.mul).get(pb).mem(kind.load).op(kind.add).mem(kind.store);
      move(width);
    });
    f.release(pa, pb, po, previous);
  };
  f.i32(reverse ? length - 1 : 0).set(time);
  line(true);
  f.for(step, { from: 1, to: length }, () => {
    f.increment(time, reverse ? -1 : 1);
    line(false);
  });
}

/** Rows inside a few at a time, then one by one. */
function emitSideBySide(frame: Frame, scan: Scan, plan: ScanPlan, { from, to }: Part): void {
  const { f } = frame;
  const { rows, length, reverse, dtype } = scan;
  const kind = scalarKinds[dtype];
  const [row, last, step, time] = f.locals('i32', 4) as [Local, Local, Local, Local];
  const h = f.locals(kind.type, atOnce);
  const walks = [plan.a, plan.b, plan.out] as const;
  f.i32(reverse ? length - 1 : 0).set(time);
  frame.counters[rows.length] = time;
  frame.counters[plan.axis] = row;
  const chains = (count: number) => {
    const own = h.slice(0, count);
    for (const local of own) {
      pushNumber(frame, dtype, 0);
      f.set(local);
    }
    const places = pointers(frame, scan, plan);
    const [pa, pb, po] = places as [Local, Local, Local];
    f.for(step, { to: length }, () => {
      own.forEach((local, k) => {
        f.get(pa)
          .mem(kind.load, plan.a.row * k)
          .get(local)
          .op(kind.mul);
        f.get(pb)
          .mem(kind.load, plan.b.row * k)
          .op(kind.add)
          .set(local);
      });
      own.forEach((local, k) =>
        f
          .get(po)
          .get(local)
          .mem(kind.store, plan.out.row * k),
      );
      walks.forEach((walk, i) => {
        if (walk.time !== 0) f.increment(places[i]!, reverse ? -walk.time : walk.time);
      });
    });
    f.release(...places);
  };
  f.get(to)
    .i32(atOnce - 1)
    .op('i32.sub')
    .set(last);
  f.for(row, { from, to: last, step: atOnce }, () => chains(atOnce));
  f.for(row, { from: row, to }, () => chains(1));
}

/** One row after another, with any access. */
function emitOneByOne(frame: Frame, scan: Scan, ranged: boolean): void {
  const { f } = frame;
  const { dtype, rows, length, reverse, a, b } = scan;
  const kind = scalarKinds[dtype];
  const h = f.local(kind.type);
  const [time, step] = f.locals('i32', 2) as [Local, Local];
  const out = outAccess(scan);
  loopOver(frame, rows, { ranged }, () => {
    pushNumber(frame, dtype, 0);
    f.set(h);
    f.for(step, { to: length }, () => {
      if (reverse)
        f.i32(length - 1)
          .get(step)
          .op('i32.sub')
          .set(time);
      else f.get(step).set(time);
      frame.counters[rows.length] = time;
      pushElement(frame, a, dtype);
      f.get(h).op(kind.mul);
      pushElement(frame, b, dtype);
      f.op(kind.add);
      if (dtype === 'u8') f.i32(255).op('i32.and');
      f.set(h);
      pushAddress(frame, out.binding, out, dtype);
      f.get(h).mem(kind.store);
    });
  });
}

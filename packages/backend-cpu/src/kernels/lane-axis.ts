/*
 * Which axis the lanes of a vector lie along, and how many groups of lanes go together.
 */
import { byteWidth } from '@dl/tensor';
import { factorOf, isCurved } from './linear';
import { isReduction, type Nest, type NestOp } from './nest';
import type { PlannedOp } from './plan';

/** Operations that take several instructions' time. */
export const expensive: ReadonlySet<string> = new Set([
  'exp',
  'log',
  'log1p',
  'expm1',
  'sin',
  'cos',
  'tanh',
  'erf',
  'pow',
  'mod',
  'random',
  'gather',
  'div',
  'sqrt',
  'reciprocal',
]);

/** What an access costs a group of four lanes that lie along an axis. */
function accessCost(op: NestOp, axis: number): number {
  const { place } = op;
  if (!place) return 0;
  const factor = factorOf(place.index, axis);
  let cost = 4;
  if (isCurved(place.index, axis)) cost = 14;
  else if (factor === 0) cost = 0.25;
  else if (factor === 1) cost = 1;
  else if (factor === 2 || factor === -1) cost = 2;
  for (const limit of place.limits) {
    if (isCurved(limit.term, axis)) cost += 12;
    else if (factorOf(limit.term, axis) !== 0) cost += 0.5;
  }
  return cost;
}

/** Estimated time of the whole nest with lanes along an axis. */
function laneCost(nest: Nest, axis: number, element: readonly boolean[]): number {
  const { size, reduced } = nest.axes[axis]!;
  const count = nest.axes.reduce((n, a) => (a.reduced ? n * a.size : n), 1);
  let cost = 0;
  nest.ops.forEach((op, i) => {
    const share = element[i] ? 1 : 1 / count;
    const spread = reduced && !element[i] ? 4 : 1; // rows then go one by one
    const own = op.place ? accessCost(op, axis) : expensive.has(op.op) ? 6 : 1;
    cost += share * spread * own;
    if (reduced && isReduction(op)) cost += (8 * 4) / count;
  });
  const groups = Math.ceil(size / 4);
  return (cost * groups * 4) / size;
}

export function chooseLane(nest: Nest, element: readonly boolean[]): number {
  let best = -1;
  let least = Infinity;
  for (let axis = nest.axes.length - 1; axis >= 0; axis--) {
    const cost = laneCost(nest, axis, element) * (nest.axes[axis]!.reduced && nest.axes[axis]!.size < 16 ? 1.2 : 1);
    if (cost < least * 0.98) {
      least = cost;
      best = axis;
    }
  }
  return best;
}

/**
 * The row axis along which some operand is contiguous whose lanes are far apart, or −1: with that axis inside the loop
 * over blocks of lanes, the lines of memory that a block touches are used up before the next ones come.
 */
export function crossedAxis(nest: Nest, lane: number): number {
  for (const { place } of nest.ops) {
    if (!place || isCurved(place.index, lane) || Math.abs(factorOf(place.index, lane)) < 16) continue;
    const axis = nest.axes.findIndex(
      (a, i) => !a.reduced && i !== lane && a.size >= 8 && factorOf(place.index, i) === 1,
    );
    if (axis >= 0) return axis;
  }
  return -1;
}

/** Most values alive at once in the innermost loop, for one group of lanes. */
function pressureOf(ops: readonly PlannedOp[]): number {
  const last = new Map<number, number>();
  ops.forEach((o, at) => {
    for (const arg of o.op.args) last.set(arg, at);
  });
  let most = 0;
  let alive = 0;
  ops.forEach((o, at) => {
    if (o.op.op !== 'store' && o.op.op !== 'nothing') alive += byteWidth(o.op.dtype) === 8 ? 2 : 1;
    most = Math.max(most, alive);
    for (const arg of new Set(o.op.args))
      if (last.get(arg) === at) alive -= byteWidth(ops.find((x) => x.ref === arg)?.op.dtype ?? 'f32') === 8 ? 2 : 1;
  });
  return most;
}

/** Groups of lanes that go together: as many as the registers hold. */
export function unrollOf(nest: Nest, lane: number, planned: readonly PlannedOp[]): number {
  const size = nest.axes[lane]!.size;
  const inner = planned.filter((o) => o.lanes);
  if (inner.length > 60) return 1;
  const hard = inner.some((o) => expensive.has(o.op.op) && !['div', 'sqrt', 'reciprocal'].includes(o.op.op));
  const accumulators = planned.filter((o) => isReduction(o.op)).length;
  const pressure = pressureOf(inner) + accumulators;
  const fit = Math.floor((hard ? 16 : 14) / Math.max(1, pressure));
  const groups = Math.ceil(size / 4);
  return Math.max(1, Math.min(4, fit, groups));
}

/*
 * Decides how a nest runs: which axis the four lanes of a vector lie along, in which loop every operation belongs, and
 * what a reduction's later phase computes again or finds in scratch memory.
 *
 * Loops are the row axes, then the reduced ones; the lane axis is the innermost of its kind. Depth d means inside d
 * loops. An operation that depends on a reduced axis belongs to phases: phase p runs after p rounds of reductions.
 */
import { byteWidth, reduceOps } from '@dl/tensor';
import { factorOf, isCurved, type Linear } from './linear';
import { type Nest, type NestOp, sumsOf } from './nest';
import { roundsOf } from './split';
import { unrolled } from './unroll';

export interface Loop {
  /** The axis, which is the variable of sums. */
  readonly variable: number;
  readonly size: number;
  readonly reduced: boolean;
  readonly lane: boolean;
  /** Whether the loop runs over the part of the range that the call is given. */
  readonly ranged: boolean;
}

/** One operation in its place. */
export interface PlannedOp {
  readonly ref: number;
  readonly op: NestOp;
  /** Variables that the value depends on, a bit each. */
  readonly mask: number;
  readonly depth: number;
  /** Whether the value differs between lanes. */
  readonly lanes: boolean;
  /** Whether it has a value for each element of the reduced axes. */
  readonly element: boolean;
  /** An element's first phase; for a row, how many rounds of reductions it needs. */
  readonly phase: number;
}

/** A value that a phase leaves in scratch memory for later ones. */
export interface Kept {
  readonly ref: number;
  readonly phase: number;
  /** Byte offset in the scratch memory. */
  readonly offset: number;
}

export interface Phase {
  /** Element operations, in order; those in `loads` come from scratch memory. */
  readonly ops: readonly PlannedOp[];
  readonly loads: ReadonlySet<number>;
  readonly saves: ReadonlySet<number>;
  readonly reductions: readonly PlannedOp[];
}

export interface Plan {
  readonly nest: Nest;
  readonly loops: readonly Loop[];
  /** How many of the loops are rows. */
  readonly rowDepth: number;
  /** Place of the lane loop in `loops`, or −1. */
  readonly laneLoop: number;
  /** Groups of four lanes that go together. */
  readonly unroll: number;
  readonly ops: readonly PlannedOp[];
  readonly phases: readonly Phase[];
  readonly kept: ReadonlyMap<number, Kept>;
  readonly scratchBytes: number;
}

const reductions: ReadonlySet<string> = new Set(reduceOps);
export const isReduction = (op: NestOp): boolean => reductions.has(op.op);

const expensive: ReadonlySet<string> = new Set([
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

function chooseLane(nest: Nest, element: readonly boolean[]): number {
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
function crossedAxis(nest: Nest, lane: number): number {
  for (const { place } of nest.ops) {
    if (!place || isCurved(place.index, lane) || Math.abs(factorOf(place.index, lane)) < 16) continue;
    const axis = nest.axes.findIndex(
      (a, i) => !a.reduced && i !== lane && a.size >= 8 && factorOf(place.index, i) === 1,
    );
    if (axis >= 0) return axis;
  }
  return -1;
}

function loopsOf(nest: Nest, lane: number): Loop[] {
  const loop = (variable: number): Loop => ({
    variable,
    size: nest.axes[variable]!.size,
    reduced: nest.axes[variable]!.reduced,
    lane: variable === lane,
    ranged: variable === 0 && nest.rangeScale > 0,
  });
  const axes = nest.axes.map((_, i) => i);
  const side = (reduced: boolean): number[] => {
    const own = axes.filter((i) => nest.axes[i]!.reduced === reduced);
    if (!own.includes(lane)) return own;
    const inner = reduced ? -1 : crossedAxis(nest, lane);
    const last = inner < 0 ? [lane] : [lane, inner];
    return [...own.filter((i) => !last.includes(i)), ...last];
  };
  return [...side(false), ...side(true)].map(loop);
}

interface Masks {
  readonly mask: number[];
  readonly element: boolean[];
  readonly phase: number[];
}

/** What each operation depends on, and after how many rounds of reductions it can run. */
function masksOf(nest: Nest): Masks {
  let reducedMask = 0;
  nest.axes.forEach((axis, i) => {
    if (axis.reduced) reducedMask |= 1 << i;
  });
  const mask: number[] = [];
  const element: boolean[] = [];
  const phase: number[] = [];
  nest.ops.forEach((op, i) => {
    let own = 0;
    for (const sum of sumsOf(op)) own |= sum.mask;
    for (const arg of op.args) own |= mask[arg]!;
    const reduces = isReduction(op);
    mask[i] = reduces ? own & ~reducedMask : own;
    element[i] = !reduces && (own & reducedMask) !== 0;
    phase[i] = Math.max(0, ...op.args.map((arg) => phase[arg]!)) + (reduces ? 1 : 0);
  });
  return { mask, element, phase };
}

/** The deepest loop whose variable is in the mask, plus one. */
export function depthOf(mask: number, loops: readonly Loop[]): number {
  for (let d = loops.length; d > 0; d--) if (mask & (1 << loops[d - 1]!.variable)) return d;
  return 0;
}

/** Largest scratch memory that a kernel may ask for; beyond, values are computed again. */
const maxScratch = 1 << 22;
const laneBytes = (op: NestOp): number => Math.max(4, byteWidth(op.dtype));

/** Work to compute a value again from loads; element values only. */
function chainCosts(ops: readonly PlannedOp[]): number[] {
  const cost: number[] = [];
  for (const { op, element, ref } of ops) {
    const own =
      op.place || op.op === 'constant' || op.op === 'cast'
        ? op.op === 'gather'
          ? 8
          : 0
        : expensive.has(op.op)
          ? 8
          : 1;
    cost[ref] = element ? own + op.args.reduce((sum, arg) => sum + (cost[arg] ?? 0), 0) : 0;
  }
  return cost;
}

interface Phases {
  readonly phases: Phase[];
  readonly kept: Map<number, Kept>;
  readonly scratchBytes: number;
}

/** The phase in which an element store runs: after the last load of what it overwrites. */
function storePhases(ops: readonly PlannedOp[]): Map<number, number> {
  const lastPhase = Math.max(
    0,
    ...ops.filter((o) => o.element || isReduction(o.op)).map((o) => (isReduction(o.op) ? o.phase - 1 : o.phase)),
  );
  const loaded = new Set(ops.filter((o) => o.op.op === 'load' || o.op.op === 'gather').map((o) => o.op.place!.binding));
  const result = new Map<number, number>();
  for (const o of ops) {
    if (o.op.op !== 'store' || !o.element) continue;
    result.set(o.ref, loaded.has(o.op.place!.binding) ? lastPhase : o.phase);
  }
  return result;
}

function phasesOf(ops: readonly PlannedOp[], lanes: number, count: number, scratchFrom: number): Phases {
  const stores = storePhases(ops);
  const cost = chainCosts(ops);
  const kept = new Map<number, Kept>();
  const firstPhase = new Map<number, number>();
  const phases: { ops: PlannedOp[]; loads: Set<number>; saves: Set<number>; reductions: PlannedOp[] }[] = [];
  let scratchBytes = scratchFrom;
  const rounds = Math.max(
    0,
    ...ops.filter((o) => isReduction(o.op)).map((o) => o.phase),
    ...[...stores.values()].map((p) => p + 1),
  );
  for (let p = 0; p < rounds; p++) {
    const own = ops.filter((o) => isReduction(o.op) && o.phase === p + 1);
    const needed = new Set<number>();
    const loads = new Set<number>();
    const stack = own.map((o) => o.op.args[0]!);
    for (const [ref, phase] of stores) if (phase === p) stack.push(ref);
    while (stack.length > 0) {
      const ref = stack.pop()!;
      if (needed.has(ref) || !ops[ref]!.element) continue;
      needed.add(ref);
      const first = firstPhase.get(ref);
      const bytes = count * lanes * laneBytes(ops[ref]!.op) + 64;
      if (
        first !== undefined &&
        cost[ref]! > 2 &&
        (kept.has(ref) || scratchBytes + bytes - scratchFrom <= maxScratch)
      ) {
        if (!kept.has(ref)) {
          kept.set(ref, { ref, phase: first, offset: scratchBytes });
          scratchBytes += Math.ceil(bytes / 64) * 64;
          phases[first]!.saves.add(ref);
        }
        loads.add(ref);
        continue;
      }
      stack.push(...ops[ref]!.op.args);
    }
    for (const ref of needed) if (!firstPhase.has(ref)) firstPhase.set(ref, p);
    phases.push({ ops: ops.filter((o) => needed.has(o.ref)), loads, saves: new Set(), reductions: own });
  }
  return { phases, kept, scratchBytes };
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

function unrollOf(nest: Nest, lane: number, planned: readonly PlannedOp[]): number {
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

/** Plans a nest, which may use scratch memory from an offset on. */
export function planOf(nest: Nest, scratchFrom = 0): Plan {
  const { mask, element, phase } = masksOf(nest);
  const lane = chooseLane(nest, element);
  // Loops over a few elements inside a block of lanes cost more than the elements.
  const flat = lane >= 0 && !nest.axes[lane]!.reduced ? unrolled(nest, element) : null;
  if (flat) return planOf(flat, scratchFrom);
  const loops = loopsOf(nest, lane);
  const rowDepth = loops.filter((l) => !l.reduced).length;
  const ops: PlannedOp[] = nest.ops.map((op, ref) => {
    const own = depthOf(mask[ref]!, loops);
    return {
      ref,
      op,
      mask: mask[ref]!,
      depth: !element[ref] && phase[ref]! > 0 ? rowDepth : own,
      lanes: lane >= 0 && (mask[ref]! & (1 << lane)) !== 0,
      element: element[ref]!,
      phase: phase[ref]!,
    };
  });
  const unroll = lane < 0 ? 1 : unrollOf(nest, lane, ops);
  const count = nest.axes.reduce((n, a) => (a.reduced ? n * a.size : n), 1);
  const lanes = lane >= 0 && !nest.axes[lane]!.reduced ? 4 * unroll : 1;
  const laneLoop = loops.findIndex((l) => l.lane);
  return { nest, loops, rowDepth, laneLoop, unroll, ops, ...phasesOf(ops, lanes, count, scratchFrom) };
}

/** The plans of a nest, to run one after another on the same part of the range. */
export function plansOf(nest: Nest): Plan[] {
  const { element } = masksOf(nest);
  const lane = chooseLane(nest, element);
  const rounds = lane >= 0 && !nest.axes[lane]!.reduced ? roundsOf(nest, lane, element) : null;
  if (rounds === null) return [planOf(nest)];
  return [rounds.first, rounds.second].map((round) => planOf(round, rounds.scratchBytes));
}

/** The part of a sum that is known before the lanes are: everything but curved terms of the lane variable. */
export const laneFactor = (sum: Linear, lane: number): number => (lane < 0 ? 0 : factorOf(sum, lane));

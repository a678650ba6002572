/*
 * Decides how a nest runs: the order of its loops, and in which loop every operation belongs.
 *
 * Loops are the row axes, then the reduced ones; the lane axis is the innermost of its kind, or nearly. Depth d means
 * inside d loops. An operation that depends on a reduced axis belongs to phases: phase p runs after p rounds of reductions.
 */
import { loadsAhead } from './ahead';
import { chooseLane, crossedAxis, unrollOf } from './lane-axis';
import { isReduction, type Nest, type NestOp, sumsOf } from './nest';
import { phasesOf } from './phases';
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
  /** Loads of the first phase that are made for the next row, whose values nobody uses. */
  readonly ahead: readonly PlannedOp[];
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
  const { phases, ...scratch } = phasesOf(ops, lanes, count, scratchFrom);
  const [first, second] = phases;
  if (first && second) phases[1] = { ...second, ahead: loadsAhead(first.ops, loops, rowDepth) };
  return { nest, loops, rowDepth, laneLoop, unroll, ops, phases, ...scratch };
}

/** The plans of a nest, to run one after another on the same part of the range. */
export function plansOf(nest: Nest): Plan[] {
  const { element } = masksOf(nest);
  const lane = chooseLane(nest, element);
  const rounds = lane >= 0 && !nest.axes[lane]!.reduced ? roundsOf(nest, lane, element) : null;
  if (rounds === null) return [planOf(nest)];
  return [rounds.first, rounds.second].map((round) => planOf(round, rounds.scratchBytes));
}

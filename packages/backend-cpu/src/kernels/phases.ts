/*
 * The phases of a nest with reductions: which element operations each runs, and what a later phase computes again or finds
 * in scratch memory.
 */
import { byteWidth } from '@dl/tensor';
import { expensive } from './lane-axis';
import { isReduction, type NestOp } from './nest';
import type { Kept, Phase, PlannedOp } from './plan';

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

export interface Phases {
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

/** The phases of operations over `count` reduced elements, with scratch memory from an offset on. */
export function phasesOf(ops: readonly PlannedOp[], lanes: number, count: number, scratchFrom: number): Phases {
  const stores = storePhases(ops);
  const cost = chainCosts(ops);
  const kept = new Map<number, Kept>();
  const firstPhase = new Map<number, number>();
  const phases: (Phase & { readonly saves: Set<number> })[] = [];
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
    phases.push({ ops: ops.filter((o) => needed.has(o.ref)), loads, saves: new Set(), reductions: own, ahead: [] });
  }
  return { phases, kept, scratchBytes };
}

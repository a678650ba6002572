/*
 * What preparations of a schedule's kernels leave in shared memory, and where. Kernels that would leave the same of the same
 * storage, such as the panels of a recurrent weight, do so once: the later ones find it, as long as nothing has written
 * to the storage since. All others use one place in turn.
 */
import type { Schedule, Slot } from '@dl/tensor';
import { byteWidth } from '@dl/tensor';
import type { CompiledKernel } from './executable';

/** Where a kernel finds what was prepared. */
export interface PreparedPlace {
  /** Whether an earlier step has prepared it. */
  readonly again: boolean;
  /** The kernel that prepares it, by its number. */
  readonly first: number;
  /** In shared memory. */
  readonly offset: number;
}

/** Most bytes kept for later steps. */
const maxKept = 1 << 27;

interface Kept {
  readonly slot: Slot;
  /** The step that prepares. */
  readonly first: number;
}

/** Whether writing one slot may change another. Two bound ones may be the same storage. */
function touches(written: Slot, read: Slot): boolean {
  if (written.kind !== read.kind) return false;
  if (written.kind === 'bound') return true;
  const end = (slot: Slot) => slot.offset + slot.size * byteWidth(slot.dtype);
  return written.offset < end(read) && read.offset < end(written);
}

/** For each kernel of a schedule, the first one that prepares what it needs. */
function firstsOf(schedule: Schedule, kernels: readonly CompiledKernel[]): number[] {
  const valid = new Map<string, Kept>();
  const firsts: number[] = [];
  let at = 0;
  for (const step of schedule.steps) {
    const written =
      step.kind === 'copy' ? [step.to] : step.kernel.bindings.filter((b) => b.mode !== 'read').map((b) => b.slot);
    if (step.kind === 'kernel') {
      const { prepare } = kernels[at]!;
      const slot = prepare && step.kernel.bindings[prepare.binding]!.slot;
      const key = prepare && prepare.key !== null ? `${slot} ${prepare.key}` : null;
      firsts.push((key === null ? undefined : valid.get(key)?.first) ?? at);
      if (key !== null && !valid.has(key)) valid.set(key, { slot: schedule.slots[slot!]!, first: at });
      at++;
    }
    for (const [key, { slot }] of valid) {
      if (written.some((w) => touches(schedule.slots[w]!, slot))) valid.delete(key);
    }
  }
  return firsts;
}

/** Gives every kernel of a schedule its place, in order. */
export function sharePreparations(
  schedule: Schedule,
  kernels: readonly CompiledKernel[],
): { readonly places: readonly PreparedPlace[]; readonly bytes: number } {
  const firsts = firstsOf(schedule, kernels);
  const offsets = new Map<number, number>();
  let kept = 0;
  firsts.forEach((first, at) => {
    const bytes = kernels[first]!.prepare?.sharedBytes ?? 0;
    if (first === at || offsets.has(first) || kept + bytes > maxKept) return;
    offsets.set(first, kept);
    kept += bytes;
  });
  let rest = 0;
  const places = firsts.map((first, at) => {
    const offset = offsets.get(first);
    if (offset !== undefined) return { again: first !== at, first, offset };
    rest = Math.max(rest, kernels[at]!.prepare?.sharedBytes ?? 0);
    return { again: false, first: at, offset: kept };
  });
  return { places, bytes: kept + rest };
}

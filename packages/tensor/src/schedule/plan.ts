/**
 * Plans the arena: intermediate values whose lifetimes do not meet share bytes. Lifetimes are in steps; a value lives from
 * the step that first writes it to the last that touches it, both included, so that no step writes over what it reads.
 * Within a run steps happen in order, and every intermediate is written before it is read in the same run, so a replay
 * finds nothing of the run before. Without sharing, each value has bytes of its own.
 */
import { byteWidth } from '../dtype';
import type { Slot, Step } from '../kernel';

/** A run of free bytes. */
interface Gap {
  offset: number;
  size: number;
}

const alignment = 64;
/** A value of this size or more is followed by a fortieth of its bytes, in an odd number of lines. */
const staggerFrom = 8192;

/**
 * The bytes that a value takes. Values of equal size would begin at one place of their pages and, used together, fight for the
 * same lines of the cache. The room of one value holds that of any that come to its size.
 */
function bytesOf({ size, dtype }: Slot): number {
  const lines = Math.ceil((size * byteWidth(dtype)) / alignment);
  const bytes = lines * alignment;
  return bytes < staggerFrom ? bytes : bytes + (2 * Math.floor(lines / 80) - 1) * alignment;
}

/** The slots with offsets in the arena, and how large it is. */
export function planArena(
  slots: readonly Slot[],
  steps: readonly Step[],
  share = true,
): { slots: Slot[]; arenaBytes: number } {
  const { first, last } = lifetimes(slots, steps);
  const starts: number[][] = steps.map(() => []);
  const ends: number[][] = steps.map(() => []);
  slots.forEach((slot, i) => {
    if (slot.kind !== 'arena' || first[i]! < 0) return;
    starts[first[i]!]!.push(i);
    ends[last[i]!]!.push(i);
  });
  const planned = [...slots];
  const arena = new Arena();
  const sizeOf = (i: number): number => bytesOf(slots[i]!);
  for (let s = 0; s < steps.length; s++) {
    for (const i of starts[s]!.sort((a, b) => sizeOf(b) - sizeOf(a) || a - b))
      planned[i] = { ...slots[i]!, offset: arena.take(sizeOf(i)) };
    if (share) for (const i of ends[s]!) arena.give(planned[i]!.offset, sizeOf(i));
  }
  return { slots: planned, arenaBytes: arena.bytes };
}

/** First and last step that touches each slot; −1 for one that none does. */
function lifetimes(slots: readonly Slot[], steps: readonly Step[]): { first: Int32Array; last: Int32Array } {
  const first = new Int32Array(slots.length).fill(-1);
  const last = new Int32Array(slots.length).fill(-1);
  const touch = (slot: number, step: number): void => {
    if (first[slot]! < 0) first[slot] = step;
    last[slot] = step;
  };
  steps.forEach((step, s) => {
    if (step.kind === 'kernel') for (const b of step.kernel.bindings) touch(b.slot, s);
    else {
      touch(step.from, s);
      touch(step.to, s);
    }
  });
  return { first, last };
}

/** Free bytes by offset; takes the smallest gap that fits, and grows at the end. */
class Arena {
  bytes = 0;
  private readonly gaps: Gap[] = [];

  take(size: number): number {
    let best = -1;
    for (let i = 0; i < this.gaps.length; i++) {
      const gap = this.gaps[i]!;
      if (gap.size >= size && (best < 0 || gap.size < this.gaps[best]!.size)) best = i;
    }
    if (best < 0) return this.grow(size);
    const gap = this.gaps[best]!;
    const { offset } = gap;
    gap.offset += size;
    gap.size -= size;
    if (gap.size === 0) this.gaps.splice(best, 1);
    return offset;
  }

  /** A gap at the end is part of the growth. */
  private grow(size: number): number {
    const end = this.gaps.at(-1);
    if (end !== undefined && end.offset + end.size === this.bytes) {
      this.gaps.pop();
      this.bytes = end.offset + size;
      return end.offset;
    }
    this.bytes += size;
    return this.bytes - size;
  }

  give(offset: number, size: number): void {
    if (size === 0) return;
    let low = 0;
    let high = this.gaps.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (this.gaps[mid]!.offset < offset) low = mid + 1;
      else high = mid;
    }
    const before = this.gaps[low - 1];
    const after = this.gaps[low];
    const joinsBefore = before !== undefined && before.offset + before.size === offset;
    const joinsAfter = after !== undefined && offset + size === after.offset;
    if (joinsBefore && joinsAfter) {
      before.size += size + after.size;
      this.gaps.splice(low, 1);
    } else if (joinsBefore) before.size += size;
    else if (joinsAfter) {
      after.offset = offset;
      after.size += size;
    } else this.gaps.splice(low, 0, { offset, size });
  }
}

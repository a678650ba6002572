/*
 * Where intermediate values of a schedule live: buffers that values share whose lifetimes do not meet. The schedule's own offsets
 * are for one block of memory; here each value needs a buffer, for a buffer cannot be read and written by one dispatch. All
 * executables share the buffers: the one of rank i is as large as the largest of rank i among them.
 */
import { byteWidth, type Schedule } from '@dl/tensor';
import type { Piece, Pool } from './pool';

/** A value that lives from its first step to its last. */
interface Lifetime {
  readonly key: string;
  readonly byteLength: number;
  readonly first: number;
  readonly last: number;
}

/** Ranks of buffers by value, and the bytes of each rank, the largest first. */
export interface ArenaPlan {
  readonly rankOf: ReadonlyMap<string, number>;
  readonly sizes: readonly number[];
}

export const slotKey = (slot: number): string => `slot ${slot}`;
export const scratchKey = (step: number, index: number): string => `scratch ${step} ${index}`;

/** A buffer is shared by a value that is not much smaller. */
const waste = 4;

function lifetimes(schedule: Schedule, scratch: readonly (readonly number[])[]): Lifetime[] {
  const first = new Map<number, number>();
  const last = new Map<number, number>();
  const touch = (slot: number, step: number): void => {
    if (!first.has(slot)) first.set(slot, step);
    last.set(slot, step);
  };
  schedule.steps.forEach((step, s) => {
    if (step.kind === 'kernel') for (const { slot } of step.kernel.bindings) touch(slot, s);
    else for (const slot of [step.from, step.to]) touch(slot, s);
  });
  const values = [...first].flatMap(([slot, from]): Lifetime[] => {
    const { kind, dtype, size } = schedule.slots[slot]!;
    if (kind === 'bound') return [];
    return [{ key: slotKey(slot), byteLength: size * byteWidth(dtype), first: from, last: last.get(slot)! }];
  });
  const own = scratch.flatMap((sizes, s) =>
    sizes.map((byteLength, i): Lifetime => ({ key: scratchKey(s, i), byteLength, first: s, last: s })),
  );
  return [...values, ...own];
}

/** Whether the schedule was planned without sharing: then its arena is as large as all its values. */
function isUnshared(schedule: Schedule): boolean {
  const total = schedule.slots.reduce(
    (sum, { kind, size, dtype }) => sum + (kind === 'arena' ? Math.ceil((size * byteWidth(dtype)) / 64) * 64 : 0),
    0,
  );
  return schedule.arenaBytes >= total;
}

/** Plans the buffers of a schedule; `scratch` lists the bytes that each step needs for itself. */
export function planArena(schedule: Schedule, scratch: readonly (readonly number[])[]): ArenaPlan {
  const share = !isUnshared(schedule);
  const values = lifetimes(schedule, scratch).sort((a, b) => a.first - b.first || b.byteLength - a.byteLength);
  const buffers: { byteLength: number; busyUntil: number }[] = [];
  const place = new Map<string, number>();
  for (const { key, byteLength, first, last } of values) {
    let best = -1;
    buffers.forEach((b, i) => {
      if (!share || b.busyUntil >= first || b.byteLength > waste * Math.max(byteLength, 4096)) return;
      if (best < 0 || fit(b.byteLength, byteLength) < fit(buffers[best]!.byteLength, byteLength)) best = i;
    });
    if (best < 0) best = buffers.push({ byteLength: 0, busyUntil: 0 }) - 1;
    const buffer = buffers[best]!;
    buffer.byteLength = Math.max(buffer.byteLength, byteLength);
    buffer.busyUntil = last;
    place.set(key, best);
  }
  const ranks = buffers.map((_, i) => i).sort((a, b) => buffers[b]!.byteLength - buffers[a]!.byteLength);
  const rankOfBuffer = new Map(ranks.map((buffer, rank) => [buffer, rank]));
  return {
    rankOf: new Map([...place].map(([key, buffer]) => [key, rankOfBuffer.get(buffer)!])),
    sizes: ranks.map((i) => buffers[i]!.byteLength),
  };
}

/** How badly a buffer suits: bytes too many, and worse, bytes to grow by. */
const fit = (has: number, needs: number): number => (has >= needs ? has - needs : 2 * (needs - has));

/** The buffers that all executables share. */
export class Arena {
  readonly #pieces: Piece[] = [];

  constructor(private readonly pool: Pool) {}

  /** Makes the buffers large enough. Work must be queued only afterwards. */
  reserve(sizes: readonly number[]): void {
    sizes.forEach((byteLength, rank) => {
      const old = this.#pieces[rank];
      if (old && old.byteLength >= byteLength) return;
      const piece = this.pool.take(byteLength);
      if (old) this.pool.give(old);
      this.#pieces[rank] = piece;
    });
  }

  piece(rank: number): Piece {
    return this.#pieces[rank]!;
  }
}

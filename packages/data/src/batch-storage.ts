/**
 * Where batches live. A ring of storages is filled again and again, so that an epoch allocates nothing; this file
 * decides when a batch's storage may be filled anew, and makes its old tensors stale at that moment. `loader.ts`
 * decides what is in a batch.
 *
 * Batch n lives in storage n mod (2 + prefetch). The user holds batches n and n − 1 while up to `prefetch` more are
 * made ready, so a storage comes round exactly when its batch is no longer the user's.
 */
import { HostBuffer, type Tensor, type TypedArray } from '@dl/tensor';
import type { Field } from './dataset';

/** Writes a batch into arrays, one a field. */
export type Fill = (into: readonly TypedArray[]) => void;

/** Makes one batch's tensors `[rows, ...field.shape]`. */
export interface BatchStorage {
  /** Makes batch number `sequence`; the one whose storage it takes becomes stale. */
  make(sequence: number, rows: number, fill: Fill): Tensor[];
  /** Makes batch number `sequence` stale. */
  expire(sequence: number): void;
}

const STALE =
  'it was a batch of a DataLoader, which is valid until the next but one is asked for. ' +
  'Keep it with clone(), or make the loader with { recycle: false }';

const buffersFor = (fields: readonly Field[], rows: number): HostBuffer[] =>
  fields.map((field) => new HostBuffer([rows, ...field.shape], field.dtype));

/** Storage that is new for each batch, which stays valid for as long as it is held. */
export function freshStorage(fields: readonly Field[]): BatchStorage {
  return {
    make(_sequence, rows, fill) {
      const buffers = buffersFor(fields, rows);
      fill(buffers.map((buffer) => buffer.array));
      return buffers.map((buffer) => buffer.tensor());
    },
    expire() {},
  };
}

/** One place of the ring: buffers for each number of rows it has held (whole batches, and a shorter last one). */
class Slot {
  private readonly byRows = new Map<number, HostBuffer[]>();
  private current: HostBuffer[] = [];
  private sequence = -1;

  constructor(private readonly fields: readonly Field[]) {}

  make(sequence: number, rows: number, fill: Fill): Tensor[] {
    let buffers = this.byRows.get(rows);
    if (!buffers) this.byRows.set(rows, (buffers = buffersFor(this.fields, rows)));
    if (buffers !== this.current) this.invalidate();
    this.current = buffers;
    this.sequence = sequence;
    // No turn of the loop and no user code lies between filling and tensor(), so nobody reads a half-filled batch.
    fill(buffers.map((buffer) => buffer.array));
    return buffers.map((buffer) => buffer.tensor());
  }

  expire(sequence: number): void {
    if (this.sequence === sequence) this.invalidate();
  }

  private invalidate(): void {
    for (const buffer of this.current) buffer.invalidate(STALE);
  }
}

/** Storage that is filled again and again; see the head of this file. */
export function recycledStorage(fields: readonly Field[], prefetch: number): BatchStorage {
  const slots = Array.from({ length: 2 + prefetch }, () => new Slot(fields));
  const slotOf = (sequence: number): Slot => slots[sequence % slots.length]!;
  return {
    make: (sequence, rows, fill) => slotOf(sequence).make(sequence, rows, fill),
    expire: (sequence) => {
      if (sequence >= 0) slotOf(sequence).expire(sequence);
    },
  };
}

/**
 * Where batches live. A ring of storages is filled again and again, so that an epoch allocates nothing on the backend;
 * this file decides when a batch's storage may be filled anew, and makes its old tensors stale at that moment.
 * `loader.ts` decides what is in a batch.
 *
 * Batch n lives in storage n mod (2 + prefetch). The user holds batches n and n − 1 while up to `prefetch` more are
 * made ready, so a storage comes round exactly when its batch is no longer the user's.
 */
import { HostBuffer, type Tensor, type TypedArray, tensor, zerosArray } from '@dl/tensor';
import { type Field, fieldSize } from './dataset';

/** Writes a batch into arrays, one a field. */
export type Fill = (into: readonly TypedArray[]) => void;

/** Makes one batch's tensors `[rows, ...field.shape]`. */
export interface BatchStorage {
  /** Makes batch number `sequence`; the one whose storage it takes becomes stale. */
  make(sequence: number, rows: number, fill: Fill): Tensor[];
  /** Makes batch number `sequence` stale. */
  expire(sequence: number): void;
}

const REMEDY =
  'It was a batch of a DataLoader, which is valid until the next but one is asked for. ' +
  'Keep it with clone(), or make the loader with { recycle: false }.';

/** Storage that is new for each batch, which stays valid for as long as it is held. */
export function freshStorage(fields: readonly Field[]): BatchStorage {
  return {
    make(_sequence, rows, fill) {
      const arrays = fields.map((field) => zerosArray(field.dtype, rows * fieldSize(field)));
      fill(arrays);
      return fields.map(({ dtype, shape }, i) => tensor(arrays[i]!, [rows, ...shape], { dtype }));
    },
    expire() {},
  };
}

/** One place of the ring. */
interface Slot {
  readonly buffers: readonly HostBuffer[];
  readonly arrays: readonly TypedArray[];
  /** The batch that is here and valid, or −1. */
  sequence: number;
}

/**
 * Storage that is filled again and again; see the head of this file.
 *
 * @param batchSize - the most rows that a batch has
 */
export function recycledStorage(fields: readonly Field[], batchSize: number, prefetch: number): BatchStorage {
  const slots: Slot[] = [];
  const slotOf = (sequence: number): Slot => (slots[sequence % (2 + prefetch)] ??= newSlot(fields, batchSize));
  return {
    make(sequence, rows, fill) {
      const slot = slotOf(sequence);
      // No turn of the loop and no user code lies between filling and tensor(), so nobody reads a half-filled batch.
      fill(slot.arrays);
      slot.sequence = sequence;
      return slot.buffers.map((buffer) => buffer.tensor(rows));
    },
    expire(sequence) {
      if (sequence < 0 || slotOf(sequence).sequence !== sequence) return;
      const slot = slotOf(sequence);
      slot.sequence = -1;
      // A version of no rows makes the one before it stale.
      for (const buffer of slot.buffers) buffer.tensor(0);
    },
  };
}

function newSlot(fields: readonly Field[], batchSize: number): Slot {
  const buffers = fields.map((field) => new HostBuffer([batchSize, ...field.shape], field.dtype, REMEDY));
  return { buffers, arrays: buffers.map((buffer) => buffer.array), sequence: -1 };
}

/**
 * Memory of the reference backend. It remembers, byte by byte, through which slot it was last written, so that reading what was
 * never written, or what another value has overwritten, is an error rather than a number.
 */
import { BackendError, byteWidth, type DType, hostArray, type Storage, type TypedArray } from '@dl/tensor';
import { decodeHalf, encodeHalf } from '../scalar/half';

/** A block of bytes: a storage of its own, or the arena of an executable. */
export class ReferenceMemory implements Storage {
  readonly buffer: ArrayBuffer;
  /** For each byte the number of the slot that wrote it last; 0 if none did. Null when nothing is tracked. */
  readonly owner: Int32Array | null;
  freed = false;

  constructor(
    readonly byteLength: number,
    strict: boolean,
  ) {
    this.buffer = new ArrayBuffer(byteLength);
    this.owner = strict ? new Int32Array(byteLength) : null;
  }

  /** Forgets what was written, as for an arena whose contents do not outlive a run. */
  forget(): void {
    this.owner?.fill(0);
  }

  /** Checks that a range lies inside, and that the memory is still there. */
  check(operation: string, byteOffset: number, byteLength: number): void {
    if (this.freed) throw new BackendError(`${operation}: the storage was freed.`);
    if (byteOffset < 0 || byteOffset + byteLength > this.byteLength) {
      throw new BackendError(
        `${operation}: bytes ${byteOffset} to ${byteOffset + byteLength} are outside a storage of ${this.byteLength} bytes.`,
      );
    }
  }
}

/** The slot number under which whole storages are written; an arena numbers its slots. */
export const wholeStorage = 1;

/** The elements of one slot, for one run. Every read and write is checked against the size and, if tracked, the owner. */
export class Elements {
  readonly array: TypedArray;

  constructor(
    readonly memory: ReferenceMemory,
    readonly byteOffset: number,
    readonly dtype: DType,
    readonly size: number,
    readonly slotKey: number,
  ) {
    memory.check('run', byteOffset, size * byteWidth(dtype));
    this.array = hostArray(dtype, memory.buffer, byteOffset, size);
  }

  read(index: number): number {
    this.checkIndex('reads', index);
    this.checkWritten(index);
    const value = this.array[index]!;
    return this.dtype === 'f16' ? decodeHalf(value) : value;
  }

  write(index: number, value: number): void {
    this.checkIndex('writes', index);
    this.array[index] = this.dtype === 'f16' ? encodeHalf(value) : value;
    const width = byteWidth(this.dtype);
    const start = this.byteOffset + index * width;
    this.memory.owner?.fill(this.slotKey, start, start + width);
  }

  private checkIndex(verb: string, index: number): void {
    if (!(index >= 0 && index < this.size && Number.isInteger(index))) {
      throw new BackendError(`${verb} element ${index} of a slot of ${this.size}.`);
    }
  }

  private checkWritten(index: number): void {
    const { owner } = this.memory;
    if (!owner) return;
    const width = byteWidth(this.dtype);
    for (let b = 0; b < width; b++) {
      const by = owner[this.byteOffset + index * width + b]!;
      if (by === this.slotKey) continue;
      const why = by === 0 ? 'was never written' : 'was overwritten through another slot';
      throw new BackendError(`reads element ${index}, which ${why}.`);
    }
  }
}

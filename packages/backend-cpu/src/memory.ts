/*
 * The backend's memory: one growing WebAssembly memory and the allocator of storages in it.
 *
 * Storages begin at multiples of 64. Large ones are staggered, because arrays at equal offsets modulo 4096 fight for
 * the same lines of the cache (15% of the speed of an addition). Free pieces are kept in order of address and join
 * their neighbours. Below `heapStart` lie the status word (kernels/target.ts) and the constants of kernels.
 */
import { BackendError } from '@dl/tensor';

const pageBytes = 65536;
const maxPages = 65536;
export const constantsBase = 1024;
export const constantsBytes = 2 * pageBytes - constantsBase;
const heapStart = 2 * pageBytes;
/** From this size on, where a storage begins modulo 4096 is chosen. */
const staggerFrom = 32768;

export interface MemoryOptions {
  /** Most bytes the memory may grow to. */
  readonly maxBytes: number;
  /** Whether threads may share it. */
  readonly shared: boolean;
}

/** A piece of memory, once it is reserved. */
export class Piece {
  address = 0;
  /** What is given back: where the reservation begins and how long it is. */
  start = 0;
  size = 0;

  constructor(readonly byteLength: number) {}
}

interface Free {
  start: number;
  size: number;
}

export const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 2 : 0)} MB`;

/** Memory with typed views that follow its growth. */
export class LinearMemory {
  readonly memory: WebAssembly.Memory;
  readonly pages: { readonly initial: number; readonly maximum: number };
  readonly #free: Free[] = [];
  #staggered = 0;
  #inUse = 0;
  #peak = 0;
  #buffer: ArrayBuffer;
  #bytes: Uint8Array;
  #words: Int32Array;
  #numbers: Float64Array;

  constructor(readonly options: MemoryOptions) {
    const maximum = Math.max(4, Math.min(maxPages, Math.floor(options.maxBytes / pageBytes)));
    this.pages = { initial: 4, maximum };
    this.memory = new WebAssembly.Memory({ initial: 4, maximum, shared: options.shared });
    this.#buffer = this.memory.buffer;
    this.#bytes = new Uint8Array(this.#buffer);
    this.#words = new Int32Array(this.#buffer);
    this.#numbers = new Float64Array(this.#buffer);
    this.#free.push({ start: heapStart, size: this.#buffer.byteLength - heapStart });
  }

  #refresh(): void {
    if (this.#buffer === this.memory.buffer) return;
    this.#buffer = this.memory.buffer;
    this.#bytes = new Uint8Array(this.#buffer);
    this.#words = new Int32Array(this.#buffer);
    this.#numbers = new Float64Array(this.#buffer);
  }

  get bytes(): Uint8Array {
    this.#refresh();
    return this.#bytes;
  }

  get words(): Int32Array {
    this.#refresh();
    return this.#words;
  }

  get numbers(): Float64Array {
    this.#refresh();
    return this.#numbers;
  }

  get inUse(): number {
    return this.#inUse;
  }

  get peak(): number {
    return this.#peak;
  }

  /** @throws BackendError when the memory cannot grow enough */
  allocate(byteLength: number): Piece {
    return this.reserve(new Piece(byteLength));
  }

  /**
   * Finds a place for a piece.
   *
   * @throws BackendError when the memory cannot grow enough
   */
  reserve<P extends Piece>(piece: P): P {
    const { byteLength } = piece;
    const large = byteLength >= staggerFrom;
    piece.size = Math.max(64, Math.ceil(byteLength / 64) * 64) + (large ? 4096 : 0);
    piece.start = this.#take(piece.size) ?? this.#grow(piece.size, byteLength);
    const target = large ? ((this.#staggered++ * 13) % 64) * 64 : 0;
    piece.address = large ? piece.start + ((((target - piece.start) % 4096) + 4096) % 4096) : piece.start;
    this.#inUse += piece.size;
    this.#peak = Math.max(this.#peak, this.#inUse);
    return piece;
  }

  free({ start, size }: Piece): void {
    this.#inUse -= size;
    this.#release(start, size);
  }

  /** The smallest free piece that is large enough, or undefined. */
  #take(size: number): number | undefined {
    let best = -1;
    for (let i = 0; i < this.#free.length; i++) {
      const piece = this.#free[i]!;
      if (piece.size < size) continue;
      if (best < 0 || piece.size < this.#free[best]!.size) best = i;
    }
    if (best < 0) return undefined;
    const piece = this.#free[best]!;
    const { start } = piece;
    piece.start += size;
    piece.size -= size;
    if (piece.size === 0) this.#free.splice(best, 1);
    return start;
  }

  #release(start: number, size: number): void {
    let low = 0;
    let high = this.#free.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#free[middle]!.start < start) low = middle + 1;
      else high = middle;
    }
    const before = this.#free[low - 1];
    const after = this.#free[low];
    const joinsBefore = before !== undefined && before.start + before.size === start;
    const joinsAfter = after !== undefined && start + size === after.start;
    if (joinsBefore) {
      before.size += size + (joinsAfter ? after.size : 0);
      if (joinsAfter) this.#free.splice(low, 1);
    } else if (joinsAfter) {
      after.start = start;
      after.size += size;
    } else this.#free.splice(low, 0, { start, size });
  }

  #grow(size: number, asked: number): number {
    const held = this.memory.buffer.byteLength;
    const last = this.#free.at(-1);
    const tail = last && last.start + last.size === held ? last.size : 0;
    const needed = Math.ceil((size - tail) / pageBytes);
    const ahead = Math.max(needed, Math.ceil(held / pageBytes / 4)); // so that growing is rare
    if (!this.#growBy(ahead) && !this.#growBy(needed)) {
      throw new BackendError(
        `allocate: there is no room for ${megabytes(asked)}: ${megabytes(this.#inUse)} are in use, and the memory of ${megabytes(held)} cannot grow beyond ${megabytes(this.pages.maximum * pageBytes)}. Dispose of tensors, use smaller batches, or raise maxBytes.`,
      );
    }
    this.#release(held, this.memory.buffer.byteLength - held);
    return this.#take(size)!;
  }

  #growBy(pages: number): boolean {
    if (this.memory.buffer.byteLength / pageBytes + pages > this.pages.maximum) return false;
    try {
      this.memory.grow(pages);
      return true;
    } catch {
      return false; // RangeError: the host has no more
    }
  }
}

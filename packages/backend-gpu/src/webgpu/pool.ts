/*
 * Device memory in pieces that are used again: making a buffer costs milliseconds. A freed piece waits in the list of its size
 * class; because all work is queued in one order, it can be given out at once. What waits is limited by what is in use.
 */
import { BackendError } from '@dl/tensor';
import { usage } from './usage';

/** A buffer and the number by which bind groups are found again. */
export interface Piece {
  readonly id: number;
  readonly buffer: GPUBuffer;
  readonly byteLength: number;
}

const smallest = 256;
/** Waiting memory that is always allowed. */
const spare = 256 << 20;

/** Four sizes between powers of two. */
export function sizeClass(byteLength: number): number {
  if (byteLength <= smallest) return smallest;
  const step = 2 ** Math.max(0, Math.floor(Math.log2(byteLength - 1)) - 2);
  return Math.ceil(byteLength / step) * step;
}

export class Pool {
  readonly #free = new Map<number, Piece[]>();
  #waiting = 0;
  #ids = 0;
  #created = 0;
  inUse = 0;
  peak = 0;

  constructor(
    private readonly device: GPUDevice,
    private readonly maxBytes: number,
    /** Destroys a buffer once what was queued before is done. */
    private readonly destroyLater: (piece: Piece) => void,
  ) {}

  /** How many buffers were made. */
  get created(): number {
    return this.#created;
  }

  /** @throws BackendError when it does not fit */
  take(byteLength: number): Piece {
    const size = sizeClass(byteLength);
    const limit = Math.min(this.device.limits.maxBufferSize, this.device.limits.maxStorageBufferBindingSize);
    if (size > limit) {
      throw new BackendError(`webgpu: ${byteLength} bytes are more than this device allows in one buffer, ${limit}.`);
    }
    if (this.inUse + size > this.maxBytes) {
      throw new BackendError(`webgpu: no ${size} bytes are free, for ${this.inUse} of ${this.maxBytes} are in use.`);
    }
    const piece = this.#again(size) ?? this.#create(size);
    this.inUse += size;
    this.peak = Math.max(this.peak, this.inUse);
    return piece;
  }

  #again(size: number): Piece | undefined {
    const list = this.#free.get(size);
    const piece = list?.pop();
    if (piece) this.#waiting -= size;
    if (list?.length === 0) this.#free.delete(size);
    return piece;
  }

  #create(size: number): Piece {
    if (this.inUse + this.#waiting + size > this.maxBytes) this.trim(0);
    const buffer = this.device.createBuffer({ size, usage: usage.storage | usage.copySource | usage.copyTarget });
    this.#created++;
    return { id: this.#ids++, buffer, byteLength: size };
  }

  give(piece: Piece): void {
    this.inUse -= piece.byteLength;
    this.#waiting += piece.byteLength;
    const list = this.#free.get(piece.byteLength);
    if (list) list.push(piece);
    else this.#free.set(piece.byteLength, [piece]);
    if (this.#waiting > spare + this.inUse) this.trim((spare + this.inUse) / 2);
  }

  /** Destroys waiting buffers, the largest first, until so many bytes wait. */
  trim(bytes: number): void {
    for (const size of [...this.#free.keys()].sort((a, b) => b - a)) {
      const list = this.#free.get(size)!;
      while (list.length > 0 && this.#waiting > bytes) {
        this.#waiting -= size;
        this.destroyLater(list.pop()!);
      }
      if (list.length === 0) this.#free.delete(size);
    }
  }
}

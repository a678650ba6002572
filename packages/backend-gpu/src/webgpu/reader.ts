/*
 * Reads: a copy into a staging buffer, together with the word of faults, which is cleared; then the host waits for it. Staging buffers
 * are used again.
 */

import { type Piece, sizeClass } from './pool';
import { usage } from './usage';

/** Bytes of the fault: kernel, index, limit, and how many there were. */
export const faultBytes = 16;

/** The largest staging buffer that is kept. */
const largest = 16 << 20;

export interface Fault {
  readonly kernel: number;
  readonly index: number;
  readonly limit: number;
}

export interface ReadResult {
  readonly bytes: ArrayBuffer;
  readonly fault: Fault | null;
}

export class Reader {
  readonly #free = new Map<number, GPUBuffer[]>();

  constructor(
    private readonly device: GPUDevice,
    private readonly fault: Piece,
  ) {}

  /** Submits a copy. The promise is for its arrival. */
  submit(from: GPUBuffer | null, byteOffset: number, byteLength: number): Promise<ReadResult> {
    const start = byteOffset & ~3;
    const length = from ? Math.ceil((byteOffset + byteLength - start) / 4) * 4 : 0;
    const size = sizeClass(faultBytes + length);
    const staging = this.#free.get(size)?.pop() ?? this.#create(size);
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(this.fault.buffer, 0, staging, 0, faultBytes);
    encoder.clearBuffer(this.fault.buffer, 0, faultBytes);
    if (from && length > 0) encoder.copyBufferToBuffer(from, start, staging, faultBytes, length);
    this.device.queue.submit([encoder.finish()]);
    return this.#arrival(staging, size, faultBytes + byteOffset - start, byteLength);
  }

  #create(size: number): GPUBuffer {
    return this.device.createBuffer({ size, usage: usage.mapRead | usage.copyTarget });
  }

  async #arrival(staging: GPUBuffer, size: number, from: number, byteLength: number): Promise<ReadResult> {
    await staging.mapAsync(1);
    const mapped = staging.getMappedRange();
    const [kernel, index, limit, count] = new Int32Array(mapped, 0, 4);
    const bytes = mapped.slice(from, from + byteLength);
    staging.unmap();
    this.#keep(staging, size);
    return { bytes, fault: count === 0 ? null : { kernel: kernel!, index: index!, limit: limit! } };
  }
  /** Large buffers are rarely wanted again, and would hold their memory for good. */
  #keep(staging: GPUBuffer, size: number): void {
    const list = this.#free.get(size);
    if (size > largest) staging.destroy();
    else if (list) list.push(staging);
    else this.#free.set(size, [staging]);
  }
}

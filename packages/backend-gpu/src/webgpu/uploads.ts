/*
 * Copies of what is written to the device while other work waits, in host memory that is used again: fresh memory costs more than the
 * copy. From there the queue's own staging takes it; mapped staging buffers of ours were slower (8 MiB in Chromium: 2.7 ms for
 * 1.6).
 */
import { sizeClass } from './pool';

export interface Staged {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of the data, in whole words. */
  readonly byteLength: number;
}

/** Memory that is kept at most. */
const mostKept = 32 << 20;

export class Uploads {
  readonly #free = new Map<number, Uint8Array<ArrayBuffer>[]>();
  #kept = 0;

  copy(data: ArrayBufferView): Staged {
    const size = sizeClass(data.byteLength);
    const again = this.#free.get(size)?.pop();
    if (again) this.#kept -= size;
    const bytes = again ?? new Uint8Array(size);
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    const byteLength = Math.ceil(data.byteLength / 4) * 4;
    bytes.fill(0, data.byteLength, byteLength);
    return { bytes, byteLength };
  }

  /** Takes the memory back, once its data is on its way. */
  give({ bytes }: Staged): void {
    const size = bytes.length;
    if (this.#kept + size > mostKept) return;
    this.#kept += size;
    const list = this.#free.get(size);
    if (list) list.push(bytes);
    else this.#free.set(size, [bytes]);
  }
}

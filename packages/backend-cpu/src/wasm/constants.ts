/*
 * A pool of vector constants in linear memory.
 *
 * In a loop a `v128.load` from a fixed address is about three times faster than a `v128.const`, which V8
 * materialises anew. The pool gives each distinct constant an address in an area that its owner has set aside; the
 * owner copies `bytes()` there before the first kernel runs, and again after more kernels were built. Addresses never
 * move. When the area is full, constants fall back to `v128.const`.
 */

import type { FunctionBuilder } from './function-builder';

/** How the lanes of a constant are read. */
export type LaneType = 'f32x4' | 'f64x2' | 'i32x4' | 'i64x2';

const staging = new DataView(new ArrayBuffer(16));
const stagingBytes = new Uint8Array(staging.buffer);
const stagingUnits = new Uint16Array(staging.buffer);

function stage(lane: LaneType, value: number | bigint): void {
  for (let at = 0; at < 16; at += lane === 'f64x2' || lane === 'i64x2' ? 8 : 4) {
    if (lane === 'f32x4') staging.setFloat32(at, Number(value), true);
    else if (lane === 'f64x2') staging.setFloat64(at, Number(value), true);
    else if (lane === 'i32x4') staging.setInt32(at, Number(value), true);
    else staging.setBigInt64(at, BigInt(value), true);
  }
}

/** Vector constants at fixed addresses, each stored once. */
export class Constants {
  /** Where the area begins, a multiple of 16. */
  readonly base: number;
  readonly #data: Uint8Array<ArrayBuffer>;
  readonly #addresses = new Map<string, number>();

  /**
   * @param base - byte address of the area in the memory of the kernels, a multiple of 16
   * @param capacity - bytes set aside there
   */
  constructor(base: number, capacity: number) {
    if (base % 16 !== 0) throw new RangeError(`the constant area must begin at a multiple of 16, not ${base}`);
    this.base = base;
    this.#data = new Uint8Array(capacity - (capacity % 16));
  }

  /** Bytes in use. Grows when a kernel brings new constants, which tells the owner to write the area again. */
  get byteLength(): number {
    return this.#addresses.size * 16;
  }

  /** What must lie at `base`. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#data.subarray(0, this.byteLength);
  }

  /** Pushes a vector with `value` in every lane. */
  splat(f: FunctionBuilder, lane: LaneType, value: number | bigint): void {
    stage(lane, value);
    this.#push(f);
  }

  /** Pushes a vector of 16 given bytes. */
  vector(f: FunctionBuilder, bytes: ArrayLike<number>): void {
    stagingBytes.set(bytes);
    this.#push(f);
  }

  #push(f: FunctionBuilder): void {
    const key = String.fromCharCode(...stagingUnits);
    let address = this.#addresses.get(key);
    if (address === undefined) {
      const used = this.byteLength;
      if (used === this.#data.length) {
        f.v128(stagingBytes);
        return;
      }
      address = this.base + used;
      this.#data.set(stagingBytes, used);
      this.#addresses.set(key, address);
    }
    f.i32(0).mem('v128.load', address);
  }
}

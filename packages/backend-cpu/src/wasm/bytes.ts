/*
 * A growing byte buffer with the encodings of the WebAssembly binary format (WebAssembly 3.0, section 5.2).
 *
 * Bytes go straight into a `Uint8Array` that doubles when it is full: pushing to a plain array was most of the time
 * of building a kernel.
 */

const scratch = new DataView(new ArrayBuffer(8));

/** Appends bytes, LEB128 integers and little-endian floats. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(capacity = 1024) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** What was written, as a view that the next write may overwrite or leave behind. */
  view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets what was written and keeps the memory. */
  clear(): void {
    this.#length = 0;
  }

  /** One byte. */
  u8(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  /** Unsigned LEB128 of an integer in [0, 2^32). */
  u32(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.u8(rest);
  }

  /** Signed LEB128 of the low 32 bits of an integer; 0xffffffff and −1 are the same constant. */
  i32(value: number): void {
    let rest = value | 0;
    while (rest < -0x40 || rest > 0x3f) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    this.u8(rest & 0x7f);
  }

  /** Signed LEB128 of the low 64 bits of an integer. */
  i64(value: bigint): void {
    let rest = BigInt.asIntN(64, value);
    while (rest < -0x40 || rest > 0x3f) {
      this.u8(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.u8(Number(rest & 0x7fn));
  }

  /** Four bytes of a single-precision float. */
  f32(value: number): void {
    scratch.setFloat32(0, value, true);
    for (let k = 0; k < 4; k++) this.u8(scratch.getUint8(k));
  }

  /** Eight bytes of a double-precision float. */
  f64(value: number): void {
    scratch.setFloat64(0, value, true);
    for (let k = 0; k < 8; k++) this.u8(scratch.getUint8(k));
  }

  /** Raw bytes. */
  bytes(source: ArrayLike<number>): void {
    if (this.#length + source.length > this.#bytes.length) this.#grow(source.length);
    this.#bytes.set(source, this.#length);
    this.#length += source.length;
  }

  /** A name: its length in bytes, then UTF-8. */
  name(text: string): void {
    const encoded = new TextEncoder().encode(text);
    this.u32(encoded.length);
    this.bytes(encoded);
  }

  #grow(extra: number): void {
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + extra));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

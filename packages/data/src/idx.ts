/**
 * The IDX format of the MNIST files: a magic number, the sizes of the axes, then the elements row by row, all
 * big-endian. This file decides what is a valid IDX file; what the arrays mean is for `mnist.ts`.
 *
 *     byte 0, 1   zero
 *     byte 2      element type: 08 u8, 09 i8, 0B i16, 0C i32, 0D f32, 0E f64
 *     byte 3      number of axes
 *     then        one u32 an axis, then the elements
 */
import { FormatError } from '@dl/tensor';
import { type ByteSource, gunzip, isGzip, nameOf, readBytes } from './bytes';

/** The typed array of each IDX element type. */
export interface IdxArrays {
  u8: Uint8Array;
  i8: Int8Array;
  i16: Int16Array;
  i32: Int32Array;
  f32: Float32Array;
  f64: Float64Array;
}

/** The element types that an IDX file can have. */
export type IdxType = keyof IdxArrays;

/** The content of an IDX file. */
export interface IdxArray<T extends IdxType = IdxType> {
  /** The element type. */
  readonly type: T;
  /** The sizes of the axes, outermost first. */
  readonly shape: readonly number[];
  /** The elements, row by row, in this machine's byte order. */
  readonly data: IdxArrays[T];
}

interface ElementType {
  readonly type: IdxType;
  readonly bytes: number;
  read(view: DataView, offset: number, count: number): IdxArrays[IdxType];
}

/** `get` for each of `count` elements of `bytes` bytes from `offset` on. */
function fill<A extends IdxArrays[IdxType]>(array: A, bytes: number, offset: number, get: (at: number) => number): A {
  for (let i = 0; i < array.length; i++) array[i] = get(offset + i * bytes);
  return array;
}

const ELEMENT_TYPES: Readonly<Record<number, ElementType>> = {
  // Copied, so that a small array does not keep the whole file, nor share it.
  8: { type: 'u8', bytes: 1, read: (v, at, n) => new Uint8Array(v.buffer, v.byteOffset + at, n).slice() },
  9: { type: 'i8', bytes: 1, read: (v, at, n) => new Int8Array(v.buffer, v.byteOffset + at, n).slice() },
  11: { type: 'i16', bytes: 2, read: (v, at, n) => fill(new Int16Array(n), 2, at, (i) => v.getInt16(i)) },
  12: { type: 'i32', bytes: 4, read: (v, at, n) => fill(new Int32Array(n), 4, at, (i) => v.getInt32(i)) },
  13: { type: 'f32', bytes: 4, read: (v, at, n) => fill(new Float32Array(n), 4, at, (i) => v.getFloat32(i)) },
  14: { type: 'f64', bytes: 8, read: (v, at, n) => fill(new Float64Array(n), 8, at, (i) => v.getFloat64(i)) },
};

const SUPPORTED = '0x08 u8, 0x09 i8, 0x0b i16, 0x0c i32, 0x0d f32, 0x0e f64';

const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`;

/**
 * Reads an IDX file that is in memory, unpacked.
 *
 * @param bytes - the whole file
 * @param name - what an error calls it; `buffer of N bytes` unless told
 * @returns element type, shape and elements; the elements are a copy
 * @throws FormatError for a wrong magic number, an unknown element type, too few or too many bytes; it names the file,
 *   what was expected and what was found
 */
export function parseIdx(bytes: ArrayBuffer | ArrayBufferView, name: string = nameOf(bytes)): IdxArray {
  const view = ArrayBuffer.isView(bytes)
    ? new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new DataView(bytes);
  const { element, shape, headerBytes } = parseHeader(view, name);
  const count = shape.reduce((product, size) => product * size, 1);
  const expected = headerBytes + count * element.bytes;
  if (view.byteLength !== expected) {
    const state = view.byteLength < expected ? 'is cut short' : 'has bytes after its end';
    throw new FormatError(
      `readIdx: ${name} ${state}: expected ${expected} bytes for ${element.type} [${shape.join(', ')}] ` +
        `(${headerBytes} of header, ${count} × ${element.bytes} of elements), found ${view.byteLength}`,
    );
  }
  return { type: element.type, shape, data: element.read(view, headerBytes, count) };
}

function parseHeader(view: DataView, name: string) {
  if (view.byteLength < 4) {
    throw new FormatError(
      `readIdx: ${name} is cut short: expected a header of at least 4 bytes, found ${view.byteLength}`,
    );
  }
  const magic = view.getUint32(0);
  if (magic >>> 16 !== 0) {
    throw new FormatError(
      `readIdx: ${name} is no IDX file: expected a magic number of the form 0x0000TTNN, found ${hex(magic, 8)}`,
    );
  }
  const element = ELEMENT_TYPES[magic >>> 8];
  if (!element) {
    throw new FormatError(
      `readIdx: ${name} has an unknown element type: expected one of ${SUPPORTED}, found ${hex(magic >>> 8, 2)}`,
    );
  }
  const rank = magic & 0xff;
  const headerBytes = 4 + 4 * rank;
  if (view.byteLength < headerBytes) {
    throw new FormatError(
      `readIdx: ${name} is cut short: expected a header of ${headerBytes} bytes for ${rank} axes, found ${view.byteLength}`,
    );
  }
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  return { element, shape, headerBytes };
}

/**
 * Reads an IDX file, gzipped or not: gzip is told by its first two bytes, not by the file's name.
 *
 * @param source - a path, a URL, or the bytes
 * @param options.name - what an error calls the file; its address, or `buffer of N bytes`, unless told
 * @throws ValueError if the file cannot be read, FormatError if it is no valid IDX file (see {@link parseIdx})
 *
 * @example
 * const { shape, data } = await readIdx('data/mnist/t10k-images-idx3-ubyte.gz'); // [10000, 28, 28], Uint8Array
 */
export async function readIdx(source: ByteSource, options: { readonly name?: string } = {}): Promise<IdxArray> {
  const name = options.name ?? nameOf(source);
  const bytes = await readBytes(source);
  return parseIdx(isGzip(bytes) ? await gunzip(bytes, name) : bytes, name);
}

/**
 * The element types: how they are stored, and how they combine. The table is the whole truth; nothing else in the
 * library spells out a byte width or a promotion.
 */
import { DTypeError } from './errors';

/** What an element is: floats of 32, 64 or 16 bits, signed or unsigned integers, or true and false. */
export type DType = 'f32' | 'f64' | 'f16' | 'i32' | 'u32' | 'u8' | 'bool';

/** The typed arrays that hold elements on the host. A bool is one byte, 0 or 1; an f16 is its 16 bits. */
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array | Uint16Array;

/** The typed array that holds each dtype on the host. */
export interface HostArrays {
  f32: Float32Array;
  f64: Float64Array;
  f16: Uint16Array;
  i32: Int32Array;
  u32: Uint32Array;
  u8: Uint8Array;
  bool: Uint8Array;
}

interface DTypeInfo {
  readonly bytes: number;
  readonly kind: 'float' | 'integer' | 'bool';
  /** Place in the promotion order: bool < u8 < i32, u32 < f16 < f32 < f64. */
  readonly rank: number;
  readonly array: new (buffer: ArrayBuffer | SharedArrayBuffer, byteOffset: number, length: number) => TypedArray;
}

const info = {
  bool: { bytes: 1, kind: 'bool', rank: 0, array: Uint8Array },
  u8: { bytes: 1, kind: 'integer', rank: 1, array: Uint8Array },
  i32: { bytes: 4, kind: 'integer', rank: 2, array: Int32Array },
  u32: { bytes: 4, kind: 'integer', rank: 2, array: Uint32Array },
  f16: { bytes: 2, kind: 'float', rank: 3, array: Uint16Array },
  f32: { bytes: 4, kind: 'float', rank: 4, array: Float32Array },
  f64: { bytes: 8, kind: 'float', rank: 5, array: Float64Array },
} as const satisfies Record<DType, DTypeInfo>;

/** All dtypes. */
export const dtypes = Object.keys(info) as readonly DType[];

/** Bytes of one element. */
export const byteWidth = (dtype: DType): number => info[dtype].bytes;
/** Whether it is f32, f64 or f16. */
export const isFloat = (dtype: DType): boolean => info[dtype].kind === 'float';
/** Whether it is i32, u32 or u8; bool is none. */
export const isInteger = (dtype: DType): boolean => info[dtype].kind === 'integer';
/** Whether a value is the name of a dtype. */
export const isDType = (value: unknown): value is DType => typeof value === 'string' && Object.hasOwn(info, value);

/**
 * The dtype in which two operands meet: the higher in bool < u8 < i32, u32 < f16 < f32 < f64.
 *
 * @throws DTypeError for i32 with u32, which no dtype of the library holds both of
 */
export function promote(operation: string, a: DType, b: DType): DType {
  if (a === b) return a;
  if (info[a].rank === info[b].rank) {
    throw new DTypeError(
      `${operation}: ${a} and ${b} do not combine, for neither holds the other. Use cast('i32') or cast('f32') on one of them.`,
    );
  }
  return info[a].rank > info[b].rank ? a : b;
}

/** The dtype of a true division or a transcendental: floats stay, integers and bool become f32. */
export const floatOf = (dtype: DType): DType => (isFloat(dtype) ? dtype : 'f32');

/** A typed array over `buffer` for elements of `dtype`. */
export function hostArray<D extends DType>(
  dtype: D,
  buffer: ArrayBuffer | SharedArrayBuffer,
  byteOffset: number,
  length: number,
): HostArrays[D] {
  return new (info[dtype].array as DTypeInfo['array'])(buffer, byteOffset, length) as HostArrays[D];
}

/** A fresh typed array of `length` zeros. */
export const zerosArray = <D extends DType>(dtype: D, length: number): HostArrays[D] =>
  hostArray(dtype, new ArrayBuffer(length * byteWidth(dtype)), 0, length);

/** The dtype that a typed array holds, or undefined for one that no tensor can have. A Uint16Array holds the bits of f16. */
export function dtypeOfArray(array: ArrayBufferView): DType | undefined {
  if (array instanceof Float32Array) return 'f32';
  if (array instanceof Float64Array) return 'f64';
  if (array instanceof Int32Array) return 'i32';
  if (array instanceof Uint32Array) return 'u32';
  if (array instanceof Uint16Array) return 'f16';
  if (array instanceof Uint8Array || array instanceof Uint8ClampedArray) return 'u8';
  return undefined;
}

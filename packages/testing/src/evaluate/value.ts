/** Values of the evaluator: dense, row-major, every dtype held as numbers. */
import { type DType, hostArray, type Shape, sizeOf, stridesOf, type TypedArray, zerosArray } from '@dl/tensor';
import { rounded } from '../scalar/arithmetic';
import { decodeHalf, encodeHalf } from '../scalar/half';

/** A tensor's value on the host. */
export interface Value {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: Float64Array;
}

/** A value from numbers, each rounded into the dtype. */
export function toValue(shape: Shape, dtype: DType, numbers: ArrayLike<number>): Value {
  const data = new Float64Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = rounded(dtype, numbers[i]!);
  return { shape, dtype, data };
}

/** A value whose element at each position is `at(position, flat)`, rounded into the dtype. `position` is reused. */
export function fill(
  shape: Shape,
  dtype: DType,
  at: (position: readonly number[], flat: number) => number,
): Float64Array {
  const data = new Float64Array(sizeOf(shape));
  const position = shape.map(() => 0);
  for (let flat = 0; flat < data.length; flat++) {
    data[flat] = rounded(dtype, at(position, flat));
    for (let axis = shape.length - 1; axis >= 0 && ++position[axis]! === shape[axis]; axis--) position[axis] = 0;
  }
  return data;
}

const knownStrides = new WeakMap<Shape, readonly number[]>();

function stridesFor(shape: Shape): readonly number[] {
  let strides = knownStrides.get(shape);
  if (!strides) knownStrides.set(shape, (strides = stridesOf(shape)));
  return strides;
}

/** The row-major place of a position. */
export function flatOf(shape: Shape, position: readonly number[]): number {
  const strides = stridesFor(shape);
  let flat = 0;
  for (let axis = 0; axis < strides.length; axis++) flat += position[axis]! * strides[axis]!;
  return flat;
}

/** The element at a position. */
export const elementAt = (x: Value, position: readonly number[]): number => x.data[flatOf(x.shape, position)]!;

/** All positions of a shape, row-major, each a new array. */
export function positionsOf(shape: Shape): number[][] {
  const all: number[][] = [];
  fill(shape, 'f64', (position) => all.push([...position]));
  return all;
}

/** The bytes that a storage of this value holds. */
export function encodeValue({ dtype, data }: Value): TypedArray {
  const array = zerosArray(dtype, data.length);
  for (let i = 0; i < data.length; i++) array[i] = dtype === 'f16' ? encodeHalf(data[i]!) : data[i]!;
  return array;
}

/** The value that the bytes of a storage hold. */
export function decodeValue(shape: Shape, dtype: DType, buffer: ArrayBuffer): Value {
  const array = hostArray(dtype, buffer, 0, sizeOf(shape));
  return { shape, dtype, data: Float64Array.from(array, (x) => (dtype === 'f16' ? decodeHalf(x) : x)) };
}

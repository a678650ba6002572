/** Turns flat data into nested arrays, and into text for people. */
import type { DType, TypedArray } from './dtype';
import { numbersOf } from './half';
import { type Shape, showShape, sizeOf } from './shape';

/** Nested arrays of rank R; of any rank when R is not known. */
export type Nested<R extends number> = number extends R
  ? NestedAny
  : R extends 0
    ? number
    : R extends 1
      ? number[]
      : R extends 2
        ? number[][]
        : R extends 3
          ? number[][][]
          : R extends 4
            ? number[][][][]
            : NestedAny;
export type NestedAny = number | boolean | readonly NestedAny[];

/** Flat row-major data as nested arrays. */
export function nest(data: TypedArray, shape: Shape, dtype: DType): NestedAny {
  const numbers = numbersOf(data, dtype);
  const element = (i: number): number | boolean => (dtype === 'bool' ? data[i] !== 0 : numbers[i]!);
  const level = (axis: number, offset: number, step: number): NestedAny => {
    if (axis === shape.length) return element(offset);
    const inner = step / Math.max(shape[axis]!, 1);
    return Array.from({ length: shape[axis]! }, (_, i) => level(axis + 1, offset + i * inner, inner));
  };
  return level(0, 0, sizeOf(shape));
}

export interface FormatOptions {
  /** Digits after the point. Default 4. */
  readonly digits?: number;
  /** Axes longer than this show their first and last elements only. Default 8. */
  readonly edge?: number;
}

/** Data as text, one row a line, long axes shortened. */
export function format(
  data: TypedArray,
  shape: Shape,
  dtype: DType,
  { digits = 4, edge = 8 }: FormatOptions = {},
): string {
  const numbers = numbersOf(data, dtype);
  const show = (value: number): string => {
    if (dtype === 'bool') return value ? 'true' : 'false';
    if (!dtype.startsWith('f') || Number.isInteger(value) || !Number.isFinite(value)) return String(value);
    const small = value !== 0 && Math.abs(value) < 10 ** -digits;
    return small || Math.abs(value) >= 1e6 ? value.toExponential(digits) : value.toFixed(digits);
  };
  const lines = (axis: number, offset: number, step: number): string => {
    if (axis === shape.length) return show(numbers[offset]!);
    const n = shape[axis]!;
    const inner = step / Math.max(n, 1);
    const places = n > edge ? [...range(0, edge >> 1), -1, ...range(n - (edge >> 1), n)] : range(0, n);
    const parts = places.map((i) => (i < 0 ? '…' : lines(axis + 1, offset + i * inner, inner)));
    const last = axis === shape.length - 1;
    return `[${parts.join(last ? ', ' : `,\n${' '.repeat(axis + 1)}`)}]`;
  };
  return `${dtype} ${showShape(shape)}\n${lines(0, 0, sizeOf(shape))}`;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

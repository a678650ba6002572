/**
 * Half precision on the host: JavaScript before 2025 has no Float16Array, so f16 elements are held as their bits in a
 * Uint16Array. f16 is a dtype of storage: operations compute in f32 (see `ops/record.ts`).
 */
import type { DType, TypedArray } from './dtype';

/** The number that the bits of an IEEE 754 binary16 stand for. */
export function decodeHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The bits of the nearest binary16, ties to even; 65520 and more are infinite. */
export function encodeHalf(x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  if (Number.isNaN(x)) return 0x7e00;
  const size = Math.abs(x);
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.min(15, size === 0 ? -14 : Math.floor(Math.log2(size))));
  const scaled = size / 2 ** (exponent - 10);
  const below = Math.floor(scaled);
  const rest = scaled - below;
  const steps = rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
  // A carry out of the fraction runs into the exponent, which is what rounding up to the next power of two means.
  return sign | (((exponent + 14) << 10) + steps);
}

/** The numbers that host data stands for: f16 decoded, all else as it is. */
export const numbersOf = (data: TypedArray, dtype: DType): TypedArray =>
  dtype === 'f16' ? Float32Array.from(data, decodeHalf) : data;

/*
 * What is sorted: pairs of a whole number that orders as the value does, and a place, so that no two are equal and every order is
 * stable.
 */
import type { DType, Sort } from '@dl/tensor';
import { guardedLoad } from '../scatter';
import type { Shader } from '../shader';

const floatKey = `fn key_f32(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) { return 0xffffffffu; }
  if (size == 0u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, bits > 0x7fffffffu);
}`;

function integerKey(value: string, dtype: DType): string {
  if (dtype === 'i32') return `bitcast<u32>(${value}) ^ 0x80000000u`;
  return dtype === 'bool' ? `select(0u, 1u, ${value})` : value;
}

/** How many low bits of a key tell values apart. */
export const keyBits = (dtype: DType): number => (dtype === 'bool' ? 1 : dtype === 'u8' ? 8 : 32);

/** Declares what `emitKey` uses. */
export function declareKeys(shader: Shader, { dtype }: Sort): void {
  if (dtype === 'f32') shader.global(floatKey);
}

/** Emits the key of an element of a row: NaN is largest, and −0 is 0. */
export function emitKey(
  shader: Shader,
  { input, dtype, descending }: Sort,
  row: readonly string[],
  at: string,
): string {
  const value = guardedLoad(shader, input, [...row, at], dtype);
  const key = dtype === 'f32' ? `key_f32(${value})` : integerKey(value, dtype);
  return shader.let('key', descending ? `~(${key})` : key);
}

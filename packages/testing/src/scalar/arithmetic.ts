/**
 * What each elementwise operation means for one element: the semantics that every backend is compared with. Values are
 * JavaScript numbers; `rounded` brings a result into its dtype, so an f32 result is the f64 result rounded once.
 */
import { type BinaryOp, type DType, type ReduceOp, type UnaryOp, zerosArray } from '@dl/tensor';
import { erf } from './erf';
import { decodeHalf, encodeHalf } from './half';

const rounders = {
  f32: Math.fround,
  f64: (x) => x,
  f16: (x) => decodeHalf(encodeHalf(x)),
  i32: (x) => x | 0,
  u32: (x) => x >>> 0,
  u8: (x) => x & 255,
  bool: (x) => (x !== 0 ? 1 : 0),
} satisfies Record<DType, (x: number) => number>;

/** The value of `dtype` for the exact result `x`: floats round to nearest, integers wrap, bool is `≠ 0`. */
export const rounded = (dtype: DType, x: number): number => rounders[dtype](x);

const integerTypes: readonly DType[] = ['i32', 'u32', 'u8'];
const isWhole = (dtype: DType): boolean => integerTypes.includes(dtype);

function roundHalfToEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0);
  const rounded = up ? below + 1 : below;
  return rounded === 0 && x < 0 ? -0 : rounded;
}

const unary = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: Math.sign,
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundHalfToEven,
  sqrt: Math.sqrt,
  reciprocal: (x) => 1 / x,
  exp: Math.exp,
  log: Math.log,
  log1p: Math.log1p,
  expm1: Math.expm1,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  erf,
  not: (x, dtype) => (dtype === 'bool' ? 1 - x : ~x),
} satisfies Record<UnaryOp, (x: number, dtype: DType) => number>;

/** Whole powers wrap; a negative exponent gives what truncating 1 / xⁿ gives. */
function wholePower(x: number, y: number): number {
  if (y < 0) return x === 1 ? 1 : x === -1 ? (y % 2 === 0 ? 1 : -1) : 0;
  let result = 1;
  let base = x;
  for (let n = y; n > 0; n = Math.floor(n / 2)) {
    if (n % 2 === 1) result = Math.imul(result, base);
    base = Math.imul(base, base);
  }
  return result;
}

/** IEEE 754 pow: unlike `Math.pow`, 1 to any power and −1 to ±∞ are 1. */
function power(x: number, y: number): number {
  if (x === 1) return 1;
  if (x === -1 && Math.abs(y) === Infinity) return 1;
  return Math.pow(x, y);
}

function floorMod(x: number, y: number): number {
  const rest = x % y;
  return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest;
}

const binary = {
  add: (x, y) => x + y,
  mul: (x, y, dtype) => (isWhole(dtype) ? Math.imul(x, y) : x * y),
  div: (x, y, dtype) => (isWhole(dtype) ? (y === 0 ? 0 : Math.trunc(x / y)) : x / y),
  mod: (x, y, dtype) => (isWhole(dtype) && y === 0 ? 0 : floorMod(x, y)),
  pow: (x, y, dtype) => (isWhole(dtype) ? wholePower(x, y) : power(x, y)),
  max: (x, y) => Math.max(x, y),
  min: (x, y) => Math.min(x, y),
  eq: (x, y) => (x === y ? 1 : 0),
  lt: (x, y) => (x < y ? 1 : 0),
  and: (x, y) => x & y,
  or: (x, y) => x | y,
  xor: (x, y) => x ^ y,
  shl: (x, y) => x << (y & 31),
  shr: (x, y, dtype) => (dtype === 'i32' ? x >> (y & 31) : x >>> (y & 31)),
} satisfies Record<BinaryOp, (x: number, y: number, dtype: DType) => number>;

/** The function of an operation of one operand, rounded to `dtype` (of operand and result). */
export function unaryFunction(op: UnaryOp, dtype: DType): (x: number) => number {
  const apply: (x: number, dtype: DType) => number = unary[op];
  const round: (x: number) => number = rounders[dtype];
  return (x) => round(apply(x, dtype));
}

/** The function of an operation of two operands of dtype `operand`, rounded to `result` (bool for comparisons). */
export function binaryFunction(op: BinaryOp, operand: DType, result: DType): (x: number, y: number) => number {
  const apply: (x: number, y: number, dtype: DType) => number = binary[op];
  const round: (x: number) => number = rounders[result];
  return (x, y) => round(apply(x, y, operand));
}

const limits: Partial<Record<DType, readonly [number, number]>> = {
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
  u8: [0, 255],
};

/** A conversion of value: floats truncate and saturate to integers (NaN gives 0), integers keep their low bits. */
export function castFunction(from: DType, to: DType): (x: number) => number {
  const range = limits[to];
  if (!range || isWhole(from) || from === 'bool') return (x) => rounded(to, x);
  return (x) => (Number.isNaN(x) ? 0 : Math.min(range[1], Math.max(range[0], Math.trunc(x))) + 0);
}

/** The same bits as another dtype of the same width. */
export function bitcastFunction(from: DType, to: DType): (x: number) => number {
  const source = zerosArray(from, 1);
  const view = zerosArray(to, 1);
  const bytes = new Uint8Array(source.buffer);
  const target = new Uint8Array(view.buffer);
  return (x) => {
    source[0] = from === 'f16' ? encodeHalf(x) : x;
    target.set(bytes);
    return to === 'f16' ? decodeHalf(view[0]!) : view[0]!;
  };
}

const floats: readonly DType[] = ['f32', 'f64', 'f16'];
const lowest = (dtype: DType): number => (floats.includes(dtype) ? -Infinity : (limits[dtype]?.[0] ?? 0));
const highest = (dtype: DType): number => (floats.includes(dtype) ? Infinity : (limits[dtype]?.[1] ?? 1));

/** A reduction of a list of values of dtype `dtype`; the result is rounded once, except that integers wrap throughout. */
export type Reducer = (values: ArrayLike<number>, dtype: DType) => number;

function fold(values: ArrayLike<number>, start: number, step: (total: number, x: number) => number): number {
  let total = start;
  for (let i = 0; i < values.length; i++) total = step(total, values[i]!);
  return total;
}

/** Whether `x` is larger than `best`, where NaN is larger than any number. */
export const exceeds = (x: number, best: number): boolean => x > best || (Number.isNaN(x) && !Number.isNaN(best));

function firstLargest(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (exceeds(values[i]!, values[best]!)) best = i;
  return best;
}

/** Each reduction over a list. `argmax` gives the place of the first largest, 0 in an empty list. */
export const reducers: Readonly<Record<ReduceOp, Reducer>> = {
  sum: (values, dtype) => rounded(dtype, fold(values, 0, isWhole(dtype) ? (a, b) => (a + b) | 0 : (a, b) => a + b)),
  prod: (values, dtype) => rounded(dtype, fold(values, 1, isWhole(dtype) ? Math.imul : (a, b) => a * b)),
  max_reduce: (values, dtype) => fold(values, lowest(dtype), Math.max),
  min_reduce: (values, dtype) => fold(values, highest(dtype), Math.min),
  argmax: (values) => firstLargest(values),
};

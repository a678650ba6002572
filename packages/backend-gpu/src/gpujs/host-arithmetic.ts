/** What each elementwise operation is on the host, as JavaScript: exact for every dtype, f32 rounded at each operation. */
import { type BinaryOp, type DType, decodeHalf, encodeHalf, hostArray, isFloat, type UnaryOp } from '@dl/tensor';

/** erf by its series near zero and by a continued fraction of erfc beyond. */
function erf(x: number): number {
  const size = Math.abs(x);
  if (Number.isNaN(x) || size > 6) return Math.sign(x);
  if (size < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-18; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (sum * 2) / Math.sqrt(Math.PI);
  }
  let fraction = size;
  for (let n = 60; n > 0; n--) fraction = size + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-size * size) / (fraction * Math.sqrt(Math.PI)));
}

function roundHalfToEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

function floorMod(x: number, y: number): number {
  const rest = x % y;
  return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest;
}

/** IEEE 754 pow: unlike `Math.pow`, 1 to any power and −1 to ±∞ are 1. */
const power = (x: number, y: number): number => (x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y);

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

/** A float truncates and saturates, NaN gives 0. */
const saturated = (x: number, min: number, max: number): number =>
  Number.isNaN(x) ? 0 : Math.min(max, Math.max(min, Math.trunc(x))) + 0;

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const;

/**
 * The u32 bits of one element: threefry2x32 with 20 rounds of the 64-bit counter.
 *
 * @see Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"
 */
function randomBits(key0: number, key1: number, position: number): number {
  const keys = [key0 | 0, key1 | 0, 0x1bd11bda ^ key0 ^ key1] as const;
  let x0 = (position + keys[0]) | 0;
  let x1 = (Math.floor(position / 2 ** 32) + keys[1]) | 0;
  for (let round = 0; round < 20; round++) {
    const by = rotations[round % 8]!;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << by) | (x1 >>> (32 - by))) ^ x0;
    if (round % 4 !== 3) continue;
    const injection = (round + 1) / 4;
    x0 = (x0 + keys[injection % 3]!) | 0;
    x1 = (x1 + keys[(injection + 1) % 3]! + injection) | 0;
  }
  return x0 >>> 0;
}

/** The same bits as another dtype of the same width. */
function bitcast(x: number, from: DType, to: DType): number {
  const source = hostArray(from, new ArrayBuffer(8), 0, 1);
  source[0] = from === 'f16' ? encodeHalf(x) : x;
  const value = hostArray(to, source.buffer as ArrayBuffer, 0, 1)[0]!;
  return to === 'f16' ? decodeHalf(value) : value;
}

const roundHalf = (x: number): number => decodeHalf(encodeHalf(x));

/** What the sources of this file may call, by name. */
export const hostFunctions = {
  erf,
  roundHalfToEven,
  floorMod,
  power,
  wholePower,
  saturated,
  randomBits,
  bitcast,
  roundHalf,
  decodeHalf,
};

const rounders = {
  f32: (x) => `Math.fround(${x})`,
  f64: (x) => x,
  f16: (x) => `roundHalf(${x})`,
  i32: (x) => `(${x} | 0)`,
  u32: (x) => `(${x} >>> 0)`,
  u8: (x) => `(${x} & 255)`,
  bool: (x) => `(${x} !== 0 ? 1 : 0)`,
} satisfies Record<DType, (x: string) => string>;

/** Source of the value of `dtype` for an exact result. */
export const rounded = (dtype: DType, x: string): string => rounders[dtype](x);

const call1 = (name: string) => (x: string) => `${name}(${x})`;
const call2 = (name: string) => (x: string, y: string) => `${name}(${x}, ${y})`;

const unary = {
  neg: (x) => `(-${x})`,
  abs: call1('Math.abs'),
  sign: call1('Math.sign'),
  floor: call1('Math.floor'),
  ceil: call1('Math.ceil'),
  round: call1('roundHalfToEven'),
  sqrt: call1('Math.sqrt'),
  reciprocal: (x) => `(1 / ${x})`,
  exp: call1('Math.exp'),
  log: call1('Math.log'),
  log1p: call1('Math.log1p'),
  expm1: call1('Math.expm1'),
  sin: call1('Math.sin'),
  cos: call1('Math.cos'),
  tanh: call1('Math.tanh'),
  erf: call1('erf'),
  not: (x, dtype) => (dtype === 'bool' ? `(1 - ${x})` : `(~${x})`),
} satisfies Record<UnaryOp, (x: string, dtype: DType) => string>;

type Binary = (x: string, y: string, operand: DType) => string;

const isWhole = (dtype: DType): boolean => !isFloat(dtype) && dtype !== 'bool';

const binary = {
  add: (x, y) => `(${x} + ${y})`,
  mul: (x, y, dtype) => (isWhole(dtype) ? `Math.imul(${x}, ${y})` : `(${x} * ${y})`),
  div: (x, y, dtype) => (isWhole(dtype) ? `(${y} === 0 ? 0 : Math.trunc(${x} / ${y}))` : `(${x} / ${y})`),
  mod: (x, y, dtype) => (isWhole(dtype) ? `(${y} === 0 ? 0 : floorMod(${x}, ${y}))` : `floorMod(${x}, ${y})`),
  pow: (x, y, dtype) => (isWhole(dtype) ? `wholePower(${x}, ${y})` : `power(${x}, ${y})`),
  max: call2('Math.max'),
  min: call2('Math.min'),
  eq: (x, y) => `(${x} === ${y} ? 1 : 0)`,
  lt: (x, y) => `(${x} < ${y} ? 1 : 0)`,
  and: (x, y) => `(${x} & ${y})`,
  or: (x, y) => `(${x} | ${y})`,
  xor: (x, y) => `(${x} ^ ${y})`,
  shl: (x, y) => `(${x} << (${y} & 31))`,
  shr: (x, y, dtype) => `(${x} ${dtype === 'i32' ? '>>' : '>>>'} (${y} & 31))`,
} satisfies Record<BinaryOp, Binary>;

const isUnary = (op: string): op is UnaryOp => Object.hasOwn(unary, op);

const limits: Partial<Record<DType, readonly [number, number]>> = {
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
  u8: [0, 255],
};

/** Source of a conversion of value: floats truncate and saturate to integers, integers keep their low bits. */
export function castSource(x: string, from: DType, to: DType): string {
  const range = limits[to];
  return range && isFloat(from) ? `saturated(${x}, ${range[0]}, ${range[1]})` : rounded(to, x);
}

const unarySource = (op: UnaryOp, x: string, dtype: DType): string =>
  (unary as Record<UnaryOp, (x: string, dtype: DType) => string>)[op](x, dtype);
const binarySource = (op: BinaryOp, x: string, y: string, dtype: DType): string =>
  (binary as Record<BinaryOp, Binary>)[op](x, y, dtype);

/** Source of an operation on operands of dtype `operand`, rounded to `result` (bool for comparisons). */
export function operationSource(
  op: UnaryOp | BinaryOp,
  args: readonly string[],
  operand: DType,
  result: DType,
): string {
  const [x, y] = args;
  return rounded(result, isUnary(op) ? unarySource(op, x!, operand) : binarySource(op, x!, y!, operand));
}

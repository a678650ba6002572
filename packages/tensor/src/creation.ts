/** Tensors from host data, constants, counters and random numbers. What needs no memory, such as zeros, is a formula. */
import { type DType, dtypeOfArray, isFloat, type TypedArray, zerosArray } from './dtype';
import { DTypeError, ShapeError, ValueError } from './errors';
import type { Node } from './graph/node';
import { encodeHalf, numbersOf } from './half';
import { leaf, record } from './ops/record';
import { defaultGenerator, type Generator, randomBits } from './random';
import { Value } from './run/value';
import { checkShape, type Shape, showShape, sizeOf } from './shape';
import { setHandle, Tensor } from './tensor';

export type NestedInput = number | boolean | readonly NestedInput[];

export interface TensorOptions {
  readonly dtype?: DType;
  readonly requiresGrad?: boolean;
}

/**
 * A tensor of host data, which is copied.
 *
 * @param data - a number, nested arrays of equal lengths, or a typed array with a `shape`; numbers are rounded into the dtype. A
 *   Uint16Array holds the bits of f16
 * @param shape - for flat data; otherwise the nesting is the shape
 * @throws ShapeError if rows differ in length or the shape holds another number of elements
 */
export function tensor(
  data: NestedInput | TypedArray,
  shape?: Shape | null,
  { dtype, requiresGrad = false }: TensorOptions = {},
): Tensor {
  const host = ArrayBuffer.isView(data) ? fromTyped(data as TypedArray, dtype) : fromNested(data as NestedInput, dtype);
  const given = shape ?? host.shape;
  checkShape('tensor', given);
  if (sizeOf(given) !== host.array.length) {
    throw new ShapeError(
      `tensor: ${host.array.length} elements do not fill ${showShape(given)}, which has ${sizeOf(given)}.`,
    );
  }
  return fromHost(host.array, given, host.dtype, requiresGrad);
}

/** @internal A tensor over a host array that nobody changes any more. */
export function fromHost(array: TypedArray, shape: Shape, dtype: DType, requiresGrad = false): Tensor {
  if (requiresGrad && !isFloat(dtype))
    throw new DTypeError(`tensor: ${dtype} cannot require gradients; only floats can. Use f32 or f64.`);
  const node = leaf([...shape], dtype, requiresGrad);
  node.stored = Value.ofHost(dtype, array);
  const made = new Tensor(node);
  if (requiresGrad) setHandle(node, made);
  return made;
}

interface HostData {
  readonly array: TypedArray;
  readonly shape: Shape;
  readonly dtype: DType;
}

function fromTyped(data: TypedArray, dtype: DType | undefined): HostData {
  const own = dtypeOfArray(data);
  if (own === undefined)
    throw new DTypeError(
      `tensor: no dtype holds a ${data.constructor.name}. Use Float32Array, Float64Array, Int32Array, Uint32Array, Uint8Array, or Uint16Array for the bits of f16.`,
    );
  if (own === 'f16' && (dtype ?? own) === 'f16')
    return { array: data.slice() as TypedArray, shape: [data.length], dtype: 'f16' };
  return convert(numbersOf(data, own), [data.length], dtype ?? own);
}

function convert(data: ArrayLike<number>, shape: Shape, dtype: DType): HostData {
  const array = zerosArray(dtype, data.length);
  if (dtype === 'f16') for (let i = 0; i < data.length; i++) array[i] = encodeHalf(data[i]!);
  else if (dtype === 'bool') for (let i = 0; i < data.length; i++) array[i] = data[i] === 0 ? 0 : 1;
  else array.set(data);
  return { array, shape, dtype };
}

function fromNested(data: NestedInput, dtype: DType | undefined): HostData {
  const shape: number[] = [];
  for (let level: NestedInput | undefined = data; Array.isArray(level); level = level[0]) shape.push(level.length);
  const flat: (number | boolean)[] = [];
  flatten(data, shape, 0, flat);
  const own = flat.length > 0 && flat.every((x) => typeof x === 'boolean') ? 'bool' : 'f32';
  return convert(flat.map(Number), shape, dtype ?? own);
}

function flatten(data: NestedInput, shape: Shape, axis: number, into: (number | boolean)[]): void {
  const isArray = Array.isArray(data);
  if (isArray !== axis < shape.length || (isArray && data.length !== shape[axis])) {
    const found = isArray ? `${data.length} elements` : 'a number';
    throw new ShapeError(
      `tensor: rows differ in length: ${found} where the first row has ${shape[axis] ?? 'a number'} (axis ${axis}). Pad the rows to one length.`,
    );
  }
  if (isArray) for (const part of data) flatten(part, shape, axis + 1, into);
  else if (typeof data === 'number' || typeof data === 'boolean') into.push(data);
  else throw new ValueError(`tensor: ${String(data)} is not a number or boolean.`);
}

const make = (node: Node): Tensor => new Tensor(node);

/** One number everywhere. */
export function full(
  shape: Shape,
  value: number | boolean,
  dtype: DType = typeof value === 'boolean' ? 'bool' : 'f32',
): Tensor {
  checkShape('full', shape);
  return make(record('constant', [], { value: Number(value) }, [...shape], dtype));
}
/** 0 everywhere. */
export const zeros = (shape: Shape, dtype: DType = 'f32'): Tensor => full(shape, 0, dtype);
/** 1 everywhere. */
export const ones = (shape: Shape, dtype: DType = 'f32'): Tensor => full(shape, 1, dtype);
/** 0 everywhere, in the shape and dtype of another tensor. */
export const zerosLike = (x: Tensor): Tensor => full(x.shape, 0, x.dtype);
/** 1 everywhere, in the shape and dtype of another tensor. */
export const onesLike = (x: Tensor): Tensor => full(x.shape, 1, x.dtype);

/** The position along an axis, as i32 unless told otherwise. */
export function iota(shape: Shape, axis: number, dtype: DType = 'i32'): Tensor {
  checkShape('iota', shape);
  return make(record('iota', [], { axis }, [...shape], dtype));
}

/** start, start + step, … before stop. f32; i32 when all three are whole and `dtype` says so. */
export function arange(
  start: number,
  stop?: number,
  { step = 1, dtype = 'f32' }: { readonly step?: number; readonly dtype?: DType } = {},
): Tensor {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  if (step === 0 || !Number.isFinite(step))
    throw new ValueError(`arange: step ${step}. A step is a number other than 0.`);
  const count = Math.max(0, Math.ceil((to - from) / step));
  return iota([count], 0, dtype).mul(step).add(from);
}

/** `count` numbers from start to stop, both included. */
export function linspace(start: number, stop: number, count: number): Tensor {
  if (!Number.isInteger(count) || count < 0) throw new ValueError(`linspace: ${count} numbers. Ask for 0 or more.`);
  if (count < 2) return full([count], start);
  const step = (stop - start) / (count - 1);
  const place = iota([count], 0, 'f32');
  // From the nearer end, so that both ends are exact.
  const fromStop = place
    .sub(count - 1)
    .mul(step)
    .add(stop);
  return place.lt(count / 2).where(place.mul(step).add(start), fromStop);
}

/** Ones on the diagonal. */
export const eye = (n: number, m = n, dtype: DType = 'f32'): Tensor =>
  iota([n, m], 0)
    .eq(iota([n, m], 1))
    .cast(dtype);

/** 1 where the row's index names the column: [..., classes]. */
export function oneHot(indices: Tensor, classes: number, dtype: DType = 'f32'): Tensor {
  const shape = [...indices.shape, classes];
  return indices
    .cast('i32')
    .unsqueeze(-1)
    .expand(shape)
    .eq(iota(shape, shape.length - 1))
    .cast(dtype);
}

export interface RandomOptions {
  readonly generator?: Generator;
  readonly dtype?: DType;
}

function checkFloat(operation: string, dtype: DType): void {
  if (!isFloat(dtype)) throw new DTypeError(`${operation}: ${dtype} has no fractions. Use f32 or f64, or randint.`);
}

/** Uniform in [0, 1), with 24 random bits. */
export function rand(shape: Shape, { generator = defaultGenerator, dtype = 'f32' }: RandomOptions = {}): Tensor {
  checkFloat('rand', dtype);
  checkShape('rand', shape);
  return make(randomBits([...shape], generator))
    .shr(8)
    .cast(dtype)
    .mul(2 ** -24);
}

/** Normal with mean 0 and standard deviation 1, by Box and Muller's formula. */
export function randn(shape: Shape, options: RandomOptions = {}): Tensor {
  const radius = rand(shape, options).neg().log1p().mul(-2).sqrt();
  return radius.mul(
    rand(shape, options)
      .mul(2 * Math.PI)
      .cos(),
  );
}

/**
 * Whole numbers from low up to, not including, high: i32. Some come up more often than others by a share of at most
 * (high − low) / 2^32, since they are remainders of 32 random bits.
 */
export function randint(
  low: number,
  high: number,
  shape: Shape,
  { generator = defaultGenerator }: { readonly generator?: Generator } = {},
): Tensor {
  if (!Number.isInteger(low) || !Number.isInteger(high) || high <= low)
    throw new ValueError(`randint: no whole number is at least ${low} and below ${high}.`);
  if (low < -(2 ** 31) || high > 2 ** 31)
    throw new ValueError(`randint: ${low} to ${high} is more than i32 holds. Stay within −2^31 and 2^31.`);
  checkShape('randint', shape);
  const bits = make(randomBits([...shape], generator));
  const below = high - low === 2 ** 32 ? bits : bits.mod(high - low);
  return below.bitcast('i32').add(low);
}

/** 1 with probability p, else 0. */
export const bernoulli = (p: number | Tensor, shape: Shape, options: RandomOptions = {}): Tensor =>
  rand(shape, options)
    .lt(p)
    .cast(options.dtype ?? 'f32');

/** Standard Gumbel numbers: logits plus these are largest at an index with the probability that softmax gives it. */
export function gumbel(shape: Shape, { generator = defaultGenerator, dtype = 'f32' }: RandomOptions = {}): Tensor {
  checkFloat('gumbel', dtype);
  checkShape('gumbel', shape);
  // 23 bits and a half: neither 0 nor 1, of which both logarithms exist.
  const uniform = make(randomBits([...shape], generator))
    .shr(9)
    .cast(dtype)
    .add(0.5)
    .mul(2 ** -23);
  return uniform.log().neg().log().neg();
}

export interface MultinomialOptions {
  readonly generator?: Generator;
  /** Whether an index may be drawn again. Default false. */
  readonly replacement?: boolean;
}

/**
 * Indices drawn by their probabilities, by Gumbel's trick: those of the largest log p + noise.
 *
 * @param probabilities - `[..., K]`, float from 0 on; a row need not sum to 1
 * @param count - how many for each row; without replacement at most K
 * @returns `[..., count]`, i32
 */
export function multinomial(
  probabilities: Tensor,
  count: number,
  { generator = defaultGenerator, replacement = false }: MultinomialOptions = {},
): Tensor {
  const { shape, dtype } = probabilities;
  checkFloat('multinomial', dtype);
  if (shape.length === 0 || !Number.isInteger(count) || count < 1 || (!replacement && count > shape.at(-1)!))
    throw new ValueError(
      `multinomial: ${count} of ${showShape(shape)} cannot be drawn. Give [..., K] and a count from 1 on, up to K without replacement.`,
    );
  const logs = probabilities.log();
  if (!replacement) return logs.add(gumbel(shape, { generator, dtype })).argtopk(-1, count);
  const rows = [...shape.slice(0, -1), count, shape.at(-1)!];
  return logs.unsqueeze(-2).add(gumbel(rows, { generator, dtype })).argmax(-1);
}

/** The numbers below n in random order: i32. */
export const randperm = (
  n: number,
  { generator = defaultGenerator }: { readonly generator?: Generator } = {},
): Tensor => {
  checkShape('randperm', [n]);
  return make(randomBits([n], generator)).argsort(0);
};

/** Rows of the conformance suite: an operation, the dtypes it takes, and the calls to try. */
import { type DType, isFloat, type Shape, sizeOf, type Tensor } from '@dl/tensor';
import { toValue, type Value } from '../evaluate/value';
import type { Tolerance } from '../tolerance';

/** What the elements of an input are like. */
export type Domain =
  /** Multiples of 1/4 from −2 to 2, small integers: sums and products of a few are exact. */
  | 'small'
  /** All sorts, with zeros of both signs, infinities, NaN and the ends of the integer ranges. */
  | 'special'
  /** From −3 to 3, with both zeros, infinities and NaN: for approximated functions. */
  | 'moderate'
  /** From 0.02 to 8. */
  | 'positive'
  /** Indices below a limit. */
  | { readonly below: number }
  /** These, again and again. */
  | { readonly values: readonly number[] };

export interface Input {
  readonly shape: Shape;
  /** Default: the dtype under test. */
  readonly dtype?: DType;
  /** Default `small`. */
  readonly domain?: Domain;
}

/** One call: its inputs, and what is done with them. */
export interface Call {
  /** For messages; the inputs' shapes are added. */
  readonly label?: string;
  readonly inputs: readonly Input[];
  readonly apply: (...inputs: Tensor[]) => Tensor | readonly Tensor[];
}

export interface Row {
  readonly name: string;
  readonly dtypes: readonly DType[];
  readonly calls: readonly Call[];
  readonly tolerance?: Tolerance;
}

export const floats: readonly DType[] = ['f32', 'f64', 'f16'];
export const integers: readonly DType[] = ['i32', 'u32', 'u8'];
/** Dtypes in which sums and products are made. */
export const numbers: readonly DType[] = ['f32', 'f64', 'f16', 'i32', 'u32'];
export const all: readonly DType[] = ['f32', 'f64', 'f16', 'i32', 'u32', 'u8', 'bool'];

const specials: Readonly<Record<DType, readonly number[]>> = {
  f32: [0, -0, 1, -1, 0.5, 2.5, -2.5, 3.75, -1e-3, 100.25, 1e30, -1e30, Infinity, -Infinity, NaN, 7, -8.5],
  f64: [0, -0, 1, -1, 0.5, 2.5, -2.5, 3.75, -1e-3, 100.25, 1e300, -1e300, Infinity, -Infinity, NaN, 7, -8.5],
  f16: [0, -0, 1, -1, 0.5, 2.5, -2.5, 3.75, -1e-3, 100.25, 65504, -65504, Infinity, -Infinity, NaN, 2 ** -24, 7, -8.5],
  i32: [0, 1, -1, 2, -2, 7, -7, 100, 2 ** 31 - 1, -(2 ** 31), 31, 65537],
  u32: [0, 1, 2, 7, 100, 2 ** 31, 2 ** 32 - 1, 31, 65537],
  u8: [0, 1, 2, 7, 100, 128, 255, 31],
  bool: [0, 1],
};

const nonFinite = [0, -0, Infinity, -Infinity, NaN, 1, -1];

/** A number from 0 to 1 that depends on place and seed alone. */
function noise(i: number, seed: number): number {
  const bits = Math.imul(Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b), 0xc2b2ae35);
  return ((bits >>> 0) % 100003) / 100003;
}

function element(domain: Domain, dtype: DType, i: number, seed: number): number {
  const u = noise(i, seed);
  if (typeof domain === 'object') {
    return 'below' in domain ? Math.floor(u * domain.below) : domain.values[i % domain.values.length]!;
  }
  if (domain === 'special') return specials[dtype][(i * 5 + seed * 3) % specials[dtype].length]!;
  if (!isFloat(dtype)) return dtype === 'bool' ? Math.round(u) : Math.floor(u * 9) - (dtype === 'i32' ? 4 : 0);
  if (domain === 'positive') return 0.02 + u * 8;
  if (domain === 'moderate') return i % 7 === 6 ? nonFinite[(i + seed) % nonFinite.length]! : u * 6 - 3;
  return (Math.floor(u * 17) - 8) / 4;
}

/** The elements of an input; `seed` differs from call to call. */
export function sample({ shape, dtype, domain = 'small' }: Input, testing: DType, seed: number): Value {
  const kind = dtype ?? testing;
  const data = Array.from({ length: sizeOf(shape) }, (_, i) => element(domain, kind, i, seed));
  return toValue(shape, kind, data);
}

/** One operand in every layout: ranks, size 0 and 1, and views that are not contiguous. */
export function layouts(apply: (x: Tensor) => Tensor, domain: Domain = 'small'): Call[] {
  const shapes: Shape[] = [[3, 7], [], [0, 3], [1], [33]];
  return [
    ...shapes.map((shape) => ({ inputs: [{ shape, domain }], apply: (x: Tensor) => apply(x) })),
    { label: 'transposed', inputs: [{ shape: [4, 6], domain }], apply: (x) => apply(x.transpose()) },
    { label: 'every other, backwards', inputs: [{ shape: [3, 9], domain }], apply: (x) => apply(x.at(':', '::-2')) },
    { label: 'expanded', inputs: [{ shape: [5, 1], domain }], apply: (x) => apply(x.expand([5, 4])) },
  ];
}

/** Two operands in every layout and broadcast. */
export function pairs(apply: (a: Tensor, b: Tensor) => Tensor, domain: Domain = 'small'): Call[] {
  const shapes: [Shape, Shape][] = [
    [
      [3, 7],
      [3, 7],
    ],
    [[], []],
    [
      [2, 0],
      [2, 0],
    ],
    [[4, 9], [9]],
    [
      [4, 1],
      [1, 5],
    ],
    [[], [2, 3]],
    [[70], [70]],
  ];
  return [
    ...shapes.map(([a, b]) => ({
      inputs: [
        { shape: a, domain },
        { shape: b, domain },
      ],
      apply: (x: Tensor, y: Tensor) => apply(x, y),
    })),
    {
      label: 'transposed with sliced',
      inputs: [
        { shape: [5, 4], domain },
        { shape: [4, 10], domain },
      ],
      apply: (a, b) => apply(a.transpose(), b.at(':', '::2')),
    },
    { label: 'with itself', inputs: [{ shape: [6], domain }], apply: (a) => apply(a, a) },
  ];
}

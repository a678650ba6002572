/**
 * Reads the reference vectors in `golden/`: what PyTorch gives, in f64, for the operations that we have in common. One file a
 * category, one case a line.
 */
import { readFileSync } from 'node:fs';
import { type DType, FormatError, type Shape } from '@dl/tensor';
import type { Value } from '../evaluate/value';
import { isClose } from '../tolerance';

/** The categories whose vectors are in this package. */
export const goldenCategories = [
  'elementwise',
  'reductions',
  'shape',
  'linalg',
  'activations',
  'convs',
  'pooling',
  'norm',
  'losses',
  'rnn',
  'attention',
  'optim',
  'init',
  'vision',
  'audio',
  'second_order',
] as const;

export type GoldenCategory = (typeof goldenCategories)[number];

/** A value of the attributes: whatever JSON holds. */
export type Attribute = null | boolean | number | string | readonly Attribute[] | { readonly [key: string]: Attribute };

/** One step from a stored tensor to the view that the operation takes. */
export type ViewStep =
  | readonly ['permute', readonly number[]]
  | readonly ['slice', number, number | null, number | null, number]
  | readonly ['expand', readonly number[]]
  | readonly ['reshape', readonly number[]];

/** One call of one operation with its results. */
export interface GoldenCase {
  readonly name: string;
  readonly op: string;
  readonly attrs: Readonly<Record<string, Attribute>>;
  readonly inputs: Readonly<Record<string, Value>>;
  readonly outputs: Readonly<Record<string, Value>>;
  /** What each output is multiplied by in the scalar whose gradient `grads` holds. */
  readonly cotangents: Readonly<Record<string, Value>>;
  readonly grads: Readonly<Record<string, Value>>;
  readonly rtol: number;
  readonly atol: number;
  /** Other `atol` for some results, under the output's name or `grad:` and the input's. */
  readonly tensorAtol: Readonly<Record<string, number>>;
  /** Views that the inputs are taken through. */
  readonly views: Readonly<Record<string, readonly ViewStep[]>>;
  readonly note: string;
}

interface StoredTensor {
  readonly shape: Shape;
  readonly dtype: string;
  readonly data: readonly (number | string)[];
}

type StoredCase = Omit<GoldenCase, 'inputs' | 'outputs' | 'cotangents' | 'grads' | 'tensorAtol' | 'views'> & {
  readonly [key in 'inputs' | 'outputs' | 'cotangents' | 'grads']: Readonly<Record<string, StoredTensor>>;
} & { readonly tensor_atol?: Readonly<Record<string, number>> };

const dtypes: Readonly<Record<string, DType>> = { float32: 'f32', int32: 'i32', bool: 'bool' };

/** Inputs are exact in f32; results keep what they were computed to. */
function readTensor(stored: StoredTensor, exact: boolean): Value {
  const dtype = dtypes[stored.dtype];
  if (!dtype) throw new FormatError(`golden: dtype ${stored.dtype} is not one of ${Object.keys(dtypes).join(', ')}.`);
  const data = Float64Array.from(stored.data, (x) => (exact ? Math.fround(Number(x)) : Number(x)));
  return { shape: stored.shape, dtype, data };
}

function readTensors(stored: Readonly<Record<string, StoredTensor>> = {}, exact: boolean): Record<string, Value> {
  return Object.fromEntries(Object.entries(stored).map(([name, tensor]) => [name, readTensor(tensor, exact)]));
}

function readCase(stored: StoredCase): GoldenCase {
  return {
    ...stored,
    inputs: readTensors(stored.inputs, true),
    outputs: readTensors(stored.outputs, false),
    cotangents: readTensors(stored.cotangents, true),
    grads: readTensors(stored.grads, false),
    tensorAtol: stored.tensor_atol ?? {},
    views: (stored.attrs['views'] ?? {}) as unknown as GoldenCase['views'],
    note: stored.note ?? '',
  };
}

/**
 * The cases of a category, in the order of their file.
 *
 * @throws FormatError if the file holds a dtype that is not known
 */
export function readGolden(category: GoldenCategory): GoldenCase[] {
  const file = new URL(`../../golden/${category}.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as StoredCase[]).map(readCase);
}

/**
 * Says how a result differs from the reference, or undefined if it does not: |fround(got) − want| ≤ atol + rtol · |want|; NaN
 * matches NaN, infinities and integers are exact, the sign of zero does not count.
 */
export function compareGolden(got: Value, want: Value, { rtol, atol }: { readonly rtol: number; readonly atol: number }): string | undefined {
  if (String(got.shape) !== String(want.shape)) return `shape is [${got.shape}], wanted [${want.shape}]`;
  const exact = want.dtype !== 'f32';
  if (exact && got.dtype !== want.dtype) return `dtype is ${got.dtype}, wanted ${want.dtype}`;
  for (let i = 0; i < want.data.length; i++) {
    const value = Math.fround(got.data[i]!);
    const wanted = want.data[i]!;
    if (exact ? got.data[i] === wanted : isClose(value, wanted, rtol, atol)) continue;
    return `element ${i} of [${want.shape}] is ${got.data[i]}, wanted ${wanted}`;
  }
  return undefined;
}

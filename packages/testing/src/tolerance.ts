/** When two values count as equal. */
import { type DType, isFloat, sameShape, showShape } from '@dl/tensor';
import type { Value } from './evaluate/value';

export interface Tolerance {
  /** Share of the wanted magnitude. Default 2e-5 for f32, 1e-11 for f64, 2e-3 for f16. */
  readonly rtol?: number;
  /** Default 1e-5 for f32, 1e-12 for f64, 1e-3 for f16. */
  readonly atol?: number;
}

const defaults: Partial<Record<DType, Required<Tolerance>>> = {
  f32: { rtol: 2e-5, atol: 1e-5 },
  f64: { rtol: 1e-11, atol: 1e-12 },
  f16: { rtol: 2e-3, atol: 1e-3 },
};

/**
 * Whether |got − want| ≤ atol + rtol · |want|. NaN matches NaN, infinities match exactly, the sign of zero does not count.
 */
export function isClose(got: number, want: number, rtol: number, atol: number): boolean {
  if (Number.isNaN(want)) return Number.isNaN(got);
  if (!Number.isFinite(want) || !Number.isFinite(got)) return got === want;
  return Math.abs(got - want) <= atol + rtol * Math.abs(want);
}

/** Says how two values differ, or undefined if they do not. Integers and bool must be equal. */
export function compareValues(got: Value, want: Value, tolerance: Tolerance = {}): string | undefined {
  if (got.dtype !== want.dtype) return `dtype ${got.dtype}, wanted ${want.dtype}`;
  if (!sameShape(got.shape, want.shape)) return `shape ${showShape(got.shape)}, wanted ${showShape(want.shape)}`;
  const usual = defaults[want.dtype] ?? { rtol: 0, atol: 0 };
  const { rtol, atol } = isFloat(want.dtype) ? { ...usual, ...tolerance } : usual;
  for (let i = 0; i < want.data.length; i++) {
    if (isClose(got.data[i]!, want.data[i]!, rtol, atol)) continue;
    return `element ${i} of ${want.dtype}${showShape(want.shape)} is ${got.data[i]}, wanted ${want.data[i]}`;
  }
  return undefined;
}

/**
 * The element-wise limits of a comparison: the tolerance of the dtype, and beyond it what noise of a few units in the last place
 * did to the value.
 */
export interface Limits {
  /** Values under noise. */
  readonly shaken: readonly Value[];
  /** How often the distance between a value with and without noise counts. Default 4. */
  readonly factor?: number;
}

/** As `compareValues`, but what noise moves may differ by as much, and integers that noise changes are not compared. */
export function compareWithin(
  got: Value,
  want: Value,
  tolerance: Tolerance,
  { shaken, factor = 4 }: Limits,
): string | undefined {
  const moved = want.data.map((x, i) => Math.max(...shaken.map((s) => distance(s.data[i]!, x))));
  const close = got.data.map((x, i) => {
    const wanted = want.data[i]!;
    const limit = factor * moved[i]!;
    return limit > 0 && (limit === Infinity || !isFloat(want.dtype) || Math.abs(x - wanted) <= limit) ? wanted : x;
  });
  return compareValues({ ...got, data: close }, want, tolerance);
}

/** |a − b|, where one that is not finite is infinitely far from another. */
function distance(a: number, b: number): number {
  if (Object.is(a, b) || a === b) return 0;
  return Number.isFinite(a) && Number.isFinite(b) ? Math.abs(a - b) : Infinity;
}

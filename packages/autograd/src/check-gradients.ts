/**
 * Gradients against finite differences: every element of every input is moved a little to both sides in f64, and the slope
 * compared with the recorded gradient. Results are weighted by fixed irregular numbers, so that errors do not cancel.
 */
import { concat, isFloat, ShapeError, showShape, type Tensor, tensor, ValueError, zerosLike } from '@dl/tensor';
import { grad } from './grad';

export interface CheckOptions {
  /** How far an element is moved, relative to max(1, |x|). Default 1e-5. */
  readonly eps?: number;
  /** Allowed share of the larger of the two slopes. Default 1e-6. */
  readonly rtol?: number;
  /** Default 1e-7. */
  readonly atol?: number;
  /** 2 also checks the gradient of the gradient. Default 1. */
  readonly order?: 1 | 2;
}

/** One element's slope, from the graph and from differences. */
export interface CheckedSlope {
  readonly input: number;
  readonly index: readonly number[];
  readonly recorded: number;
  readonly measured: number;
  /** |recorded − measured| / max(|recorded|, |measured|, 1). */
  readonly error: number;
}

export interface GradientReport {
  /** How many elements were compared. */
  readonly checked: number;
  /** The element with the largest error; null if there was none to check. */
  readonly worst: CheckedSlope | null;
}

type Fn = (...inputs: Tensor[]) => Tensor;

/**
 * Compares the gradients of `fn` with central differences: (f(x + h) − f(x − h)) / 2h in f64.
 *
 * @param fn - from float tensors to a float tensor of any shape; smooth around the inputs
 * @param inputs - where to compare; cast to f64
 * @returns how many elements agree, and the worst of them
 * @throws ValueError that names the elements which do not agree
 */
export async function checkGradients(
  fn: Fn,
  inputs: readonly Tensor[],
  { eps = 1e-5, rtol = 1e-6, atol = 1e-7, order = 1 }: CheckOptions = {},
): Promise<GradientReport> {
  const values = await Promise.all(inputs.map(async (x, i) => hostValue(x, i)));
  const first = await compare(fn, values, { eps, rtol, atol }, 'gradient');
  if (order === 1) return first;
  const second = await compare(gradientOf(fn), values, { eps, rtol, atol }, 'second gradient');
  const worst = (second.worst?.error ?? 0) > (first.worst?.error ?? 0) ? second.worst : first.worst;
  return { checked: first.checked + second.checked, worst };
}

interface HostValue {
  readonly data: Float64Array;
  readonly shape: readonly number[];
}

async function hostValue(x: Tensor, i: number): Promise<HostValue> {
  if (!isFloat(x.dtype))
    throw new ValueError(
      `checkGradients: input ${i} is ${x.dtype}, but only floats have gradients. Close over it instead.`,
    );
  return { data: await x.cast('f64').data('f64'), shape: x.shape };
}

const leafOf = ({ data, shape }: HostValue): Tensor => tensor(data, shape, { dtype: 'f64', requiresGrad: true });

/** Irregular numbers between −1 and 1, none of them near 0. */
function weights(y: Tensor): Tensor {
  const data = Float64Array.from(
    { length: y.size },
    (_, i) => Math.cos(1 + 2.3 * i) + Math.sign(Math.cos(1 + 2.3 * i)) * 0.25,
  );
  return tensor(data, y.shape, { dtype: 'f64' });
}

function weighted(fn: Fn, inputs: Tensor[]): Tensor {
  const y = fn(...inputs);
  if (!isFloat(y.dtype))
    throw new ValueError(`checkGradients: the function gives ${y.dtype}, which has no gradient. It must give floats.`);
  return y.mul(weights(y)).sum();
}

/** The function of all gradients of `fn`, one after another. */
function gradientOf(fn: Fn): Fn {
  return (...inputs) => {
    const loss = weighted(fn, inputs);
    const gradients = loss.requiresGrad ? grad(loss, inputs, { unused: 'zero' }) : inputs.map(zerosLike);
    return concat(gradients.map((g) => g.flatten()));
  };
}

type Limits = Required<Omit<CheckOptions, 'order'>>;

async function compare(fn: Fn, values: readonly HostValue[], limits: Limits, what: string): Promise<GradientReport> {
  const leaves = values.map(leafOf);
  const loss = weighted(fn, leaves);
  const recorded = loss.requiresGrad ? grad(loss, leaves, { unused: 'zero' }) : leaves.map(zerosLike);
  const slopes: CheckedSlope[] = [];
  const wrong: CheckedSlope[] = [];
  for (const [input, g] of recorded.entries()) {
    if (g.shape.join() !== leaves[input]!.shape.join())
      throw new ShapeError(
        `checkGradients: the ${what} of input ${input} is ${showShape(g.shape)}, but the input is ${showShape(leaves[input]!.shape)}.`,
      );
    const slope = await g.data('f64');
    for (let i = 0; i < slope.length; i++) {
      const measured = await difference(fn, values, input, i, limits.eps);
      const one = checked(input, unravel(i, g.shape), slope[i]!, measured);
      slopes.push(one);
      if (
        !(
          Math.abs(slope[i]! - measured) <=
          limits.atol + limits.rtol * Math.max(Math.abs(slope[i]!), Math.abs(measured))
        )
      )
        wrong.push(one);
    }
  }
  if (wrong.length > 0) throw new ValueError(message(what, wrong, slopes.length));
  return {
    checked: slopes.length,
    worst: slopes.reduce<CheckedSlope | null>((w, s) => (w && w.error >= s.error ? w : s), null),
  };
}

function checked(input: number, index: readonly number[], recorded: number, measured: number): CheckedSlope {
  const error = Math.abs(recorded - measured) / Math.max(Math.abs(recorded), Math.abs(measured), 1);
  return { input, index, recorded, measured, error: Number.isNaN(error) ? Number.POSITIVE_INFINITY : error };
}

async function difference(
  fn: Fn,
  values: readonly HostValue[],
  input: number,
  i: number,
  eps: number,
): Promise<number> {
  const x = values[input]!.data[i]!;
  const h = eps * Math.max(1, Math.abs(x));
  const at = (moved: number): Promise<number> => {
    const inputs = values.map((v, k) => leafOf(k === input ? { data: v.data.with(i, moved), shape: v.shape } : v));
    return weighted(fn, inputs).item();
  };
  // The two points as they are in f64, so that rounding of x ± h does not count.
  return ((await at(x + h)) - (await at(x - h))) / (x + h - (x - h));
}

function unravel(i: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  for (let a = shape.length - 1; a >= 0; a--) {
    index.unshift(i % shape[a]!);
    i = Math.floor(i / shape[a]!);
  }
  return index;
}

function message(what: string, wrong: readonly CheckedSlope[], total: number): string {
  const lines = wrong
    .toSorted((a, b) => b.error - a.error)
    .slice(0, 5)
    .map((s) => `  input ${s.input} at ${showShape(s.index)}: recorded ${s.recorded}, measured ${s.measured}`);
  return `checkGradients: the ${what} differs from differences at ${wrong.length} of ${total} elements:\n${lines.join('\n')}\nAt a kink both may be right; move the input away from it.`;
}

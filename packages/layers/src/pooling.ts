/**
 * Pooling: the largest or the mean of sliding windows over the last axes. This file decides sizes (PyTorch's, `ceilMode`
 * included) and what a mean is divided by; the windows themselves are the tensor package's.
 */
import { iota, ShapeError, showShape, type Tensor, ValueError, type Window } from '@dl/tensor';
import { type PerAxis, perAxis } from './convolution';

export interface PoolOptions {
  /** Default: the window's size, so that windows do not overlap. */
  readonly stride?: PerAxis;
  /** Added to both sides of each axis, at most half the window. Default 0. */
  readonly padding?: PerAxis;
  /** Keeps a last window that reaches past the end, if it starts before it. Default false. */
  readonly ceilMode?: boolean;
}

export interface MaxPoolOptions extends PoolOptions {
  /** Distance between the elements of a window. Default 1. */
  readonly dilation?: PerAxis;
}

export interface AvgPoolOptions extends PoolOptions {
  /** Whether padding counts in what the sum is divided by. Default true. */
  readonly countIncludePad?: boolean;
  /** Divides by this instead. */
  readonly divisor?: number;
}

/** A window, and the padding that the options asked for, before `ceilMode` widened it. */
export interface Pooling {
  readonly window: Window;
  readonly padding: readonly number[];
}

/** How windows with these options slide over the last `rank` axes. */
export function poolingOf(operation: string, x: Tensor, size: PerAxis, rank: number, options: MaxPoolOptions): Pooling {
  if (x.rank !== rank + 1 && x.rank !== rank + 2) {
    throw new ShapeError(
      `${operation}: x is ${showShape(x.shape)}, but data has ${rank + 2} axes, [N, C, spatial…], or ${rank + 1} without N. Reshape it.`,
    );
  }
  const kernel = perAxis(operation, 'size', size, rank, 1);
  const stride = perAxis(operation, 'stride', options.stride ?? kernel, rank, 1);
  const dilation = perAxis(operation, 'dilation', options.dilation ?? 1, rank, 1);
  const padding = perAxis(operation, 'padding', options.padding ?? 0, rank);
  if (padding.some((p, i) => 2 * p > kernel[i]!)) {
    throw new ValueError(
      `${operation}: padding [${padding.join(', ')}] is more than half of the window [${kernel.join(', ')}]. Pad the data instead.`,
    );
  }
  const sizes = x.shape.slice(-rank);
  const pairs = padding.map((p, i): [number, number] => {
    const reach = (kernel[i]! - 1) * dilation[i]! + 1;
    if (reach > sizes[i]! + 2 * p) {
      throw new ShapeError(
        `${operation}: a window reaches over ${reach} elements, but axis ${i - rank} of ${showShape(x.shape)} has ${sizes[i]! + 2 * p} with its padding. Pad more, or use a smaller window.`,
      );
    }
    return [p, options.ceilMode ? ceilPadding(sizes[i]!, p, reach, stride[i]!) : p];
  });
  return { window: { size: kernel, stride, dilation, padding: pairs }, padding };
}

/** How far windows reach past the end when a last one may be incomplete, but must start before the end. */
function ceilPadding(n: number, padding: number, reach: number, stride: number): number {
  let windows = Math.ceil((n + 2 * padding - reach) / stride) + 1;
  if ((windows - 1) * stride >= n + padding) windows--;
  return Math.max((windows - 1) * stride + reach - n - padding, padding);
}

/**
 * The largest element of each window over the last `rank` axes. Where several are largest the first takes the gradient.
 *
 * @param x - `[N, C, spatial…]`, or without N
 * @param size - of the window
 * @returns `[N, C, windows…]`; floor((n + 2·padding − dilation·(size − 1) − 1) / stride) + 1 windows an axis
 */
export function maxPool(x: Tensor, size: PerAxis, rank: number, options: MaxPoolOptions = {}): Tensor {
  return x.windowMax(poolingOf(`maxPool${rank}d`, x, size, rank, options).window);
}

/** {@link maxPool}, and the flat place of each maximum in the plane of `x`: i32. */
export function maxPoolIndices(
  x: Tensor,
  size: PerAxis,
  rank: number,
  options: MaxPoolOptions = {},
): { values: Tensor; indices: Tensor } {
  const { window } = poolingOf(`maxPool${rank}d`, x, size, rank, options);
  return { values: x.windowMax(window), indices: x.windowArgmax(window) };
}

/**
 * The mean of each window over the last `rank` axes.
 *
 * @param x - `[N, C, spatial…]`, or without N
 * @param size - of the window
 * @returns `[N, C, windows…]`
 */
export function avgPool(x: Tensor, size: PerAxis, rank: number, options: AvgPoolOptions = {}): Tensor {
  const operation = `avgPool${rank}d`;
  const { divisor, countIncludePad = true } = options;
  if (divisor === 0) throw new ValueError(`${operation}: the divisor is 0. Use 1 for a sum.`);
  const { window, padding } = poolingOf(operation, x, size, rank, options);
  const sum = x.windowSum(window);
  const isWhole = window.padding.every(
    ([low, high], i) => high === padding[i] && (countIncludePad || low + high === 0),
  );
  if (divisor !== undefined) return sum.div(divisor);
  if (isWhole) return sum.div(window.size.reduce((a, b) => a * b, 1));
  const counts = window.size.map((_, i) => elementsOf(sum, x, { window, padding }, { axis: i, countIncludePad }));
  return counts.reduce((y, count) => y.div(count), sum);
}

/** How many elements each window has along one axis: `[windows, 1…]`, to broadcast with the sums. */
function elementsOf(
  sum: Tensor,
  x: Tensor,
  { window, padding }: Pooling,
  { axis, countIncludePad }: { axis: number; countIncludePad: boolean },
): Tensor {
  const rank = window.size.length;
  const [n, p] = [x.shape.at(axis - rank)!, padding[axis]!];
  const [low, high] = countIncludePad ? [-p, n + p] : [0, n];
  const first = iota([sum.shape.at(axis - rank)!], 0, x.dtype)
    .mul(window.stride[axis]!)
    .sub(p);
  const count = first.add(window.size[axis]!).minimum(high).sub(first.maximum(low));
  return count.reshape([count.size, ...Array<number>(rank - 1 - axis).fill(1)]);
}

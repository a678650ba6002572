/**
 * Pooling into a given number of bins: bin i of n elements is [⌊i·n/bins⌋, ⌈(i+1)·n/bins⌉). Where the bins divide the axis
 * they are ordinary windows. Otherwise a mean is a matrix product an axis, and a maximum reads each bin as a row of equal
 * length, in which a short bin repeats its last element.
 */
import { ShapeError, showShape, type Tensor, tensor, ValueError } from '@dl/tensor';
import { type AxisMap, mapAxis, mapTensor } from './along-axis';
import { Module } from './module';

/** One number of bins for all spatial axes, or one an axis; null keeps an axis as it is. */
export type OutputSize = number | readonly (number | null)[];

/** An axis of n elements and its number of bins. */
interface Binning {
  readonly n: number;
  readonly bins: number;
}

function binningOf(operation: string, x: Tensor, outputSize: OutputSize, rank: number): Binning[] {
  if (x.rank !== rank + 1 && x.rank !== rank + 2) {
    throw new ShapeError(
      `${operation}: x is ${showShape(x.shape)}, but data has ${rank + 2} axes, [N, C, spatial…], or ${rank + 1} without N. Reshape it.`,
    );
  }
  const list = typeof outputSize === 'number' ? Array<number>(rank).fill(outputSize) : outputSize;
  if (list.length !== rank || !list.every((n) => n === null || (Number.isInteger(n) && n >= 0))) {
    throw new ValueError(
      `${operation}: outputSize is [${list.map(String).join(', ')}]. Give one whole number for each of the ${rank} spatial axes, or null to keep one.`,
    );
  }
  return list.map((bins, i) => {
    const n = x.shape[x.rank - rank + i]!;
    if (n === 0 && bins !== 0 && bins !== null)
      throw new ShapeError(
        `${operation}: a spatial axis of x ${showShape(x.shape)} is empty, and has nothing for ${bins} bins. Give it at least one element.`,
      );
    return { n, bins: bins ?? n };
  });
}

const startOf = (i: number, { n, bins }: Binning): number => Math.floor((i * n) / bins);
const endOf = (i: number, { n, bins }: Binning): number => Math.ceil(((i + 1) * n) / bins);
const indicesOf = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Windows that are the bins, if the bins divide every axis. */
function evenWindow(binning: readonly Binning[]) {
  if (!binning.every(({ n, bins }) => bins > 0 && n % bins === 0)) return null;
  const size = binning.map(({ n, bins }) => n / bins);
  return { size, stride: size, dilation: size.map(() => 1), padding: size.map((): [number, number] => [0, 0]) };
}

/** Each bin's elements with equal weights. */
const meansOf = (axis: Binning): AxisMap =>
  indicesOf(axis.bins).map((i) => {
    const [start, end] = [startOf(i, axis), endOf(i, axis)];
    return new Float64Array(axis.n).fill(1 / (end - start), start, end);
  });

/**
 * The mean of each bin, over the last `rank` axes.
 *
 * @param x - `[N, C, spatial…]`, or without N
 * @param outputSize - bins of each axis
 * @returns `[N, C, outputSize…]`
 * @throws ValueError if `outputSize` does not fit the rank, ShapeError if there is nothing to pool
 */
export function adaptiveAvgPool(x: Tensor, outputSize: OutputSize, rank: number): Tensor {
  const binning = binningOf(`adaptiveAvgPool${rank}d`, x, outputSize, rank);
  const window = evenWindow(binning);
  if (window) return x.windowSum(window).div(window.size.reduce((a, b) => a * b, 1));
  const first = x.rank - rank;
  return binning.reduceRight(
    (y, axis, i) => (axis.bins === axis.n ? y : mapAxis(y, first + i, mapTensor(meansOf(axis), axis.n, x.dtype))),
    x,
  );
}

/**
 * The largest element of each bin, over the last `rank` axes. Where several are largest the first takes the gradient.
 *
 * @param x - `[N, C, spatial…]`, or without N
 * @param outputSize - bins of each axis
 * @returns `[N, C, outputSize…]`
 * @throws ValueError if `outputSize` does not fit the rank, ShapeError if there is nothing to pool
 */
export const adaptiveMaxPool = (x: Tensor, outputSize: OutputSize, rank: number): Tensor =>
  adaptiveMaxPoolIndices(x, outputSize, rank).values;

/** {@link adaptiveMaxPool}, and the flat place of each maximum in the plane of `x`: i32. */
export function adaptiveMaxPoolIndices(
  x: Tensor,
  outputSize: OutputSize,
  rank: number,
): { values: Tensor; indices: Tensor } {
  const binning = binningOf(`adaptiveMaxPool${rank}d`, x, outputSize, rank);
  const window = evenWindow(binning);
  if (window) return { values: x.windowMax(window), indices: x.windowArgmax(window) };
  const lead = x.shape.slice(0, x.rank - rank);
  const bins = binning.map((axis) => axis.bins);
  const places = placesOf(binning); // [bins…, reach], flat places in the plane
  const plane = x.reshape([...lead, binning.reduce((size, { n }) => size * n, 1)]);
  const best = plane.take(lead.length, places).argmax(x.rank); // [lead…, bins…], places in `reach`
  const shape = [...lead, ...bins];
  const all = places.expand([...lead, ...places.shape]);
  const indices = all.gather(x.rank, best.unsqueeze(-1)).reshape(shape);
  const flat = indices.reshape([...lead, bins.reduce((a, b) => a * b, 1)]);
  return { values: plane.gather(lead.length, flat).reshape(shape), indices };
}

/** The flat places of each bin's elements: `[bins…, reach…]` with the last axes joined, i32. */
function placesOf(binning: readonly Binning[]): Tensor {
  const rank = binning.length;
  let sum: Tensor | null = null;
  let [stride, reaches] = [1, 1];
  for (let a = rank - 1; a >= 0; a--) {
    const axis = binning[a]!;
    const reach = Math.max(1, ...indicesOf(axis.bins).map((i) => endOf(i, axis) - startOf(i, axis)));
    const rows = indicesOf(axis.bins).flatMap((i) =>
      indicesOf(reach).map((j) => Math.min(startOf(i, axis) + j, endOf(i, axis) - 1) * stride),
    );
    const shape = Array<number>(2 * rank).fill(1);
    [shape[a], shape[rank + a]] = [axis.bins, reach];
    const along = tensor(Int32Array.from(rows), shape);
    sum = sum === null ? along : sum.add(along);
    stride *= axis.n;
    reaches *= reach;
  }
  return sum!.reshape([...binning.map(({ bins }) => bins), reaches]);
}

/** What the layers share. */
abstract class AdaptivePool extends Module {
  constructor(readonly outputSize: OutputSize) {
    super();
  }
}

/** Means of `[N, C, L]` in a given number of bins. */
export class AdaptiveAvgPool1d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return adaptiveAvgPool(x, this.outputSize, 1);
  }
}

/** Means of `[N, C, H, W]` in a given number of bins: `[N, C, outputSize…]`. */
export class AdaptiveAvgPool2d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return adaptiveAvgPool(x, this.outputSize, 2);
  }
}

/** Means of `[N, C, D, H, W]` in a given number of bins. */
export class AdaptiveAvgPool3d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return adaptiveAvgPool(x, this.outputSize, 3);
  }
}

/** Maxima of `[N, C, L]` in a given number of bins. */
export class AdaptiveMaxPool1d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return adaptiveMaxPool(x, this.outputSize, 1);
  }
}

/** Maxima of `[N, C, H, W]` in a given number of bins: `[N, C, outputSize…]`. */
export class AdaptiveMaxPool2d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return adaptiveMaxPool(x, this.outputSize, 2);
  }
}

/** Maxima of `[N, C, D, H, W]` in a given number of bins. */
export class AdaptiveMaxPool3d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return adaptiveMaxPool(x, this.outputSize, 3);
  }
}

/** Pooling of all positions of a channel into one number: what stands between convolutions and a classifier. */
import { ShapeError, showShape, type Tensor } from '@dl/tensor';
import { Module } from './module';

/** The axes after the channels. */
function positions(operation: string, x: Tensor): number[] {
  const axes = x.shape.map((_, i) => i).slice(2);
  if (axes.length > 0 && axes.every((i) => x.shape[i]! > 0)) return axes;
  throw new ShapeError(
    `${operation}: x is ${showShape(x.shape)}, but data is [N, C, spatial…] with at least one position. Reshape it.`,
  );
}

/**
 * The mean of each channel.
 *
 * @param x - `[N, C, spatial…]`
 * @returns `[N, C]`
 * @throws ShapeError if there are no positions
 * @see Lin, Chen & Yan 2014, section 3.2
 */
export const globalAvgPool = (x: Tensor): Tensor => x.mean(positions('globalAvgPool', x));

/**
 * The largest element of each channel. Elements that tie share the gradient.
 *
 * @param x - `[N, C, spatial…]`
 * @returns `[N, C]`
 * @throws ShapeError if there are no positions
 */
export const globalMaxPool = (x: Tensor): Tensor => x.max(positions('globalMaxPool', x));

/** {@link globalAvgPool}: `[N, C, spatial…]` to `[N, C]`. */
export class GlobalAvgPool extends Module {
  forward(x: Tensor): Tensor {
    return globalAvgPool(x);
  }
}

/** {@link globalMaxPool}: `[N, C, spatial…]` to `[N, C]`. */
export class GlobalMaxPool extends Module {
  forward(x: Tensor): Tensor {
    return globalMaxPool(x);
  }
}

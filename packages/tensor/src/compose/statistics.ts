/** Mean and spread. The variance is the mean square of the centred values, in two passes, so that it does not cancel. */
import { isFloat } from '../dtype';
import { checkAxes } from '../shape';
import type { Tensor, VarianceOptions } from '../tensor';

type Axes = number | readonly number[] | undefined;

export function centred(x: Tensor, axes: Axes): Tensor {
  const float = isFloat(x.dtype) ? x : x.cast('f32');
  return float.sub(float.mean(axes, { keepDims: true }));
}

/** Σ (x − mean)² / (n − correction). */
export function variance(x: Tensor, axes: Axes, { correction = 1, keepDims = false }: VarianceOptions = {}): Tensor {
  const count = checkAxes('variance', axes, x.rank).reduce((n, a) => n * x.shape[a]!, 1);
  return centred(x, axes)
    .square()
    .sum(axes, { keepDims })
    .div(Math.max(count - correction, 0));
}

export const std = (x: Tensor, axes: Axes, options?: VarianceOptions): Tensor => variance(x, axes, options).sqrt();

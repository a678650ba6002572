/**
 * Softmax and its logarithm. The maximum is subtracted first, so that nothing overflows; it carries no gradient, because
 * the result does not depend on it.
 */
import { withGrad } from '../graph/mode';
import type { Tensor } from '../tensor';

type Axes = number | readonly number[] | undefined;

/** The largest values, 0 where they are infinite, as constants. */
function shift(x: Tensor, axes: Axes): Tensor {
  return withGrad(false, () => {
    const largest = x.max(axes, { keepDims: true });
    return largest.isFinite().where(largest, 0);
  });
}

/** log Σ e^x */
export function logSumExp(x: Tensor, axes: Axes, { keepDims = false }: { readonly keepDims?: boolean } = {}): Tensor {
  if (x.size === 0) return x.exp().sum(axes, { keepDims }).log();
  const float = x.mulFloat(1);
  const m = shift(float, axes);
  const wide = float.sub(m).exp().sum(axes, { keepDims: true }).log().add(m);
  return keepDims ? wide : wide.reshape(float.sum(axes).shape);
}

/** e^x / Σ e^x along an axis. One division a row: vector division takes as long as several products. */
export function softmax(x: Tensor, axis: number): Tensor {
  if (x.size === 0) return x.mulFloat(1);
  const e = x.sub(shift(x, axis)).exp();
  return e.mul(e.sum(axis, { keepDims: true }).reciprocal());
}

/** x − log Σ e^x along an axis. */
export function logSoftmax(x: Tensor, axis: number): Tensor {
  if (x.size === 0) return x.mulFloat(1);
  const centred = x.sub(shift(x, axis));
  return centred.sub(centred.exp().sum(axis, { keepDims: true }).log());
}

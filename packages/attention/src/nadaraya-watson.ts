/** Nadaraya–Watson regression: attention without parameters but a width, over numbers. */
import { Module, Parameter } from '@dl/layers';
import { full, ShapeError, showShape, type Tensor, type TensorLike, ValueError } from '@dl/tensor';
import type { Attended } from './additive';

/** How weights fall with the distance d: e^(−d²/2), or max(0, 1 − |d|). */
export type RegressionKernel = 'gaussian' | 'epanechnikov';

export interface RegressionOptions {
  /** What distances are multiplied by: the reciprocal of the kernel's width. Default 1. */
  readonly w?: TensorLike;
  /** Default `gaussian`. */
  readonly kernel?: RegressionKernel;
}

function weightsOf(distance: Tensor, kernel: RegressionKernel): Tensor {
  if (kernel === 'gaussian') return distance.square().mul(-0.5).softmax(-1);
  if (kernel !== 'epanechnikov')
    throw new ValueError(`nadarayaWatson: the kernel is gaussian or epanechnikov, not ${String(kernel)}.`);
  const near = distance.abs().neg().add(1).maximum(0);
  const total = near.sum(-1, { keepDims: true });
  return near.div(total.eq(0).where(1, total));
}

/**
 * Averages of the values of near keys.
 * Σ_i K((q − k_i) · w) v_i / Σ_i K((q − k_i) · w)
 *
 * @param queries - `[..., Q]`, float
 * @param keys - `[..., S]`
 * @param values - `[..., S]`
 * @returns `output [..., Q]` and `weights [..., Q, S]`; zeros for a query that no key is near
 * @throws ShapeError if there is no key, or not one value a key
 * @see Nadaraya 1964; Watson 1964
 */
export function nadarayaWatson(
  queries: Tensor,
  keys: Tensor,
  values: Tensor,
  { w = 1, kernel = 'gaussian' }: RegressionOptions = {},
): Attended {
  if (keys.rank === 0 || keys.shape.at(-1) === 0 || keys.shape.at(-1) !== values.shape.at(-1))
    throw new ShapeError(
      `nadarayaWatson: keys ${showShape(keys.shape)} and values ${showShape(values.shape)}: give at least one key, and one value a key.`,
    );
  const distance = queries.unsqueeze(-1).sub(keys.unsqueeze(-2)).mul(w); // [..., Q, S]
  const weights = weightsOf(distance, kernel);
  return { output: weights.matmul(values.unsqueeze(-1)).squeeze(-1), weights };
}

/** {@link nadarayaWatson} with a learned width: parameter `w []`. */
export class NadarayaWatson extends Module {
  readonly w: Parameter;

  /** @param w - its first value. Default 1 */
  constructor(
    w = 1,
    readonly kernel: RegressionKernel = 'gaussian',
  ) {
    super();
    this.w = new Parameter(full([], w), { name: 'NadarayaWatson.w' });
  }

  forward(queries: Tensor, keys: Tensor, values: Tensor): Tensor {
    return nadarayaWatson(queries, keys, values, { w: this.w, kernel: this.kernel }).output;
  }
}

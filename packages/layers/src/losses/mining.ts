/**
 * Triplets out of a batch: for each pair of the same kind, the negative that teaches most without being the hardest of
 * all, which early in training collapses the embedding to a point.
 */
import { iota, ShapeError, showShape, type Tensor, withGrad } from '@dl/tensor';
import type { MarginOptions } from './embedding';

/**
 * Distances of all pairs of rows: ‖x_i − x_j‖.
 *
 * @param x - `[N, D]`, float
 * @returns `[N, N]`, with zeros on the diagonal and a finite gradient there
 * @throws ShapeError if `x` has not two axes
 */
export function distanceMatrix(x: Tensor): Tensor {
  const [N, D] = x.dims(2);
  return x
    .reshape([N, 1, D])
    .sub(x.reshape([1, N, D]))
    .norm(-1);
}

export interface SemiHard {
  /** i32 `[N, N]`: the row of the negative for anchor i and positive j. */
  readonly negatives: Tensor;
  /** bool `[N, N]`: whether i and j are two of one kind, and another kind is in the batch. */
  readonly isPair: Tensor;
}

/**
 * The semi-hard negative of every anchor and positive of a batch: the nearest of those farther from the anchor than the
 * positive; where there is none, the farthest of all.
 *
 * @param distances - `[N, N]`, of {@link distanceMatrix}
 * @param labels - integers `[N]`: kinds
 * @returns places only; no gradient flows through the choice
 * @throws ShapeError if the shapes do not fit
 * @see Schroff, Kalenichenko & Philbin 2015, section 3.2
 */
export function semiHardNegatives(distances: Tensor, labels: Tensor): SemiHard {
  const [N, M] = distances.dims(2);
  if (N !== M || labels.rank !== 1 || labels.shape[0] !== N)
    throw new ShapeError(
      `semiHardNegatives: the distances are ${showShape(distances.shape)} and the labels ${showShape(labels.shape)}. Give [N, N] and [N].`,
    );
  return withGrad(false, () => {
    const sameKind = labels.reshape([N, 1]).eq(labels.reshape([1, N])); // [i, k]
    const otherKind = sameKind.not();
    const toPositive = distances.reshape([N, N, 1]); // [i, j, 1]
    const toNegative = distances.reshape([N, 1, N]); // [i, 1, k]
    const isFarther = toNegative.gt(toPositive).and(otherKind.reshape([N, 1, N])); // [i, j, k]
    const nearest = isFarther.where(toNegative, Number.POSITIVE_INFINITY).argmin(-1); // [i, j]
    const farthest = otherKind.where(distances, -1).argmax(-1, { keepDims: true }); // [i, 1]
    const negatives = isFarther.any(-1).where(nearest, farthest);
    const isOther = iota([N, N], 0).ne(iota([N, N], 1));
    const isPair = sameKind.and(isOther).and(otherKind.any(-1, { keepDims: true }));
    return { negatives, isPair };
  });
}

/**
 * Triplet loss with semi-hard mining: the mean of max(0, d(i, j) − d(i, n) + margin) over all pairs i, j of one kind in
 * the batch, with n of {@link semiHardNegatives}.
 *
 * @param embeddings - `[N, D]`, float; usually of length 1
 * @param labels - integers `[N]`: kinds
 * @param options - `margin` (1), `reduction`
 * @returns a scalar, 0 if the batch has no pair; `[N, N]`, zeros where there is no pair, with `reduction: 'none'`
 */
export function tripletSemiHard(
  embeddings: Tensor,
  labels: Tensor,
  { margin = 1, reduction = 'mean' }: MarginOptions = {},
): Tensor {
  const distances = distanceMatrix(embeddings);
  const { negatives, isPair } = semiHardNegatives(distances, labels);
  const losses = isPair.where(distances.sub(distances.gather(1, negatives)).add(margin).relu(), 0);
  if (reduction === 'none') return losses;
  const sum = losses.sum();
  return reduction === 'sum' ? sum : sum.div(isPair.cast(losses.dtype).sum().maximum(1));
}

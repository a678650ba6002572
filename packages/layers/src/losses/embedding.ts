/** Losses that bring embeddings of the same thing together, and others apart. */
import { ShapeError, sameShape, showShape, type Tensor, ValueError } from '@dl/tensor';
import { checkVectors, cosineSimilarity, pairwiseDistance } from './distance';
import { type ReductionOptions, reduced } from './reduction';

export interface MarginOptions extends ReductionOptions {
  /** How far apart is far enough. */
  readonly margin?: number;
}

function checkPairs(operation: string, x1: Tensor, x2: Tensor, target: Tensor): void {
  checkVectors(operation, x1, x2);
  if (!sameShape(target.shape, x1.shape.slice(0, -1)))
    throw new ShapeError(
      `${operation}: the target is ${showShape(target.shape)}, but the vectors are ${showShape(x1.shape)}. Give one label a pair: ${showShape(x1.shape.slice(0, -1))}.`,
    );
}

/**
 * Contrastive loss: ½ · d² for pairs of the same kind, ½ · max(0, margin − d)² for others, with d = ‖x1 − x2‖.
 *
 * @param x1 - `[N, D]`, float
 * @param x2 - the same shape
 * @param target - `[N]`: 1 for the same kind, 0 for another
 * @param options - `margin` (1), `reduction`
 * @returns a scalar; `[N]` with `reduction: 'none'`
 * @throws ShapeError if the shapes do not fit
 * @see Hadsell, Chopra & LeCun 2006, eq. 4 (where the labels are the other way round)
 */
export function contrastive(
  x1: Tensor,
  x2: Tensor,
  target: Tensor,
  { margin = 1, reduction = 'mean' }: MarginOptions = {},
): Tensor {
  checkPairs('contrastive', x1, x2, target);
  const squares = x1.sub(x2).square().sum(-1);
  const distance = x1.sub(x2).norm(-1);
  const apart = distance.neg().add(margin).relu().square();
  return reduced(target.ne(0).where(squares, apart).mul(0.5), reduction);
}

export interface TripletOptions extends MarginOptions {
  /** Which norm distances have. Default 2. */
  readonly p?: number;
  /** Added to each difference. Default 1e-6. */
  readonly eps?: number;
  /** Takes the negative's distance from the positive where that is smaller. Default false. */
  readonly swap?: boolean;
}

/**
 * Triplet loss: max(0, d(anchor, positive) − d(anchor, negative) + margin), with d = ‖x − y + eps‖ₚ.
 *
 * @param anchor - `[N, D]`, float
 * @param positive - the same shape: of the anchor's kind
 * @param negative - the same shape: of another kind
 * @param options - `margin` (1), `p`, `eps`, `swap`, `reduction`
 * @returns a scalar; `[N]` with `reduction: 'none'`
 * @throws ShapeError if the shapes differ
 * @see Schroff, Kalenichenko & Philbin 2015, eq. 3; for `swap`, Balntas et al. 2016, section 3
 */
export function tripletMargin(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  { margin = 1, p = 2, eps = 1e-6, swap = false, reduction = 'mean' }: TripletOptions = {},
): Tensor {
  checkVectors('tripletMargin', anchor, positive, negative);
  const near = pairwiseDistance(anchor, positive, { p, eps });
  const far = pairwiseDistance(anchor, negative, { p, eps });
  const farther = swap ? far.minimum(pairwiseDistance(positive, negative, { p, eps })) : far;
  return reduced(near.sub(farther).add(margin).relu(), reduction);
}

/**
 * Cosine embedding loss: 1 − cos(x1, x2) for pairs of the same kind, max(0, cos(x1, x2) − margin) for others.
 *
 * @param x1 - `[N, D]` or `[D]`, float
 * @param x2 - the same shape
 * @param target - `[N]` or `[]`: 1 for the same kind, −1 for another
 * @param options - `margin` (0), from −1 to 1; `reduction`
 * @returns a scalar; `[N]` with `reduction: 'none'`
 * @throws ShapeError if the shapes do not fit, ValueError for a margin out of range
 */
export function cosineEmbedding(
  x1: Tensor,
  x2: Tensor,
  target: Tensor,
  { margin = 0, reduction = 'mean' }: MarginOptions = {},
): Tensor {
  if (!(margin >= -1 && margin <= 1))
    throw new ValueError(`cosineEmbedding: the margin is from −1 to 1, as cosines are, not ${margin}.`);
  checkPairs('cosineEmbedding', x1, x2, target);
  const cosine = cosineSimilarity(x1, x2, -1);
  return reduced(target.gt(0).where(cosine.neg().add(1), cosine.sub(margin).relu()), reduction);
}

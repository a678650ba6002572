/** Distances and similarities of pairs of vectors: what losses of embeddings are made of. */
import { norm, ShapeError, sameShape, showShape, type Tensor } from '@dl/tensor';

export interface PairwiseDistanceOptions {
  /** Which norm. Default 2. */
  readonly p?: number;
  /** Added to each difference, so that no distance is 0. Default 1e-6. */
  readonly eps?: number;
  /** Leaves the last axis in place with size 1. Default false. */
  readonly keepDims?: boolean;
}

/** @throws ShapeError if two sets of vectors differ in shape, or have no axis to lie along */
export function checkVectors(operation: string, ...vectors: readonly Tensor[]): void {
  const [first, ...rest] = vectors as readonly [Tensor, ...Tensor[]];
  const other = rest.find((x) => !sameShape(x.shape, first.shape));
  if (other)
    throw new ShapeError(
      `${operation}: the vectors are ${showShape(first.shape)} and ${showShape(other.shape)}. Give both one shape; they are not broadcast.`,
    );
  if (first.rank === 0) throw new ShapeError(`${operation}: the vectors are scalars. Give them as [..., D].`);
}

/**
 * ‖x1 − x2 + eps‖ₚ over the last axis.
 *
 * @param x1 - `[..., D]`, float
 * @param x2 - the same shape
 * @returns `[...]`
 * @throws ShapeError if the shapes differ
 */
export function pairwiseDistance(
  x1: Tensor,
  x2: Tensor,
  { p = 2, eps = 1e-6, keepDims = false }: PairwiseDistanceOptions = {},
): Tensor {
  checkVectors('pairwiseDistance', x1, x2);
  return norm(x1.sub(x2).add(eps), p, -1, { keepDims });
}

export interface CosineSimilarityOptions {
  /** The least norm that is divided by. Default 1e-8. */
  readonly eps?: number;
}

/**
 * x1 · x2 / (max(‖x1‖, eps) · max(‖x2‖, eps)) along an axis.
 *
 * @param x1 - any shape, float
 * @param x2 - the same shape
 * @param axis - along which vectors lie. Default 1
 * @returns the shape without the axis, from −1 to 1; a zero vector has similarity 0
 * @throws ShapeError if the shapes differ
 */
export function cosineSimilarity(
  x1: Tensor,
  x2: Tensor,
  axis = 1,
  { eps = 1e-8 }: CosineSimilarityOptions = {},
): Tensor {
  checkVectors('cosineSimilarity', x1, x2);
  // 1 / max(‖x‖, eps), from squares: a root of 0 would have no slope.
  const inverseNorm = (x: Tensor): Tensor =>
    x
      .square()
      .sum(axis)
      .maximum(eps ** 2)
      .rsqrt();
  return x1.mul(x2).sum(axis).mul(inverseNorm(x1)).mul(inverseNorm(x2));
}

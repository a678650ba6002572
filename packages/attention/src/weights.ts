/**
 * The weights of scaled dot-product attention: a matrix product and a row kernel (scale, masks, softmax). This file decides
 * what a mask means and what a row gets whose mask hides every key: zeros, and a gradient of zero, since the average over no
 * values has no better definition and NaN would spread.
 */
import { iota, type Shape, ShapeError, showShape, type Tensor, withGrad } from '@dl/tensor';

/** @param shape - of the scores, `[..., queries, keys]` */
export function checkMask(operation: string, mask: Tensor, shape: Shape): void {
  const fits =
    mask.rank <= shape.length && mask.shape.every((n, i) => n === 1 || n === shape[i + shape.length - mask.rank]);
  if (!fits)
    throw new ShapeError(
      `${operation}: the mask is ${showShape(mask.shape)}, but the scores are ${showShape(shape)}. A mask broadcasts to [..., queries, keys].`,
    );
}

/** Where a query may attend to a key: key ≤ start + query. bool `[queries, keys]`. */
export function causalMask(queries: number, keys = queries, start = 0): Tensor {
  const row = iota([queries, keys], 0);
  return iota([queries, keys], 1).le(start === 0 ? row : row.add(start));
}

/** Scores with masks applied: −∞ where a bool mask is false, the sum with a float mask. */
export function masked(operation: string, scores: Tensor, masks: readonly Tensor[]): Tensor {
  let result = scores;
  for (const mask of masks) {
    checkMask(operation, mask, scores.shape);
    result =
      mask.dtype === 'bool'
        ? mask.expand(scores.shape).where(result, Number.NEGATIVE_INFINITY)
        : result.add(mask.cast(scores.dtype));
  }
  return result;
}

/**
 * Softmax over the last axis; a row of −∞ alone gives zeros.
 *
 * @param scores - `[..., S]`, float
 * @returns same shape and dtype
 */
export function maskedSoftmax(scores: Tensor): Tensor {
  const shift = withGrad(false, () => {
    const largest = scores.max(-1, { keepDims: true });
    return largest.isFinite().where(largest, 0);
  });
  const e = scores.sub(shift).exp();
  const total = e.sum(-1, { keepDims: true });
  return e.div(total.eq(0).where(1, total));
}

export function checkSequences(operation: string, q: Tensor, k: Tensor, v: Tensor): void {
  if (q.rank < 2 || k.rank < 2 || v.rank < 2)
    throw new ShapeError(
      `${operation}: queries ${showShape(q.shape)}, keys ${showShape(k.shape)} and values ${showShape(v.shape)} have at least two axes, [..., length, features].`,
    );
  if (q.shape.at(-2) === 0 || k.shape.at(-2) === 0)
    throw new ShapeError(
      `${operation}: a sequence is empty: queries are ${showShape(q.shape)}, keys ${showShape(k.shape)}. Give at least one element.`,
    );
  if (k.shape.at(-2) !== v.shape.at(-2))
    throw new ShapeError(
      `${operation}: there are ${k.shape.at(-2)} keys, but ${v.shape.at(-2)} values (${showShape(k.shape)}, ${showShape(v.shape)}). Each key has one value.`,
    );
}

export function checkFeatures(q: Tensor, k: Tensor): void {
  if (q.shape.at(-1) !== k.shape.at(-1))
    throw new ShapeError(
      `attention: queries have ${q.shape.at(-1)} features, but keys ${k.shape.at(-1)} (${showShape(q.shape)}, ${showShape(k.shape)}). Project them to one size, or use additiveAttention.`,
    );
}

export interface WeightOptions {
  /** Query i sees keys 0 … i only. Default false. */
  readonly causal?: boolean;
  /** What scores are multiplied by. Default 1 / √E. */
  readonly scale?: number;
  /** The position of the first query, for `causal`. Default 0. */
  readonly start?: number;
}

/**
 * The weights of scaled dot-product attention: softmax(q kᵀ · scale + mask).
 *
 * @param q - `[..., L, E]`
 * @param k - `[..., S, E]`
 * @param masks - bool or float, each broadcasting to `[..., L, S]`; all apply
 * @returns `[..., L, S]`; rows sum to 1, or are 0 where every key is hidden
 */
export function attentionWeights(
  q: Tensor,
  k: Tensor,
  { scale, causal = false, start = 0 }: WeightOptions = {},
  masks: readonly Tensor[] = [],
): Tensor {
  checkFeatures(q, k);
  const [queries, keys, features] = [q.shape.at(-2)!, k.shape.at(-2)!, q.shape.at(-1)!];
  const scores = q.matmul(k.transpose()).mul(scale ?? 1 / Math.sqrt(features)); // [..., L, S]
  const all = causal ? [...masks, causalMask(queries, keys, start)] : masks;
  if (all.length === 0) return scores.softmax(-1);
  const hidden = masked('attention', scores, all);
  return masks.length === 0 ? hidden.softmax(-1) : maskedSoftmax(hidden); // a causal row sees its first key at least
}

/**
 * Scaled dot-product attention, as two matrix products with one row kernel between them: scale, masks and softmax. This
 * file decides what a mask means and what a row gets whose mask hides every key: zeros, and a gradient of zero, since
 * the average over no values has no better definition and NaN would spread. Heads and projections are for `multihead.ts`.
 */

import { dropout } from '@dl/layers';
import { type Generator, iota, ShapeError, showShape, type Tensor, withGrad } from '@dl/tensor';

export interface AttentionOptions {
  /** bool: true where a query may attend; float: added to the scores. Broadcasts to `[..., L, S]`. */
  readonly mask?: Tensor;
  /** Query i sees keys 0 … i only. Default false. */
  readonly causal?: boolean;
  /** The share of weights that are set to 0. Default 0. */
  readonly dropout?: number;
  /** What scores are multiplied by. Default 1 / √E. */
  readonly scale?: number;
  /** Where dropout's random numbers come from. Default: the one that `setSeed` seeds. */
  readonly generator?: Generator;
}

function checkMask(operation: string, mask: Tensor, scores: Tensor): void {
  const { shape } = scores;
  const fits =
    mask.rank <= scores.rank && mask.shape.every((n, i) => n === 1 || n === shape[i + scores.rank - mask.rank]);
  if (!fits)
    throw new ShapeError(
      `${operation}: the mask is ${showShape(mask.shape)}, but the scores are ${showShape(shape)}. A mask broadcasts to [..., queries, keys].`,
    );
}

/** Where a query may attend to a key: key ≤ query. bool `[queries, keys]`. */
export function causalMask(queries: number, keys = queries): Tensor {
  return iota([queries, keys], 1).le(iota([queries, keys], 0));
}

/** Scores with masks applied: −∞ where a bool mask is false, the sum with a float mask. */
export function masked(operation: string, scores: Tensor, masks: readonly Tensor[]): Tensor {
  let result = scores;
  for (const mask of masks) {
    checkMask(operation, mask, scores);
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

function checkFeatures(q: Tensor, k: Tensor): void {
  if (q.shape.at(-1) !== k.shape.at(-1))
    throw new ShapeError(
      `attention: queries have ${q.shape.at(-1)} features, but keys ${k.shape.at(-1)} (${showShape(q.shape)}, ${showShape(k.shape)}). Project them to one size, or use additiveAttention.`,
    );
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
  { scale, causal = false }: Pick<AttentionOptions, 'scale' | 'causal'> = {},
  masks: readonly Tensor[] = [],
): Tensor {
  checkFeatures(q, k);
  const [queries, keys, features] = [q.shape.at(-2)!, k.shape.at(-2)!, q.shape.at(-1)!];
  const scores = q.matmul(k.transpose()).mul(scale ?? 1 / Math.sqrt(features)); // [..., L, S]
  const all = causal ? [...masks, causalMask(queries, keys)] : masks;
  if (all.length === 0) return scores.softmax(-1);
  const hidden = masked('attention', scores, all);
  return masks.length === 0 ? hidden.softmax(-1) : maskedSoftmax(hidden); // a causal row sees its first key at least
}

/**
 * Averages of values, weighted by how well keys agree with queries.
 * softmax(q kᵀ · scale + mask) v
 *
 * A row whose mask hides every key gives zeros.
 *
 * @param q - queries `[..., L, E]`, float
 * @param k - keys `[..., S, E]`
 * @param v - values `[..., S, F]`
 * @returns `[..., L, F]`
 * @throws ShapeError if shapes do not fit or a sequence is empty
 * @see Vaswani et al. 2017, eq. 1
 * @example
 * const y = scaledDotProductAttention(q, k, v, { causal: true });
 */
export function scaledDotProductAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { mask, causal = false, dropout: p = 0, scale, generator }: AttentionOptions = {},
): Tensor {
  checkSequences('scaledDotProductAttention', q, k, v);
  const options = scale === undefined ? { causal } : { causal, scale };
  const weights = attentionWeights(q, k, options, mask === undefined ? [] : [mask]);
  const kept = p === 0 ? weights : dropout(weights, p, generator === undefined ? {} : { generator });
  return kept.matmul(v);
}

/**
 * Scaled dot-product attention, as two matrix products with one row kernel between them: scale, masks and softmax. This
 * file decides what a mask means and what a row gets whose mask hides every key: zeros, and a gradient of zero, since
 * the average over no values has no better definition and NaN would spread. Heads and projections are for `multihead.ts`.
 */

import { checkpoint } from '@dl/autograd';
import { dropout } from '@dl/layers';
import { concat, type Generator, iota, ShapeError, showShape, type Tensor, ValueError, withGrad } from '@dl/tensor';

export interface AttentionOptions {
  /** bool: true where a query may attend; float: added to the scores. Broadcasts to `[..., L, S]`. */
  readonly mask?: Tensor;
  /** Query i sees keys 0 … i only. Default false. */
  readonly causal?: boolean;
  /** The share of weights that are set to 0. Default 0. */
  readonly dropout?: number;
  /** What scores are multiplied by. Default 1 / √E. */
  readonly scale?: number;
  /**
   * Queries that are computed at a time. The scores of one block are kept at a time, and computed again for the gradient:
   * a forward pass then takes memory linear in the length. With `causal`, a block skips the keys after it. Default: all.
   */
  readonly blockSize?: number;
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

/** Where a query may attend to a key: key ≤ start + query. bool `[queries, keys]`. */
export function causalMask(queries: number, keys = queries, start = 0): Tensor {
  const row = iota([queries, keys], 0);
  return iota([queries, keys], 1).le(start === 0 ? row : row.add(start));
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

export interface WeightOptions extends Pick<AttentionOptions, 'scale' | 'causal'> {
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
export function scaledDotProductAttention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  checkSequences('scaledDotProductAttention', q, k, v);
  const { blockSize } = options;
  const queries = q.shape.at(-2)!;
  if (blockSize === undefined) return attended(q, k, v, 0, options);
  if (!Number.isInteger(blockSize) || blockSize < 1)
    throw new ValueError(
      `scaledDotProductAttention: blockSize is ${blockSize}, but must be a whole number of at least 1.`,
    );
  const blocks: Tensor[] = [];
  for (let start = 0; start < queries; start += blockSize) {
    const length = Math.min(blockSize, queries - start);
    blocks.push(block(q, k, v, { start, length }, options));
  }
  return concat(blocks, -2);
}

/** Attention of all queries, the first of which is at the position `start`. */
function attended(q: Tensor, k: Tensor, v: Tensor, start: number, options: AttentionOptions): Tensor {
  const { mask, causal = false, dropout: p = 0, scale, generator } = options;
  const call = { causal, start, ...(scale === undefined ? {} : { scale }) };
  const weights = attentionWeights(q, k, call, mask === undefined ? [] : [mask]);
  const kept = p === 0 ? weights : dropout(weights, p, generator === undefined ? {} : { generator });
  return kept.matmul(v);
}

interface Rows {
  readonly start: number;
  readonly length: number;
}

/** Attention of some of the queries, whose scores are not kept for the gradient. */
function block(q: Tensor, k: Tensor, v: Tensor, { start, length }: Rows, options: AttentionOptions): Tensor {
  const keys = options.causal ? Math.min(start + length, k.shape.at(-2)!) : k.shape.at(-2)!;
  const { mask, ...rest } = options;
  const seen = mask === undefined ? {} : { mask: maskOf(mask, start, length, keys) };
  const inputs = [q.narrow(-2, start, length), k.narrow(-2, 0, keys), v.narrow(-2, 0, keys)] as const;
  return checkpoint((a: Tensor, b: Tensor, c: Tensor) => attended(a, b, c, start, { ...rest, ...seen }), ...inputs);
}

/** The part of a mask that some queries and keys see; axes of size 1 stay. */
function maskOf(mask: Tensor, start: number, length: number, keys: number): Tensor {
  const rows = mask.rank < 2 || mask.shape.at(-2) === 1 ? mask : mask.narrow(-2, start, length);
  return rows.rank === 0 || rows.shape.at(-1) === 1 ? rows : rows.narrow(-1, 0, keys);
}

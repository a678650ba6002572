/**
 * Scaled dot-product attention. This file decides how it is computed: all scores at once, which are few, or block by
 * block (`blocks.ts`), where they would take more memory than all else.
 */
import { dropout } from '@dl/layers';
import { type Generator, type Tensor, ValueError } from '@dl/tensor';
import { attendInBlocks } from './blocks';
import { attentionWeights, checkSequences } from './weights';

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
   * Queries that are computed at a time; at least L for all. Default: all where there are fewer than 512 × 512 scores in a
   * head, else 128.
   */
  readonly blockSize?: number;
  /** Where dropout's random numbers come from. Default: the one that `setSeed` seeds. */
  readonly generator?: Generator;
}

/** Fewer scores than this, in one head, are computed at once. */
const MANY = 512 * 512;
const BLOCK = 128;

/**
 * Averages of values, weighted by how well keys agree with queries.
 * softmax(q kᵀ · scale + mask) v
 *
 * A row whose mask hides every key gives zeros. Long sequences take memory linear in their length, also with gradients.
 *
 * @param q - queries `[..., L, E]`, float
 * @param k - keys `[..., S, E]`
 * @param v - values `[..., S, F]`
 * @returns `[..., L, F]`
 * @throws ShapeError if shapes do not fit or a sequence is empty; ValueError for a block size below 1
 * @see Vaswani et al. 2017, eq. 1; Dao et al. 2022 for the blocks
 * @example
 * const y = scaledDotProductAttention(q, k, v, { causal: true });
 */
export function scaledDotProductAttention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  const { mask, ...rest } = options;
  return attend(q, k, v, { ...rest, masks: mask === undefined ? [] : [mask] });
}

/** What {@link attend} takes instead of one mask: all of them apply. */
export interface MaskedOptions extends Omit<AttentionOptions, 'mask'> {
  readonly masks: readonly Tensor[];
}

/** {@link scaledDotProductAttention} with several masks. */
export function attend(q: Tensor, k: Tensor, v: Tensor, options: MaskedOptions): Tensor {
  checkSequences('scaledDotProductAttention', q, k, v);
  const [queries, keys] = [q.shape.at(-2)!, k.shape.at(-2)!];
  const { blockSize = queries * keys < MANY ? queries : BLOCK, masks, dropout: p = 0, generator, ...call } = options;
  if (!(blockSize >= 1) || (blockSize < queries && !Number.isInteger(blockSize)))
    throw new ValueError(
      `scaledDotProductAttention: blockSize is ${blockSize}, but must be a whole number of at least 1.`,
    );
  if (blockSize < queries) return attendInBlocks(q, k, v, { ...options, blockSize });
  const weights = attentionWeights(q, k, call, masks);
  return dropout(weights, p, generator === undefined ? {} : { generator }).matmul(v);
}

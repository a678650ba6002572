/** Additive attention: a small network scores each pair of a query and a key. */
import { Linear, Module } from '@dl/layers';
import { iota, ShapeError, showShape, type Tensor } from '@dl/tensor';
import { checkSequences, masked, maskedSoftmax } from './weights';

/** What attention gives. */
export interface Attended {
  /** `[..., L, F]` */
  readonly output: Tensor;
  /** `[..., L, S]`: rows sum to 1, or are 0 where every key is hidden. */
  readonly weights: Tensor;
}

export interface AdditiveOptions {
  /** bool: true where a query may attend; float: added to the scores. Broadcasts to `[N, L, S]`. */
  readonly mask?: Tensor;
}

/** Where keys are no padding: bool `[N, 1, S]`, true at positions below each length. @param lengths - i32 `[N]` */
export function lengthMask(lengths: Tensor, keys: number): Tensor {
  const [rows] = lengths.dims(1);
  return iota([rows, 1, keys], 2).lt(lengths.cast('i32').reshape([rows, 1, 1]).expand([rows, 1, keys]));
}

function attend(q: Tensor, k: Tensor, score: Tensor, v: Tensor, mask: Tensor | undefined): Attended {
  const hidden = q.unsqueeze(2).add(k.unsqueeze(1)).tanh().matmul(score); // [N, L, S]
  const weights = mask === undefined ? hidden.softmax(-1) : maskedSoftmax(masked('additiveAttention', hidden, [mask]));
  return { output: weights.matmul(v), weights };
}

function check(q: Tensor, k: Tensor, v: Tensor): void {
  for (const x of [q, k, v]) {
    if (x.rank !== 3)
      throw new ShapeError(
        `additiveAttention: queries, keys and values are [N, length, features], but got ${showShape(x.shape)}.`,
      );
  }
  checkSequences('additiveAttention', q, k, v);
}

/** The learned part of additive attention. */
export interface AdditiveWeights {
  /** `[H, query features]` */
  readonly query: Tensor;
  /** `[H, key features]` */
  readonly key: Tensor;
  /** `[H]` */
  readonly score: Tensor;
}

/**
 * Bahdanau's attention: scores w · tanh(W_q q + W_k k).
 *
 * @param q - `[N, L, Eq]`
 * @param k - `[N, S, Ek]`
 * @param v - `[N, S, F]`
 * @returns `output [N, L, F]` and `weights [N, L, S]`; zeros where a mask hides every key
 * @throws ShapeError if shapes do not fit or a sequence is empty
 * @see Bahdanau, Cho & Bengio 2015, eq. 6 and A.1.2
 */
export function additiveAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { query, key, score, mask }: AdditiveWeights & AdditiveOptions,
): Attended {
  check(q, k, v);
  return attend(q.matmul(query.transpose()), k.matmul(key.transpose()), score, v, mask);
}

/**
 * {@link additiveAttention} as a layer. Parameters `w_q.weight [H, Eq]`, `w_k.weight [H, Ek]`, `w_v.weight [1, H]`.
 *
 * @example
 * const { output, weights } = new AdditiveAttention(32, 64, 16).forward(state, memory, memory);
 */
export class AdditiveAttention extends Module {
  readonly w_q: Linear;
  readonly w_k: Linear;
  readonly w_v: Linear;

  /** @param hiddenSize - H, the width of the network that scores */
  constructor(querySize: number, keySize: number, hiddenSize: number) {
    super();
    this.w_q = new Linear(querySize, hiddenSize, { bias: false });
    this.w_k = new Linear(keySize, hiddenSize, { bias: false });
    this.w_v = new Linear(hiddenSize, 1, { bias: false });
  }

  /** Keys as scores see them, to be computed once for many queries. */
  projectKeys(k: Tensor): Tensor {
    return this.w_k.forward(k); // [N, S, H]
  }

  /** @param projected - what {@link projectKeys} gave for the keys */
  attendTo(q: Tensor, projected: Tensor, v: Tensor, { mask }: AdditiveOptions = {}): Attended {
    check(q, projected, v);
    return attend(this.w_q.forward(q), projected, this.w_v.weight.reshape([-1]), v, mask);
  }

  forward(q: Tensor, k: Tensor, v: Tensor, options: AdditiveOptions = {}): Attended {
    return this.attendTo(q, this.projectKeys(k), v, options);
  }
}

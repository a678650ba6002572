/**
 * Attention in several heads: projections of queries, keys and values, attention in each head, and a projection of the
 * heads side by side. State keys, masks and initial values are PyTorch's; masks say what to ignore.
 */
import { constant, dropout, Linear, linear, Module, Parameter, xavierUniform } from '@dl/layers';
import { ShapeError, showShape, type Tensor, ValueError, zeros } from '@dl/tensor';
import { type CachePlace, cacheMask, type Heads } from './cache';
import { attend } from './scaled-dot-product';
import { attentionWeights, checkSequences } from './weights';

export interface MultiheadOptions {
  /** The share of attention weights set to 0 in training. Default 0. */
  readonly dropout?: number;
  /** Whether projections have biases. Default true. */
  readonly bias?: boolean;
  /** Features of keys, if not those of queries. */
  readonly kdim?: number;
  /** Features of values, if not those of queries. */
  readonly vdim?: number;
  /** Data is `[N, L, E]` rather than `[L, N, E]`. Default false, as in PyTorch. */
  readonly batchFirst?: boolean;
}

export interface MultiheadCall {
  /** bool `[L, S]` or `[N · H, L, S]`: true means ignore; float: added to the scores. */
  readonly attnMask?: Tensor;
  /** bool `[N, S]`: true means that a key is padding; float: added to its scores. */
  readonly keyPaddingMask?: Tensor;
  /** Query i sees keys 0 … i only. Costs nothing, unlike a mask. Default false. */
  readonly causal?: boolean;
  /** Whether weights are returned. Default false. */
  readonly needWeights?: boolean;
  /** Whether they are averaged over the heads. Default true. */
  readonly averageWeights?: boolean;
  /** Keys and values of earlier tokens, to which these are added: then the attention is causal. */
  readonly cache?: CachePlace;
}

export interface MultiheadResult {
  /** As the queries are laid out. */
  readonly output: Tensor;
  /** `[N, L, S]`, or `[N, H, L, S]` for each head; null unless asked for. */
  readonly weights: Tensor | null;
}

/** Keys: a sequence, or what {@link MultiheadAttention.project} made of one. */
export type KeySource = Tensor | Heads;

const isHeads = (source: KeySource): source is Heads => 'k' in source;

/** A bool mask of what to ignore as one of what to attend to. */
const seen = (mask: Tensor): Tensor => (mask.dtype === 'bool' ? mask.not() : mask);

/**
 * Multi-head attention: heads softmax(q_h k_hᵀ / √D) v_h side by side, projected.
 *
 * Parameters `in_proj_weight [3 · E, E]` (or `q_proj_weight`, `k_proj_weight`, `v_proj_weight` with other sizes of keys
 * or values), `in_proj_bias [3 · E]`, `out_proj.weight [E, E]`, `out_proj.bias [E]`.
 *
 * @see Vaswani et al. 2017, section 3.2.2
 * @example
 * const attention = new MultiheadAttention(64, 4, { batchFirst: true });
 * const { output, weights } = attention.forward(x, x, x, { causal: true, needWeights: true });
 */
export class MultiheadAttention extends Module {
  readonly inProjWeight: Parameter | null = null;
  readonly qProjWeight: Parameter | null = null;
  readonly kProjWeight: Parameter | null = null;
  readonly vProjWeight: Parameter | null = null;
  readonly inProjBias: Parameter | null;
  readonly outProj: Linear;
  readonly headDim: number;
  readonly dropout: number;
  readonly batchFirst: boolean;

  /** @param embedDim - E, a multiple of `numHeads` */
  constructor(
    readonly embedDim: number,
    readonly numHeads: number,
    { dropout: p = 0, bias = true, kdim = embedDim, vdim = embedDim, batchFirst = false }: MultiheadOptions = {},
  ) {
    super();
    if (!Number.isInteger(numHeads) || numHeads < 1 || embedDim % numHeads !== 0)
      throw new ValueError(
        `MultiheadAttention: ${embedDim} features do not divide into ${numHeads} heads. Choose a divisor of ${embedDim}.`,
      );
    this.headDim = embedDim / numHeads;
    this.dropout = p;
    this.batchFirst = batchFirst;
    const weight = (rows: number, columns: number): Parameter =>
      new Parameter(xavierUniform([rows, columns]), { name: 'MultiheadAttention.weight' });
    if (kdim === embedDim && vdim === embedDim) this.inProjWeight = weight(3 * embedDim, embedDim);
    else {
      this.qProjWeight = weight(embedDim, embedDim);
      this.kProjWeight = weight(embedDim, kdim);
      this.vProjWeight = weight(embedDim, vdim);
    }
    this.inProjBias = bias ? new Parameter(zeros([3 * embedDim]), { name: 'MultiheadAttention.bias' }) : null;
    this.outProj = new Linear(embedDim, embedDim, { bias, biasInit: constant(0) });
  }

  /** Rows of the projections from part `from` (0 queries, 1 keys, 2 values) on. */
  #projected(x: Tensor, from: number, parts: number): Tensor {
    const { embedDim: E, inProjBias } = this;
    const own = [this.qProjWeight, this.kProjWeight, this.vProjWeight][from];
    const weight = this.inProjWeight ? this.inProjWeight.narrow(0, from * E, parts * E) : own!;
    return linear(x, weight, inProjBias ? inProjBias.narrow(0, from * E, parts * E) : null); // [N, L, parts · E]
  }

  /** One projection for all of the given parts, by heads: each `[N, H, L, D]`. */
  #heads(x: Tensor, from: number, parts: number): Tensor[] {
    const [rows, length] = x.dims(3);
    const wide = this.#projected(x, from, parts).reshape([rows, length, parts, this.numHeads, this.headDim]);
    const byPart = wide.permute([2, 0, 3, 1, 4]); // [parts, N, H, L, D]
    return Array.from({ length: parts }, (_, i) => byPart.at(i));
  }

  #batchFirst(x: Tensor): Tensor {
    if (x.rank !== 3)
      throw new ShapeError(
        `MultiheadAttention: data is ${this.batchFirst ? '[N, L, features]' : '[L, N, features]'}, but got ${showShape(x.shape)}. Add an axis for the batch with unsqueeze.`,
      );
    return this.batchFirst ? x : x.transpose(0, 1);
  }

  /**
   * Keys and values by head, to be computed once for many queries.
   *
   * @param key - `[N, S, kdim]`, or `[S, N, kdim]`
   * @param value - default: the keys
   */
  project(key: Tensor, value: Tensor = key): Heads {
    const [x, y] = [this.#batchFirst(key), this.#batchFirst(value)];
    checkSequences('MultiheadAttention', x, x, y);
    if (key === value && this.inProjWeight) {
      const [k, v] = this.#heads(x, 1, 2);
      return { k: k!, v: v! };
    }
    return { k: this.#heads(x, 1, 1)[0]!, v: this.#heads(y, 2, 1)[0]! };
  }

  /** Queries, keys and values by head, in as few products as there are different inputs. */
  #inputs(query: Tensor, key: KeySource, value: Tensor | null): { q: Tensor } & Heads {
    const x = this.#batchFirst(query);
    if (key === query && (value ?? query) === query && this.inProjWeight) {
      checkSequences('MultiheadAttention', x, x, x);
      const [q, k, v] = this.#heads(x, 0, 3);
      return { q: q!, k: k!, v: v! };
    }
    return { q: this.#heads(x, 0, 1)[0]!, ...(isHeads(key) ? key : this.project(key, value ?? key)) };
  }

  /** Masks of what to attend to, each broadcasting to `[N, H, L, S]`. */
  #masks(q: Tensor, k: Tensor, { attnMask, keyPaddingMask, cache }: MultiheadCall): Tensor[] {
    const [rows, heads, queries] = q.dims(4);
    const keys = k.shape[2]!;
    const masks: Tensor[] = [];
    if (attnMask !== undefined) masks.push(seen(this.#byHead(attnMask, [rows, heads, queries, keys])));
    if (keyPaddingMask !== undefined) {
      if (keyPaddingMask.rank !== 2 || keyPaddingMask.shape[0] !== rows || keyPaddingMask.shape[1] !== keys)
        throw new ShapeError(
          `MultiheadAttention: the key padding mask is ${showShape(keyPaddingMask.shape)}, but there are ${rows} rows of ${keys} keys. It is [N, S].`,
        );
      masks.push(seen(keyPaddingMask).reshape([rows, 1, 1, keys]));
    }
    if (cache) masks.push(cacheMask(queries, keys, cache.position));
    return masks;
  }

  #byHead(mask: Tensor, shape: readonly [number, number, number, number]): Tensor {
    const [rows, heads, queries, keys] = shape;
    const [first, second] = mask.shape.slice(-2);
    const fits = mask.rank === 2 || (mask.rank === 3 && mask.shape[0] === rows * heads);
    if (!fits || first !== queries || second !== keys)
      throw new ShapeError(
        `MultiheadAttention: the attention mask is ${showShape(mask.shape)}, but must be ${showShape([queries, keys])} or ${showShape([rows * heads, queries, keys])}.`,
      );
    return mask.rank === 2 ? mask : mask.reshape([...shape]);
  }

  /**
   * @param query - `[L, N, E]`, or `[N, L, E]` with `batchFirst`
   * @param key - `[S, N, kdim]`, or what `project` gave. Default: the queries
   * @param value - `[S, N, vdim]`. Default: the keys
   * @throws ShapeError if a sequence is empty, or shapes or masks do not fit
   */
  forward(
    query: Tensor,
    key: KeySource = query,
    value: Tensor | null = null,
    options: MultiheadCall = {},
  ): MultiheadResult {
    const { q, ...fresh } = this.#inputs(query, key, value);
    const { k, v } = options.cache ? options.cache.layer.put(fresh, options.cache.position) : fresh;
    checkSequences('MultiheadAttention', q, k, v);
    const causal = (options.causal ?? false) && !options.cache; // a cache's mask is causal
    const masks = this.#masks(q, k, options);
    const p = this.training ? this.dropout : 0;
    const weights = options.needWeights ? attentionWeights(q, k, { causal }, masks) : null; // [N, H, L, S]
    const heads = weights ? dropout(weights, p).matmul(v) : attend(q, k, v, { causal, masks, dropout: p });
    const [rows, , length] = q.dims(4);
    const joined = heads.permute([0, 2, 1, 3]).reshape([rows, length, this.embedDim]); // [N, L, E]
    const output = this.outProj.forward(joined);
    return {
      output: this.batchFirst ? output : output.transpose(0, 1),
      weights: weights && (options.averageWeights === false ? weights : weights.mean(1)),
    };
  }
}

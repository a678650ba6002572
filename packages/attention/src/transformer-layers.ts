/**
 * The two layers that Transformers are stacks of. A residual connection surrounds each part; layer normalisation comes
 * after the sum (as in the paper) or before the part (`normFirst`, which trains without warm-up). State keys are PyTorch's.
 */
import { Dropout, LayerNorm, Linear, Module } from '@dl/layers';
import type { Tensor } from '@dl/tensor';
import type { CachePlace } from './cache';
import { type Activation, activationOf } from './feed-forward';
import { type KeySource, MultiheadAttention, type MultiheadCall } from './multihead';

export interface TransformerLayerOptions {
  /** Width of the feed-forward network. Default 2048. */
  readonly dimFeedforward?: number;
  /** After each part, in the feed-forward network, and on attention weights. Default 0.1. */
  readonly dropout?: number;
  /** Default `relu`. */
  readonly activation?: Activation;
  /** Normalises before each part instead of after. Default false. */
  readonly normFirst?: boolean;
  /** Data is `[N, T, E]` rather than `[T, N, E]`. Default false, as in PyTorch. */
  readonly batchFirst?: boolean;
  /** Default 1e-5. */
  readonly layerNormEps?: number;
  /** Whether linear layers and normalisations have biases. Default true. */
  readonly bias?: boolean;
}

/** What an encoder layer is told about the sequence. */
export interface EncoderCall {
  /** bool `[T, T]` or `[N · H, T, T]`: true means ignore; float: added to the scores. */
  readonly mask?: Tensor;
  /** bool `[N, T]`: true means padding. */
  readonly keyPaddingMask?: Tensor;
  /** Each position sees itself and those before. Default false. */
  readonly causal?: boolean;
}

/** What a decoder layer is told about the sequence and the memory. */
export interface DecoderCall extends EncoderCall {
  /** bool `[T, S]` or `[N · H, T, S]`: true means ignore; float: added to the scores. */
  readonly memoryMask?: Tensor;
  /** bool `[N, S]`: true means padding. */
  readonly memoryKeyPaddingMask?: Tensor;
}

const selfCall = ({ mask, keyPaddingMask, causal }: EncoderCall, cache: CachePlace | undefined): MultiheadCall => ({
  ...(mask && { attnMask: mask }),
  ...(keyPaddingMask && { keyPaddingMask }),
  ...(cache && { cache }),
  causal: causal ?? false,
});

/** What both layers have: self-attention, the feed-forward network, and how a part is put into its residual connection. */
abstract class TransformerLayer extends Module {
  readonly selfAttn: MultiheadAttention;
  readonly #activation: (x: Tensor) => Tensor;
  readonly normFirst: boolean;

  constructor(
    readonly dModel: number,
    readonly numHeads: number,
    protected readonly options: TransformerLayerOptions,
  ) {
    super();
    const { activation = 'relu', normFirst = false } = options;
    this.selfAttn = this.attention();
    this.#activation = activationOf(activation);
    this.normFirst = normFirst;
  }

  protected attention(): MultiheadAttention {
    const { dropout = 0.1, batchFirst = false, bias = true } = this.options;
    return new MultiheadAttention(this.dModel, this.numHeads, { dropout, batchFirst, bias });
  }

  protected norm(): LayerNorm {
    const { layerNormEps = 1e-5, bias = true } = this.options;
    return new LayerNorm(this.dModel, { eps: layerNormEps, bias });
  }

  protected linear(from: number, to: number): Linear {
    return new Linear(from, to, { bias: this.options.bias ?? true });
  }

  protected drop(): Dropout {
    return new Dropout(this.options.dropout ?? 0.1);
  }

  protected feed(x: Tensor, [linear1, dropout, linear2]: readonly [Linear, Dropout, Linear]): Tensor {
    return linear2.forward(dropout.forward(this.#activation(linear1.forward(x))));
  }

  /** x + part(norm(x)), or norm(x + part(x)). */
  protected around(x: Tensor, norm: LayerNorm, part: (x: Tensor) => Tensor): Tensor {
    return this.normFirst ? x.add(part(norm.forward(x))) : norm.forward(x.add(part(x)));
  }
}

/**
 * Self-attention and a feed-forward network.
 *
 * @example
 * const layer = new TransformerEncoderLayer(64, 4, { dimFeedforward: 256, normFirst: true, batchFirst: true });
 * const y = layer.forward(x, { causal: true }); // [N, T, 64]
 */
export class TransformerEncoderLayer extends TransformerLayer {
  readonly linear1: Linear;
  readonly dropout: Dropout;
  readonly linear2: Linear;
  readonly norm1: LayerNorm;
  readonly norm2: LayerNorm;
  readonly dropout1: Dropout;
  readonly dropout2: Dropout;

  /** @param dModel - features, a multiple of `numHeads` */
  constructor(dModel: number, numHeads: number, options: TransformerLayerOptions = {}) {
    super(dModel, numHeads, options);
    const { dimFeedforward = 2048 } = options;
    this.linear1 = this.linear(dModel, dimFeedforward);
    this.dropout = this.drop();
    this.linear2 = this.linear(dimFeedforward, dModel);
    this.norm1 = this.norm();
    this.norm2 = this.norm();
    this.dropout1 = this.drop();
    this.dropout2 = this.drop();
  }

  /**
   * @param x - `[T, N, E]`, or `[N, T, E]` with `batchFirst`
   * @param cache - keys and values of earlier tokens
   * @returns same shape as `x`
   */
  forward(x: Tensor, call: EncoderCall = {}, cache?: CachePlace): Tensor {
    const attended = this.around(x, this.norm1, (y) =>
      this.dropout1.forward(this.selfAttn.forward(y, y, y, selfCall(call, cache)).output),
    );
    return this.around(attended, this.norm2, (y) =>
      this.dropout2.forward(this.feed(y, [this.linear1, this.dropout, this.linear2])),
    );
  }
}

/** What a decoder layer gives. */
export interface DecoderResult {
  readonly output: Tensor;
  /** Attention to the memory, averaged over heads, `[N, T, S]`; null unless asked for. */
  readonly weights: Tensor | null;
}

/**
 * Self-attention, attention to a memory, and a feed-forward network.
 *
 * @example
 * const layer = new TransformerDecoderLayer(64, 4, { batchFirst: true });
 * const y = layer.forward(x, memory, { causal: true }); // x [N, T, 64], memory [N, S, 64]
 */
export class TransformerDecoderLayer extends TransformerLayer {
  readonly multiheadAttn: MultiheadAttention;
  readonly linear1: Linear;
  readonly dropout: Dropout;
  readonly linear2: Linear;
  readonly norm1: LayerNorm;
  readonly norm2: LayerNorm;
  readonly norm3: LayerNorm;
  readonly dropout1: Dropout;
  readonly dropout2: Dropout;
  readonly dropout3: Dropout;

  /** @param dModel - features, a multiple of `numHeads` */
  constructor(dModel: number, numHeads: number, options: TransformerLayerOptions = {}) {
    super(dModel, numHeads, options);
    const { dimFeedforward = 2048 } = options;
    this.multiheadAttn = this.attention();
    this.linear1 = this.linear(dModel, dimFeedforward);
    this.dropout = this.drop();
    this.linear2 = this.linear(dimFeedforward, dModel);
    this.norm1 = this.norm();
    this.norm2 = this.norm();
    this.norm3 = this.norm();
    this.dropout1 = this.drop();
    this.dropout2 = this.drop();
    this.dropout3 = this.drop();
  }

  /**
   * @param x - `[T, N, E]`, or `[N, T, E]` with `batchFirst`
   * @param memory - `[S, N, E]` or `[N, S, E]`, or what `multiheadAttn.project` made of it
   * @returns same shape as `x`
   */
  forward(x: Tensor, memory: KeySource, call: DecoderCall = {}, cache?: CachePlace): Tensor {
    return this.attend(x, memory, { ...call, needWeights: false }, cache).output;
  }

  /** The same with the weights of the attention to the memory. */
  attend(
    x: Tensor,
    memory: KeySource,
    { needWeights = true, ...call }: DecoderCall & { readonly needWeights?: boolean } = {},
    cache?: CachePlace,
  ): DecoderResult {
    const { memoryMask: attnMask, memoryKeyPaddingMask: keyPaddingMask } = call;
    const seen = this.around(x, this.norm1, (y) =>
      this.dropout1.forward(this.selfAttn.forward(y, y, y, selfCall(call, cache)).output),
    );
    let weights: Tensor | null = null;
    const cross = { ...(attnMask && { attnMask }), ...(keyPaddingMask && { keyPaddingMask }), needWeights };
    const attended = this.around(seen, this.norm2, (y) => {
      const result = this.multiheadAttn.forward(y, memory, null, cross);
      weights = result.weights;
      return this.dropout2.forward(result.output);
    });
    const output = this.around(attended, this.norm3, (y) =>
      this.dropout3.forward(this.feed(y, [this.linear1, this.dropout, this.linear2])),
    );
    return { output, weights };
  }
}

/** A GPT in nanoGPT's configuration for a CPU: 4 layers, 4 heads, width 128, context 64, no biases, tied embeddings. */
import { DecodingCache, LearnedPositions, TransformerEncoder, TransformerEncoderLayer } from '@dl/attention';
import { Embedding, LayerNorm, linear, Module, normal } from '@dl/layers';
import type { Tensor } from '@dl/tensor';

export const GPT = { layers: 4, heads: 4, width: 128, context: 64 } as const;

/** Standard deviation of weights, as in GPT-2. */
const STD = 0.02;

export class Gpt extends Module {
  readonly tokens: Embedding;
  readonly positions = new LearnedPositions(GPT.context, GPT.width);
  readonly encoder = new TransformerEncoder(layer, GPT.layers, { norm: new LayerNorm(GPT.width, { bias: false }) });

  /** @param vocabulary - how many ids there are */
  constructor(readonly vocabulary: number) {
    super();
    this.tokens = new Embedding(vocabulary, GPT.width, { weightInit: normal(0, STD) });
    // Each layer adds two outputs to the stream: their weights are smaller, so that its variance does not grow with depth.
    for (const [key, parameter] of this.encoder.namedParameters()) {
      const adds = key.endsWith('out_proj.weight') || key.endsWith('linear2.weight');
      if (parameter.rank > 1)
        parameter.assign(normal(0, adds ? STD / Math.sqrt(2 * GPT.layers) : STD)(parameter.shape));
    }
  }

  /**
   * @param ids - i32 `[B, T]`, T up to the context
   * @param cache - keys and values of earlier tokens
   * @returns logits of the next token after each, `[B, T, V]`
   */
  forward(ids: Tensor, cache?: DecodingCache): Tensor {
    const x = this.positions.forward(this.tokens.forward(ids), cache ? { start: cache.length } : {}); // [B, T, C]
    return linear(this.encoder.forward(x, { causal: true }, cache), this.tokens.weight);
  }

  /** Room for a context of each of some rows. */
  newCache(rows: number): DecodingCache {
    return new DecodingCache(GPT.layers, {
      rows,
      numHeads: GPT.heads,
      capacity: GPT.context,
      headDim: GPT.width / GPT.heads,
    });
  }
}

const layer = (): TransformerEncoderLayer =>
  new TransformerEncoderLayer(GPT.width, GPT.heads, {
    dimFeedforward: 4 * GPT.width,
    activation: 'gelu',
    dropout: 0,
    normFirst: true,
    batchFirst: true,
    bias: false,
  });

/** The Transformer of "Attention is all you need", small: one embedding for both languages and for the output. */
import { type DecodingCache, type Heads, type Memory, SinusoidalPositions, Transformer } from '@dl/attention';
import { Dropout, Embedding, linear, Module, normal } from '@dl/layers';
import type { Tensor } from '@dl/tensor';

export interface TranslatorSize {
  readonly vocabulary: number;
  readonly width: number;
  readonly heads: number;
  /** Of encoder and decoder each. */
  readonly layers: number;
  readonly dropout: number;
  /** The longest sequence. */
  readonly context: number;
}

export class Translator extends Module {
  readonly embedding: Embedding;
  readonly transformer: Transformer;
  readonly positions: SinusoidalPositions;
  readonly drop: Dropout;

  constructor(readonly size: TranslatorSize) {
    super();
    const { vocabulary, width, heads, layers, dropout, context } = size;
    this.embedding = new Embedding(vocabulary, width, { weightInit: normal(0, width ** -0.5) });
    this.positions = new SinusoidalPositions(context, width);
    this.drop = new Dropout(dropout);
    this.transformer = new Transformer({
      dModel: width,
      numHeads: heads,
      numEncoderLayers: layers,
      numDecoderLayers: layers,
      dimFeedforward: 4 * width,
      dropout,
      batchFirst: true,
    });
  }

  /** Embeddings times √width, and positions from that of a cache on: `[B, T, C]`. */
  #embed(ids: Tensor, cache?: DecodingCache): Tensor {
    const x = this.embedding.forward(ids).mul(Math.sqrt(this.size.width));
    return this.drop.forward(this.positions.forward(x, cache ? { start: cache.length } : {}));
  }

  #logits(x: Tensor): Tensor {
    return linear(x, this.embedding.weight);
  }

  /** @param padding - bool `[B, S]`: true where there is no token. @returns the memory, `[B, S, C]` */
  encode(source: Tensor, padding: Tensor): Tensor {
    return this.transformer.encode(this.#embed(source), { srcKeyPaddingMask: padding });
  }

  /** Keys and values of the memory for each layer of the decoder. */
  project(memory: Tensor): Heads[] {
    return this.transformer.decoder.project(memory);
  }

  /** Logits of the token after each: `[B, T, V]`. */
  decode(target: Tensor, memory: Memory, padding: Tensor, cache?: DecodingCache): Tensor {
    const call = { causal: true, memoryKeyPaddingMask: padding };
    return this.#logits(this.transformer.decoder.forward(this.#embed(target, cache), memory, call, cache));
  }

  /** How much each token of the target looks at each of the source, for each layer: `[B, T, S]`. */
  attention(source: Tensor, padding: Tensor, target: Tensor): Tensor[] {
    const call = { causal: true, memoryKeyPaddingMask: padding };
    return this.transformer.decoder.attend(this.#embed(target), this.encode(source, padding), call).weights;
  }

  /**
   * @param source - i32 `[B, S]`
   * @param padding - bool `[B, S]`
   * @param target - i32 `[B, T]`, from the begin token on
   * @returns logits `[B, T, V]`
   */
  forward(source: Tensor, padding: Tensor, target: Tensor): Tensor {
    return this.decode(target, this.encode(source, padding), padding);
  }
}

/**
 * Stacks of Transformer layers. A stack may have fewer layers than it is deep: they are then taken in turn, so that
 * parameters are shared across depth (ALBERT has one). Layer i's cache is that of depth i, shared or not.
 */
import { LayerNorm, Module, type Parameter, xavierUniform } from '@dl/layers';
import { type Tensor, ValueError } from '@dl/tensor';
import type { DecodingCache, Heads } from './cache';
import type { KeySource } from './multihead';
import {
  type DecoderCall,
  type EncoderCall,
  TransformerDecoderLayer,
  TransformerEncoderLayer,
  type TransformerLayerOptions,
} from './transformer-layers';

export interface StackOptions {
  /** How many layers are different; they are taken in turn. 1 shares all parameters. Default: the depth. */
  readonly distinctLayers?: number;
  /** Normalises the output: needed with `normFirst`. Default none. */
  readonly norm?: LayerNorm | null;
}

function makeLayers<L>(make: (index: number) => L, depth: number, distinct: number): L[] {
  if (!Number.isInteger(depth) || depth < 1 || !Number.isInteger(distinct) || distinct < 1 || distinct > depth)
    throw new ValueError(
      `Transformer: a stack of depth ${depth} with ${distinct} different layers. Both are whole numbers, from 1 to the depth.`,
    );
  return Array.from({ length: distinct }, (_, i) => make(i));
}

/** What stacks of either kind have. */
abstract class Stack<L> extends Module {
  readonly layers: L[];
  readonly norm: LayerNorm | null;

  constructor(
    makeLayer: (index: number) => L,
    readonly depth: number,
    { distinctLayers = depth, norm = null }: StackOptions,
  ) {
    super();
    this.layers = makeLayers(makeLayer, depth, distinctLayers);
    this.norm = norm;
  }

  protected at(i: number): L {
    return this.layers[i % this.layers.length]!;
  }

  protected finish(x: Tensor): Tensor {
    return this.norm ? this.norm.forward(x) : x;
  }
}

/**
 * A stack of encoder layers. State keys `layers.0.self_attn.in_proj_weight`, …, `norm.weight`.
 *
 * @example
 * const encoder = new TransformerEncoder(() => new TransformerEncoderLayer(64, 4), 6);
 */
export class TransformerEncoder extends Stack<TransformerEncoderLayer> {
  /**
   * @param makeLayer - gives the layer of an index
   * @param depth - how many layers a sequence passes
   */
  constructor(makeLayer: (index: number) => TransformerEncoderLayer, depth: number, options: StackOptions = {}) {
    super(makeLayer, depth, options);
  }

  /** @param cache - keys and values of earlier tokens; `advance` it once all has been computed */
  forward(x: Tensor, call: EncoderCall = {}, cache?: DecodingCache): Tensor {
    let y = x;
    for (let i = 0; i < this.depth; i++) y = this.at(i).forward(y, call, cache?.at(i));
    return this.finish(y);
  }
}

/** What a stack of decoder layers attends to: a sequence, or what {@link TransformerDecoder.project} made of it. */
export type Memory = Tensor | readonly Heads[];

const ofLayer = (memory: Memory, i: number): KeySource => (Array.isArray(memory) ? memory[i]! : memory) as KeySource;

/** A stack of decoder layers. State keys `layers.0.multihead_attn.in_proj_weight`, …, `norm.weight`. */
export class TransformerDecoder extends Stack<TransformerDecoderLayer> {
  /**
   * @param makeLayer - gives the layer of an index
   * @param depth - how many layers a sequence passes
   */
  constructor(makeLayer: (index: number) => TransformerDecoderLayer, depth: number, options: StackOptions = {}) {
    super(makeLayer, depth, options);
  }

  /** Keys and values of a memory for each depth, computed once for all tokens. */
  project(memory: Tensor): Heads[] {
    return Array.from({ length: this.depth }, (_, i) => this.at(i).multiheadAttn.project(memory));
  }

  /** @param cache - keys and values of earlier tokens; `advance` it once all has been computed */
  forward(x: Tensor, memory: Memory, call: DecoderCall = {}, cache?: DecodingCache): Tensor {
    let y = x;
    for (let i = 0; i < this.depth; i++) y = this.at(i).forward(y, ofLayer(memory, i), call, cache?.at(i));
    return this.finish(y);
  }

  /** The output and, for each depth, the weights of the attention to the memory, `[N, T, S]`. */
  attend(x: Tensor, memory: Memory, call: DecoderCall = {}): { output: Tensor; weights: Tensor[] } {
    let y = x;
    const weights: Tensor[] = [];
    for (let i = 0; i < this.depth; i++) {
      const result = this.at(i).attend(y, ofLayer(memory, i), call);
      y = result.output;
      weights.push(result.weights!);
    }
    return { output: this.finish(y), weights };
  }
}

export interface TransformerOptions extends TransformerLayerOptions {
  /** Default 512. */
  readonly dModel?: number;
  /** Default 8. */
  readonly numHeads?: number;
  /** Default 6. */
  readonly numEncoderLayers?: number;
  /** Default 6. */
  readonly numDecoderLayers?: number;
  /** Different layers of each stack; 1 shares all parameters. Default: all. */
  readonly distinctLayers?: number;
}

/** What both halves are told: masks of the target have no prefix, those of the source have `src`. */
export interface TransformerCall extends DecoderCall {
  readonly srcMask?: Tensor;
  readonly srcKeyPaddingMask?: Tensor;
}

/** Uniform by Glorot and Bengio's rule for every matrix, as `torch.nn.Transformer` does. */
function resetMatrices(parameters: readonly Parameter[]): void {
  for (const parameter of parameters) if (parameter.rank > 1) parameter.assign(xavierUniform(parameter.shape));
}

/**
 * Encoder and decoder of "Attention is all you need", without embeddings and output layer.
 *
 * State keys are those of `torch.nn.Transformer`: `encoder.layers.0.…`, `encoder.norm.weight`, `decoder.layers.0.…`.
 *
 * @see Vaswani et al. 2017
 * @example
 * const model = new Transformer({ dModel: 64, numHeads: 4, numEncoderLayers: 2, numDecoderLayers: 2, batchFirst: true });
 * const y = model.forward(src, tgt, { causal: true }); // src [N, S, 64], tgt and y [N, T, 64]
 */
export class Transformer extends Module {
  readonly encoder: TransformerEncoder;
  readonly decoder: TransformerDecoder;

  constructor(options: TransformerOptions = {}) {
    super();
    const {
      dModel = 512,
      numHeads = 8,
      numEncoderLayers = 6,
      numDecoderLayers = 6,
      distinctLayers,
      ...layer
    } = options;
    const stack = (depth: number): StackOptions => ({
      norm: new LayerNorm(dModel, { eps: layer.layerNormEps ?? 1e-5, bias: layer.bias ?? true }),
      distinctLayers: Math.min(distinctLayers ?? depth, depth),
    });
    const encoderLayer = (): TransformerEncoderLayer => new TransformerEncoderLayer(dModel, numHeads, layer);
    const decoderLayer = (): TransformerDecoderLayer => new TransformerDecoderLayer(dModel, numHeads, layer);
    this.encoder = new TransformerEncoder(encoderLayer, numEncoderLayers, stack(numEncoderLayers));
    this.decoder = new TransformerDecoder(decoderLayer, numDecoderLayers, stack(numDecoderLayers));
    resetMatrices(this.parameters());
  }

  /** The memory of a source. */
  encode(src: Tensor, { srcMask, srcKeyPaddingMask }: TransformerCall = {}): Tensor {
    const call = { ...(srcMask && { mask: srcMask }), ...(srcKeyPaddingMask && { keyPaddingMask: srcKeyPaddingMask }) };
    return this.encoder.forward(src, call);
  }

  /**
   * @param src - `[S, N, E]`, or `[N, S, E]` with `batchFirst`
   * @param tgt - `[T, N, E]`, or `[N, T, E]`
   * @returns same shape as `tgt`
   */
  forward(src: Tensor, tgt: Tensor, options: TransformerCall = {}): Tensor {
    const { srcMask: _, srcKeyPaddingMask, ...call } = options;
    const padding = call.memoryKeyPaddingMask ?? srcKeyPaddingMask;
    return this.decoder.forward(tgt, this.encode(src, options), {
      ...call,
      ...(padding && { memoryKeyPaddingMask: padding }),
    });
  }
}

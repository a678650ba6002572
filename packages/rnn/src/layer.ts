/** What all recurrent layers have in common: their options, their parameters under PyTorch's names, and their state's shape. */
import { fanInUniform, Module, Parameter } from '@dl/layers';
import { type DType, type Tensor, ValueError, zeros } from '@dl/tensor';
import type { DirectionWeights, Formula, State } from './formula';
import { weightName } from './functions';
import { type Lengths, type RunOptions, runSequence, type SequenceResult } from './sequence';

export interface RecurrentOptions {
  /** Layers on top of each other. Default 1. */
  readonly numLayers?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Whether the batch comes before time. Default false. */
  readonly batchFirst?: boolean;
  /** Probability of zeros in the input of each layer but the first, while training. Default 0. */
  readonly dropout?: number;
  /** Whether each layer runs over time in both directions. Default false. */
  readonly bidirectional?: boolean;
  /** f32 (the default) or f64. */
  readonly dtype?: DType;
}

/** What each call may say. */
export interface CallOptions {
  /** How many steps each sequence has; outputs past the end are 0. Default: all have T. */
  readonly lengths?: Lengths;
}

interface LayerSpec extends RecurrentOptions {
  readonly formula: Formula;
  readonly inputSize: number;
  readonly hiddenSize: number;
  /** P: features of h. Default `hiddenSize`. */
  readonly outputSize?: number;
}

/** The base of the recurrent layers. */
export abstract class Recurrent extends Module {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly bidirectional: boolean;
  readonly batchFirst: boolean;
  readonly dropout: number;
  /** Features of h: `hiddenSize`, or `projSize` where h is projected. */
  readonly outputSize: number;
  readonly #formula: Formula;
  readonly #dtype: DType;
  readonly #weights: readonly (readonly DirectionWeights[])[];

  constructor({ formula, inputSize, hiddenSize, outputSize = hiddenSize, ...options }: LayerSpec) {
    super();
    const { numLayers = 1, bidirectional = false, batchFirst = false, dropout = 0, dtype = 'f32' } = options;
    for (const [name, n] of Object.entries({ inputSize, hiddenSize, numLayers })) {
      if (!Number.isInteger(n) || n < 1)
        throw new ValueError(`${formula.name}: ${name} is ${n}, but must be a whole number above 0.`);
    }
    if (!(dropout >= 0 && dropout <= 1))
      throw new ValueError(`${formula.name}: dropout is a probability from 0 to 1, not ${dropout}.`);
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.outputSize = outputSize;
    this.numLayers = numLayers;
    this.bidirectional = bidirectional;
    this.batchFirst = batchFirst;
    this.dropout = dropout;
    this.#formula = formula;
    this.#dtype = dtype;
    this.#weights = Array.from({ length: numLayers }, (_, layer) =>
      Array.from({ length: bidirectional ? 2 : 1 }, (_, direction) => this.#create(layer, direction, options)),
    );
  }

  #create(layer: number, direction: number, { bias = true, dtype = 'f32', bidirectional }: RecurrentOptions) {
    const { hiddenSize: hidden, outputSize: output } = this;
    const input = layer === 0 ? this.inputSize : output * (bidirectional ? 2 : 1);
    const init = fanInUniform(hidden);
    const made = Object.entries(this.#formula.shapes({ input, hidden, output }, bias)).map(([name, shape]) => {
      const key = weightName(name, layer, direction);
      const parameter = new Parameter(init(shape, { dtype }), { name: `${this.#formula.name}.${key}` });
      Object.defineProperty(this, key, { value: parameter, enumerable: true, writable: true, configurable: true });
      return [name, parameter] as const;
    });
    return Object.fromEntries(made);
  }

  /** Layers times directions: the first axis of a state. */
  get places(): number {
    return this.numLayers * (this.bidirectional ? 2 : 1);
  }

  /** The states that `forward` starts from unless told otherwise: h, and c where there is one. */
  protected zeros(batchSize: number): State {
    const sizes = this.#formula.hasMemory ? [this.outputSize, this.hiddenSize] : [this.outputSize];
    return sizes.map((size) => zeros([this.places, batchSize, size], this.#dtype));
  }

  protected run(x: Tensor, state: State | null, { lengths }: CallOptions): SequenceResult {
    const { batchFirst, dropout, training } = this;
    const options: RunOptions = { batchFirst, dropout, training, ...(lengths === undefined ? {} : { lengths }) };
    return runSequence(this.#formula, this.#weights, x, state, options);
  }

  /** @internal For `inspect`. */
  abstract trace(x: Tensor, options?: object): SequenceResult;
}

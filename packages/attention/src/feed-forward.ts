/** The position-wise feed-forward network: two linear layers with an activation between them, alike at each position. */
import { Dropout, gelu, Linear, Module, relu } from '@dl/layers';
import { type Tensor, ValueError } from '@dl/tensor';

/** `relu`, `gelu` (the exact form), or any elementwise function. */
export type Activation = 'relu' | 'gelu' | ((x: Tensor) => Tensor);

/** @throws ValueError for a name that is not known */
export function activationOf(activation: Activation): (x: Tensor) => Tensor {
  if (typeof activation === 'function') return activation;
  if (activation === 'relu') return relu;
  if (activation === 'gelu') return (x) => gelu(x);
  throw new ValueError(`activation: ${String(activation)} is not relu, gelu or a function.`);
}

export interface FeedForwardOptions {
  /** Default `relu`. */
  readonly activation?: Activation;
  /** Dropout after the activation. Default 0.1. */
  readonly dropout?: number;
  /** Default true. */
  readonly bias?: boolean;
}

/**
 * linear2(dropout(activation(linear1(x)))), at each position.
 *
 * Input and output `[..., dModel]`; parameters `linear1.weight [hidden, dModel]`, `linear2.weight [dModel, hidden]` and biases.
 *
 * @see Vaswani et al. 2017, section 3.3
 */
export class FeedForward extends Module {
  readonly linear1: Linear;
  readonly linear2: Linear;
  readonly drop: Dropout;
  readonly #activation: (x: Tensor) => Tensor;

  constructor(dModel: number, hidden: number, options: FeedForwardOptions = {}) {
    super();
    const { activation = 'relu', dropout = 0.1, bias = true } = options;
    this.linear1 = new Linear(dModel, hidden, { bias });
    this.linear2 = new Linear(hidden, dModel, { bias });
    this.drop = new Dropout(dropout);
    this.#activation = activationOf(activation);
  }

  forward(x: Tensor): Tensor {
    return this.linear2.forward(this.drop.forward(this.#activation(this.linear1.forward(x))));
  }
}

/** Dropout: random zeros while training. */
import { type Generator, rand, type Tensor, ValueError } from '@dl/tensor';
import { Module } from './module';

export interface DropoutOptions {
  /** Default true; false gives `x` itself. */
  readonly training?: boolean;
  /** Where random numbers come from. Default: the one that `setSeed` seeds. */
  readonly generator?: Generator;
}

export function checkProbability(p: number): number {
  if (!(p >= 0 && p <= 1)) throw new ValueError(`dropout: a probability is from 0 to 1, not ${p}.`);
  return p;
}

/**
 * Each element is 0 with probability p, else divided by 1 − p.
 *
 * @param x - any shape, float
 * @returns same shape and dtype
 * @throws ValueError if p is not from 0 to 1
 * @see Srivastava et al. 2014
 */
export function dropout(x: Tensor, p = 0.5, { training = true, generator }: DropoutOptions = {}): Tensor {
  checkProbability(p);
  if (!training || p === 0) return x;
  if (p === 1) return x.mul(0);
  const kept = rand(x.shape, generator === undefined ? {} : { generator }).lt(1 - p);
  return x.mul(kept.cast(x.dtype)).mul(1 / (1 - p));
}

/** A way of dropping out that works while training, and does nothing in evaluation mode. */
export abstract class DropoutLayer extends Module {
  /**
   * @param p - the probability. Default 0.5
   * @param generator - where random numbers come from. Default: the one that `setSeed` seeds
   */
  constructor(
    readonly p = 0.5,
    private readonly generator?: Generator,
  ) {
    super();
    checkProbability(p);
  }

  protected abstract drop(x: Tensor, p: number, options: DropoutOptions): Tensor;

  forward(x: Tensor): Tensor {
    const { p, training, generator } = this;
    return this.drop(x, p, generator === undefined ? { training } : { training, generator });
  }
}

/** {@link dropout} while training. */
export class Dropout extends DropoutLayer {
  protected override drop(x: Tensor, p: number, options: DropoutOptions): Tensor {
    return dropout(x, p, options);
  }
}

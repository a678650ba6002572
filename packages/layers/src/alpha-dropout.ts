/** Dropout for networks of SELU, which keeps their mean 0 and variance 1. */
import { type Generator, rand, type Tensor } from '@dl/tensor';
import { checkProbability, type DropoutOptions } from './dropout';
import { Module } from './module';

/** What SELU goes towards for very negative inputs: −scale · α. */
const SATURATED = -1.0507009873554805 * 1.6732632423543772;

/**
 * Each element is −1.7581 (SELU's limit) with probability p; then all is scaled and shifted, so that an input of mean 0
 * and variance 1 has them afterwards too.
 *
 * @param x - any shape, float
 * @param p - default 0.5
 * @returns same shape and dtype
 * @throws ValueError if p is not from 0 to 1
 * @see Klambauer, Unterthiner, Mayr & Hochreiter 2017, section "New dropout technique"
 */
export function alphaDropout(x: Tensor, p = 0.5, { training = true, generator }: DropoutOptions = {}): Tensor {
  checkProbability(p);
  if (!training || p === 0) return x;
  if (p === 1) return x.mul(0);
  const scale = ((1 - p) * (1 + p * SATURATED ** 2)) ** -0.5;
  const kept = rand(x.shape, generator === undefined ? {} : { generator }).lt(1 - p);
  return kept
    .where(x, SATURATED)
    .mul(scale)
    .add(-scale * p * SATURATED);
}

/** {@link alphaDropout} while training; does nothing in evaluation mode. */
export class AlphaDropout extends Module {
  /** @param p - default 0.5 */
  constructor(
    readonly p = 0.5,
    private readonly generator?: Generator,
  ) {
    super();
    checkProbability(p);
  }

  forward(x: Tensor): Tensor {
    const { p, training, generator } = this;
    return alphaDropout(x, p, generator === undefined ? { training } : { training, generator });
  }
}

/** Dropout for networks of SELU, which keeps their mean 0 and variance 1. */
import { rand, type Tensor } from '@dl/tensor';
import { checkProbability, DropoutLayer, type DropoutOptions } from './dropout';

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

/** {@link alphaDropout} while training. */
export class AlphaDropout extends DropoutLayer {
  protected override drop(x: Tensor, p: number, options: DropoutOptions): Tensor {
    return alphaDropout(x, p, options);
  }
}

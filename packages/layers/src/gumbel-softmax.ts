/** Choices among classes that gradients pass through. */
import { stopGradient } from '@dl/autograd';
import { type Generator, gumbel, oneHot, type Tensor, ValueError } from '@dl/tensor';

export interface GumbelSoftmaxOptions {
  /** How far from a choice the result may be: near 0 it is one class alone, large it is even. Default 1. */
  readonly tau?: number;
  /** Whether the result is the choice itself, one hot, with the gradient that it would have soft. Default false. */
  readonly hard?: boolean;
  readonly generator?: Generator;
}

/**
 * A random choice by logits, made soft: softmax((logits + noise) / tau) over the last axis.
 *
 * @param logits - `[..., C]`, float
 * @returns the same shape; rows sum to 1
 * @throws ValueError if tau is not above 0
 * @see Jang, Gu & Poole 2017, eq. 2
 */
export function gumbelSoftmax(
  logits: Tensor,
  { tau = 1, hard = false, ...options }: GumbelSoftmaxOptions = {},
): Tensor {
  if (!(tau > 0)) throw new ValueError(`gumbelSoftmax: tau is ${tau}, but a temperature is above 0.`);
  const noise = gumbel(logits.shape, { ...options, dtype: logits.dtype });
  const soft = logits.add(noise).div(tau).softmax(-1);
  if (!hard) return soft;
  const chosen = oneHot(soft.argmax(-1), soft.shape.at(-1)!, soft.dtype);
  return chosen.add(soft.sub(stopGradient(soft)));
}

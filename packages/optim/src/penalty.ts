/** The L2 penalty, which most optimisers add to the gradient. */
import type { Tensor } from '@dl/tensor';

/** ∇ + λ·p, the gradient of the loss plus ½ λ |p|²; the gradient itself for no λ. */
export const withPenalty = (gradient: Tensor, parameter: Tensor, lambda: Tensor | null): Tensor =>
  lambda === null ? gradient : gradient.add(parameter.mul(lambda));

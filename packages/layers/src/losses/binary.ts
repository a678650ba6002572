/** Losses of yes-or-no probabilities. Prediction and target have the same shape. */
import { customGradient } from '@dl/autograd';
import type { Tensor } from '@dl/tensor';
import { softplus } from '../activations';
import { checkAlike, type ReductionOptions, reduced } from './reduction';

export interface BinaryOptions extends ReductionOptions {
  /** A factor for each element; broadcast to the input. */
  readonly weight?: Tensor;
}

export interface BinaryLogitsOptions extends BinaryOptions {
  /** A factor of the positive term; broadcast to the input. */
  readonly posWeight?: Tensor;
}

const weighted = (losses: Tensor, weight: Tensor | undefined): Tensor =>
  weight === undefined ? losses : losses.mul(weight);

const LEAST_LOG = -100;
/** The least number that a slope is divided by: PyTorch's, so that a certain and wrong probability learns, and has no NaN. */
const LEAST_DIVISOR = 1e-12;

/** log p, not below −100, with slope 1 / max(p, 1e-12). */
const boundedLog = customGradient((p: Tensor) => ({
  value: p.log().clamp(LEAST_LOG, Number.POSITIVE_INFINITY),
  gradient: (g) => g.div(p.maximum(LEAST_DIVISOR)),
}));

/** The same of 1 − p. */
const boundedLogNot = customGradient((p: Tensor) => ({
  value: p.neg().log1p().clamp(LEAST_LOG, Number.POSITIVE_INFINITY),
  gradient: (g) => g.div(p.neg().add(1).maximum(LEAST_DIVISOR)).neg(),
}));

/**
 * Binary cross entropy of probabilities: −(t · log p + (1 − t) · log(1 − p)), logarithms not below −100.
 *
 * @param input - probabilities in [0, 1], any shape
 * @param target - the same shape, in [0, 1]
 * @returns a scalar; the input's shape with `reduction: 'none'`
 */
export function binaryCrossEntropy(
  input: Tensor,
  target: Tensor,
  { weight, reduction = 'mean' }: BinaryOptions = {},
): Tensor {
  checkAlike('binaryCrossEntropy', input, target);
  const yes = target.mul(boundedLog(input));
  const no = target.neg().add(1).mul(boundedLogNot(input));
  return reduced(weighted(yes.add(no).neg(), weight), reduction);
}

/**
 * {@link binaryCrossEntropy} of sigmoid(input), without overflow: (1 − t) · x + (1 + (w₊ − 1) · t) · log(1 + e^−x).
 *
 * @param input - logits, any shape
 * @param target - the same shape, in [0, 1]
 */
export function binaryCrossEntropyWithLogits(
  input: Tensor,
  target: Tensor,
  { weight, posWeight, reduction = 'mean' }: BinaryLogitsOptions = {},
): Tensor {
  checkAlike('binaryCrossEntropyWithLogits', input, target);
  const log = softplus(input.neg(), { threshold: 40 });
  const scaled = posWeight === undefined ? log : target.mul(posWeight.sub(1)).add(1).mul(log);
  return reduced(weighted(target.neg().add(1).mul(input).add(scaled), weight), reduction);
}

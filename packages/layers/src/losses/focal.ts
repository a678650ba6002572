/** Focal losses: cross entropy that counts less for what is already right, so that many easy examples do not drown few hard ones. */
import { inOperation, type Tensor, ValueError } from '@dl/tensor';
import { binaryCrossEntropyWithLogits } from './binary';
import { checkClasses, checkIndices, classAxis } from './cross-entropy';
import { checkAlike, type ReductionOptions, reduced } from './reduction';

export interface SigmoidFocalOptions extends ReductionOptions {
  /** Weight of the positive class; the negative has 1 − alpha. Null for no weights. Default 0.25. */
  readonly alpha?: number | null;
  /** How much less easy examples count; 0 is cross entropy. Default 2. */
  readonly gamma?: number;
}

export interface SoftmaxFocalOptions extends ReductionOptions {
  /** A weight for each class, `[C]`. Default 1. */
  readonly alpha?: Tensor;
  /** How much less easy examples count; 0 is cross entropy. Default 2. */
  readonly gamma?: number;
}

/** miss^gamma, with gradient 0 where miss is 0: a power below 1 has an infinite one there. */
function modulation(operation: string, miss: Tensor, gamma: number): Tensor {
  if (!(gamma >= 0)) throw new ValueError(`${operation}: gamma is at least 0, not ${gamma}.`);
  if (gamma === 0 || gamma === 1 || gamma === 2) return miss.pow(gamma);
  const isZero = miss.eq(0);
  return isZero.where(0, isZero.where(1, miss).pow(gamma));
}

/**
 * Focal loss of yes-or-no logits: alpha_t · (1 − p_t)^gamma · −log p_t, where p_t is the probability of the target.
 *
 * @param input - logits, any shape
 * @param target - the same shape, in [0, 1]
 * @returns a scalar; the input's shape with `reduction: 'none'`
 * @throws ShapeError if the shapes differ
 * @see Lin et al. 2017, eq. 5
 */
export function sigmoidFocal(
  input: Tensor,
  target: Tensor,
  { alpha = 0.25, gamma = 2, reduction = 'mean' }: SigmoidFocalOptions = {},
): Tensor {
  checkAlike('sigmoidFocal', input, target);
  const entropy = binaryCrossEntropyWithLogits(input, target, { reduction: 'none' });
  const not = target.neg().add(1);
  // 1 − p_t without a difference of nearly equal numbers.
  const miss = input.neg().sigmoid().mul(target).add(input.sigmoid().mul(not));
  const focal = gamma === 0 ? entropy : modulation('sigmoidFocal', miss, gamma).mul(entropy);
  const weighted = alpha === null ? focal : focal.mul(target.mul(alpha).add(not.mul(1 - alpha)));
  return reduced(weighted, reduction);
}

/**
 * Focal loss of class logits: alpha[y] · (1 − p_y)^gamma · −log p_y, with p = softmax(logits).
 *
 * @param logits - `[N, C, spatial…]` or `[C]`, float
 * @param target - integers `[N, spatial…]`, in [0, C)
 * @returns a scalar, a mean over the number of targets; the target's shape with `reduction: 'none'`
 * @throws ShapeError if the shapes do not fit; an index out of range rejects the next read
 * @see Lin et al. 2017, eq. 5
 */
export function softmaxFocal(
  logits: Tensor,
  target: Tensor,
  { alpha, gamma = 2, reduction = 'mean' }: SoftmaxFocalOptions = {},
): Tensor {
  checkClasses('softmaxFocal', logits, alpha);
  checkIndices('softmaxFocal', logits, target);
  const axis = classAxis(logits);
  const place = target.cast('i32');
  const logProbs = logits.logSoftmax(axis);
  const logProb = inOperation('softmaxFocal', () => logProbs.gather(axis, place.unsqueeze(axis))).squeeze(axis);
  const miss = logProb.expm1().neg();
  const focal = gamma === 0 ? logProb.neg() : modulation('softmaxFocal', miss, gamma).mul(logProb.neg());
  return reduced(alpha ? focal.mul(alpha.take(0, place)) : focal, reduction);
}

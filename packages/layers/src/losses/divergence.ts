/** Losses of one distribution against another. */
import { stopGradient } from '@dl/autograd';
import { type Tensor, ValueError } from '@dl/tensor';
import { crossEntropy } from './cross-entropy';
import { checkAlike, type Reduction, reduced } from './reduction';

export interface KlDivergenceOptions {
  /** Whether the target holds log-probabilities too. Default false. */
  readonly logTarget?: boolean;
  /** `batchmean` divides the sum by the first size, which is the divergence's mathematical mean. Default `mean`, as in PyTorch. */
  readonly reduction?: Reduction | 'batchmean';
}

/**
 * Kullback and Leibler's divergence of the input from the target: target · (log target − input), with 0 · log 0 = 0.
 *
 * @param input - log-probabilities, any shape
 * @param target - the same shape: probabilities, or their logarithms with `logTarget`
 * @returns a scalar; the input's shape with `reduction: 'none'`
 * @throws ShapeError if the shapes differ
 * @see Kullback & Leibler 1951, eq. 2.4
 */
export function klDivergence(
  input: Tensor,
  target: Tensor,
  { logTarget = false, reduction = 'mean' }: KlDivergenceOptions = {},
): Tensor {
  checkAlike('klDivergence', input, target);
  const terms = logTarget ? target.exp().mul(target.sub(input)) : divergenceOf(input, target);
  if (reduction !== 'batchmean') return reduced(terms, reduction);
  return terms.sum().div(input.shape[0] ?? 1);
}

function divergenceOf(input: Tensor, target: Tensor): Tensor {
  const isZero = target.eq(0);
  return isZero.where(0, target.mul(isZero.where(1, target).log().sub(input)));
}

export interface DistillationOptions {
  /** Divides all logits of the soft part: the higher, the more the teacher's small probabilities count. Default 4. */
  readonly temperature?: number;
  /** Factor of the teacher's part. Default 0.5. */
  readonly softWeight?: number;
  /** Factor of the labels' part. Default 1 − softWeight. */
  readonly hardWeight?: number;
}

/**
 * Knowledge distillation: softWeight · T² · KL(softmax(teacher / T) ‖ softmax(student / T)) + hardWeight · crossEntropy(student, target).
 *
 * @param student - logits `[N, C]`
 * @param teacher - logits of the same shape; no gradient flows to them
 * @param target - as of `crossEntropy`
 * @returns a scalar, a mean over N
 * @throws ShapeError if the shapes do not fit, ValueError if the temperature is not above 0
 * @see Hinton, Vinyals & Dean 2015, section 2
 */
export function distillation(
  student: Tensor,
  teacher: Tensor,
  target: Tensor,
  { temperature = 4, softWeight = 0.5, hardWeight = 1 - softWeight }: DistillationOptions = {},
): Tensor {
  if (!(temperature > 0)) throw new ValueError(`distillation: the temperature is above 0, not ${temperature}.`);
  checkAlike('distillation', student, teacher);
  const axis = student.rank === 1 ? 0 : 1;
  const soften = (logits: Tensor): Tensor => logits.div(temperature).logSoftmax(axis);
  const soft = klDivergence(soften(student), soften(stopGradient(teacher)), {
    logTarget: true,
    reduction: student.rank === 1 ? 'sum' : 'batchmean',
  }).mul(softWeight * temperature ** 2);
  return hardWeight === 0 ? soft : soft.add(crossEntropy(student, target).mul(hardWeight));
}

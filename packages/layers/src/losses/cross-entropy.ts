/**
 * Cross entropy of classes. Everything stays a row at a time (row maximum, Σ exp, the target's entry by one `gather` of one
 * element a row), so that forward and gradient are a few row kernels; an index outside the classes rejects the next read.
 */
import { inOperation, isFloat, ShapeError, sameShape, showShape, type Tensor, ValueError } from '@dl/tensor';
import { type Reduction, type ReductionOptions, reduced, unknownReduction } from './reduction';

export interface NllOptions extends ReductionOptions {
  /** A factor for each class, `[C]`. Default 1. */
  readonly weight?: Tensor;
  /** Targets of this index count for nothing. Default −100. */
  readonly ignoreIndex?: number;
}

export interface CrossEntropyOptions extends NllOptions {
  /** How much of the target is spread evenly over all classes, from 0 to 1. Default 0. */
  readonly labelSmoothing?: number;
}

/** Axis of the classes: 1, or 0 without a batch. */
export const classAxis = (x: Tensor): number => (x.rank === 1 ? 0 : 1);

/** A vector over classes beside `[N, C, spatial…]`. */
const overClasses = (weight: Tensor, x: Tensor): Tensor =>
  weight.reshape([weight.size, ...Array<number>(x.rank - 1 - classAxis(x)).fill(1)]);

export function checkClasses(operation: string, x: Tensor, weight: Tensor | undefined): void {
  if (x.rank === 0)
    throw new ShapeError(`${operation}: the input is a scalar. It is [N, C, spatial…], or [C] without a batch.`);
  const classes = x.shape[classAxis(x)]!;
  if (weight !== undefined && !sameShape(weight.shape, [classes])) {
    throw new ShapeError(
      `${operation}: the weight is ${showShape(weight.shape)}, but the input ${showShape(x.shape)} has ${classes} classes. Give one factor a class.`,
    );
  }
}

export function checkIndices(operation: string, x: Tensor, target: Tensor): void {
  const axis = classAxis(x);
  const expected = x.shape.filter((_, i) => i !== axis);
  if (!sameShape(target.shape, expected)) {
    throw new ShapeError(
      `${operation}: for input ${showShape(x.shape)} the target of class indices is ${showShape(expected)}, but got ${target.dtype} ` +
        `${showShape(target.shape)}. Probabilities are floats of the input's shape.`,
    );
  }
}

/** Losses of rows with index targets, and the weight that each row has in a mean. */
interface RowLosses {
  readonly losses: Tensor;
  readonly weights: Tensor;
}

function nllRows(
  logProbs: Tensor,
  target: Tensor,
  { weight, ignoreIndex = -100 }: NllOptions,
  smoothing: number,
): RowLosses {
  const axis = classAxis(logProbs);
  const index = target.cast('i32');
  const counts = index.ne(ignoreIndex);
  const place = counts.where(index, 0);
  const picked = logProbs.gather(axis, place.unsqueeze(axis)).squeeze(axis);
  const factor = weight === undefined ? null : weight.cast(logProbs.dtype).take(0, place);
  const weights = counts.where(factor ?? 1, 0).cast(logProbs.dtype);
  const negative = factor === null ? picked.neg() : picked.neg().mul(factor);
  const sharp = counts.where(negative, 0);
  if (smoothing === 0) return { losses: sharp, weights };
  const classes = logProbs.shape[axis]!;
  const weighted = weight === undefined ? logProbs : logProbs.mul(overClasses(weight.cast(logProbs.dtype), logProbs));
  const even = counts.where(weighted.sum(axis).mul(-smoothing / classes), 0);
  return { losses: sharp.mul(1 - smoothing).add(even), weights };
}

function reducedRows({ losses, weights }: RowLosses, reduction: Reduction): Tensor {
  switch (reduction) {
    case 'none':
      return losses;
    case 'sum':
      return losses.sum();
    case 'mean':
      return losses.sum().div(weights.sum());
    default:
      return unknownReduction(reduction satisfies never);
  }
}

/**
 * Negative log likelihood of class indices: −weight[y] · logProbs[y]; a mean is divided by the sum of the weights.
 *
 * @param logProbs - `[N, C, spatial…]` or `[C]`: log-probabilities, as of `logSoftmax`
 * @param target - integers `[N, spatial…]` or `[]`, in [0, C) or `ignoreIndex`
 * @returns a scalar; the target's shape with `reduction: 'none'`
 * @throws ShapeError if the shapes do not fit; an index out of range rejects the next read
 */
export function nll(logProbs: Tensor, target: Tensor, options: NllOptions = {}): Tensor {
  checkClasses('nll', logProbs, options.weight);
  if (isFloat(target.dtype))
    throw new ValueError(
      `nll: the target holds class indices, but its dtype is ${target.dtype}. Cast it with cast('i32').`,
    );
  checkIndices('nll', logProbs, target);
  const rows = inOperation('nll', () => nllRows(logProbs, target, options, 0));
  return reducedRows(rows, options.reduction ?? 'mean');
}

/**
 * Cross entropy of the softmax of logits: −log softmax(logits)[y], or −Σ_c p_c · log softmax(logits)_c.
 *
 * @param logits - `[N, C, spatial…]` or `[C]`, float
 * @param target - integers `[N, spatial…]`, in [0, C) or `ignoreIndex`; or probabilities, floats of the logits' shape
 * @returns a scalar; `[N, spatial…]` with `reduction: 'none'`. With index targets a mean is divided by the sum of the
 *   weights of the targets that count, with probabilities by their number.
 * @throws ShapeError if the shapes do not fit; an index out of range rejects the next read
 */
export function crossEntropy(logits: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { labelSmoothing = 0, weight, reduction = 'mean' } = options;
  checkClasses('crossEntropy', logits, weight);
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new ValueError(`crossEntropy: labelSmoothing is from 0 to 1, not ${labelSmoothing}.`);
  const axis = classAxis(logits);
  if (!isFloat(target.dtype)) {
    checkIndices('crossEntropy', logits, target);
    const logProbs = logits.logSoftmax(axis);
    const rows = inOperation('crossEntropy', () => nllRows(logProbs, target, options, labelSmoothing));
    return reducedRows(rows, reduction);
  }
  if (!sameShape(target.shape, logits.shape)) {
    throw new ShapeError(
      `crossEntropy: the target is ${target.dtype} ${showShape(target.shape)}, but the logits are ${showShape(logits.shape)}. ` +
        "Probabilities have the logits' shape; class indices are integers: cast('i32').",
    );
  }
  const logProbs = logits.logSoftmax(axis);
  const spread =
    labelSmoothing === 0 ? target : target.mul(1 - labelSmoothing).add(labelSmoothing / logits.shape[axis]!);
  const terms = spread.mul(logProbs);
  const weighted = weight === undefined ? terms : terms.mul(overClasses(weight.cast(logits.dtype), logits));
  return reduced(weighted.sum(axis).neg(), reduction);
}

/** Losses of scores that should lie on the right side of a margin. */
import { inOperation, iota, isFloat, ShapeError, sameShape, showShape, type Tensor, ValueError } from '@dl/tensor';
import { softplus } from '../activations';
import type { MarginOptions } from './embedding';
import { checkAlike, type ReductionOptions, reduced } from './reduction';

/**
 * Hinge loss: max(0, margin − target · input).
 *
 * @param input - scores, any shape
 * @param target - the same shape: 1 or −1
 * @param options - `margin` (1), `reduction`
 * @returns a scalar; the input's shape with `reduction: 'none'`
 * @throws ShapeError if the shapes differ
 * @see Cortes & Vapnik 1995
 */
export function hinge(input: Tensor, target: Tensor, { margin = 1, reduction = 'mean' }: MarginOptions = {}): Tensor {
  checkAlike('hinge', input, target);
  return reduced(input.mul(target).neg().add(margin).relu(), reduction);
}

/** The input where the target is 1, max(0, margin − input) where it is −1. Shapes and options as for {@link hinge}. */
export function hingeEmbedding(
  input: Tensor,
  target: Tensor,
  { margin = 1, reduction = 'mean' }: MarginOptions = {},
): Tensor {
  checkAlike('hingeEmbedding', input, target);
  return reduced(target.gt(0).where(input, input.neg().add(margin).relu()), reduction);
}

/** log(1 + e^(−target · input)), for targets 1 or −1. Shapes as for {@link hinge}. */
export function softMargin(input: Tensor, target: Tensor, { reduction = 'mean' }: ReductionOptions = {}): Tensor {
  checkAlike('softMargin', input, target);
  return reduced(softplus(input.mul(target).neg(), { threshold: 40 }), reduction);
}

/**
 * Ranking loss: max(0, −target · (input1 − input2) + margin).
 *
 * @param input1 - scores, any shape
 * @param input2 - the same shape
 * @param target - the same shape: 1 where the first should be larger, −1 where the second
 * @param options - `margin` (0), `reduction`
 * @returns a scalar; the input's shape with `reduction: 'none'`
 * @throws ShapeError if the shapes differ
 */
export function marginRanking(
  input1: Tensor,
  input2: Tensor,
  target: Tensor,
  { margin = 0, reduction = 'mean' }: MarginOptions = {},
): Tensor {
  checkAlike('marginRanking', input1, input2);
  checkAlike('marginRanking', input1, target);
  return reduced(input1.sub(input2).mul(target).neg().add(margin).relu(), reduction);
}

/** Rows of classes: `[N, C]`, with a batch of one if it is missing. */
function rowsOf(operation: string, input: Tensor): Tensor {
  if (input.rank === 1) return input.unsqueeze(0);
  if (input.rank === 2) return input;
  throw new ShapeError(
    `${operation}: the input is ${showShape(input.shape)}, but scores are [N, C], or [C]. Reshape it.`,
  );
}

function checkIntegers(operation: string, target: Tensor): void {
  if (isFloat(target.dtype))
    throw new ValueError(
      `${operation}: the target holds class indices, but its dtype is ${target.dtype}. Cast it with cast('i32').`,
    );
}

export interface MultiMarginOptions extends MarginOptions {
  /** The power of each violation, 1 or 2. Default 1. */
  readonly p?: 1 | 2;
  /** A factor for each class of the target, `[C]`. Default 1. */
  readonly weight?: Tensor;
}

/**
 * Multi-class hinge loss: Σ_{i ≠ y} weight[y] · max(0, margin − x[y] + x[i])^p / C.
 *
 * @param input - scores `[N, C]` or `[C]`
 * @param target - integers `[N]` or `[]`
 * @param options - `margin` (1), `p`, `weight`, `reduction`
 * @returns a scalar; the target's shape with `reduction: 'none'`
 * @throws ShapeError if the shapes do not fit; an index out of range rejects the next read
 * @see Crammer & Singer 2001; with the sum over classes of Weston & Watkins 1999
 */
export function multiMargin(input: Tensor, target: Tensor, options: MultiMarginOptions = {}): Tensor {
  const { margin = 1, p = 1, weight, reduction = 'mean' } = options;
  const x = rowsOf('multiMargin', input);
  const [N, C] = x.dims(2);
  checkIntegers('multiMargin', target);
  if (!sameShape(target.shape, input.shape.slice(0, -1)))
    throw new ShapeError(
      `multiMargin: for input ${showShape(input.shape)} the target is ${showShape(input.shape.slice(0, -1))}, but got ${showShape(target.shape)}. Give one class a row.`,
    );
  if (weight && !sameShape(weight.shape, [C]))
    throw new ShapeError(
      `multiMargin: the weight is ${showShape(weight.shape)}, but the input ${showShape(input.shape)} has ${C} classes. Give one factor a class.`,
    );
  const y = target.cast('i32').reshape([N, 1]);
  const own = inOperation('multiMargin', () => x.gather(1, y));
  const violation = x.sub(own).add(margin).relu();
  const powered = p === 1 ? violation : violation.square();
  const others = iota([N, C], 1).eq(y).where(0, powered);
  const sums = others.sum(1).div(C);
  const losses = weight ? sums.mul(weight.take(0, y.reshape([N]))) : sums;
  return reduced(losses.reshape(target.shape), reduction);
}

/**
 * Multi-label hinge loss: Σ_{j in target} Σ_{i not in target} max(0, 1 − x[j] + x[i]) / C.
 *
 * @param input - scores `[N, C]` or `[C]`
 * @param target - integers of the same shape: the classes of each row, ended by −1
 * @returns a scalar; `[N]` with `reduction: 'none'`
 * @throws ShapeError if the shapes differ
 */
export function multilabelMargin(input: Tensor, target: Tensor, { reduction = 'mean' }: ReductionOptions = {}): Tensor {
  checkAlike('multilabelMargin', input, target);
  checkIntegers('multilabelMargin', target);
  const x = rowsOf('multilabelMargin', input);
  const [N, C] = x.dims(2);
  const y = target.cast('i32').reshape([N, C]);
  const counts = y.lt(0).cast('i32').cumsum(1).eq(0); // before the first −1
  const place = counts.where(y, 0);
  const isTarget = place
    .unsqueeze(2)
    .eq(iota([N, C, C], 2))
    .and(counts.unsqueeze(2))
    .any(1, { keepDims: true }); // [N, 1, i]
  const own = inOperation('multilabelMargin', () => x.gather(1, place));
  const violation = x.unsqueeze(1).sub(own.unsqueeze(2)).add(1).relu(); // [N, j, i]
  const counted = counts.unsqueeze(2).and(isTarget.not());
  const losses = counted.where(violation, 0).sum([1, 2]).div(C);
  return reduced(losses.reshape(input.shape.slice(0, -1)), reduction);
}

export interface MultilabelSoftMarginOptions extends ReductionOptions {
  /** A factor for each class, `[C]`. Default 1. */
  readonly weight?: Tensor;
}

/**
 * Binary cross entropy of each class from logits, as the mean over classes:
 * −Σ_c weight_c · (t · log σ(x) + (1 − t) · log σ(−x)) / C.
 *
 * @param input - logits `[..., C]`
 * @param target - the same shape, 0 or 1
 * @returns a scalar; `[...]` with `reduction: 'none'`
 * @throws ShapeError if the shapes differ
 */
export function multilabelSoftMargin(
  input: Tensor,
  target: Tensor,
  { weight, reduction = 'mean' }: MultilabelSoftMarginOptions = {},
): Tensor {
  checkAlike('multilabelSoftMargin', input, target);
  const terms = target
    .neg()
    .add(1)
    .mul(input)
    .add(softplus(input.neg(), { threshold: 40 }));
  return reduced((weight ? terms.mul(weight) : terms).mean(-1), reduction);
}

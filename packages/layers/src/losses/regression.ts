/** Losses of numbers against numbers. Prediction and target have the same shape. */
import { type Tensor, ValueError } from '@dl/tensor';
import { checkAlike, type ReductionOptions, reduced } from './reduction';

/**
 * Mean squared error: (input − target)².
 *
 * @param input - any shape, float
 * @param target - the same shape
 * @returns a scalar; the input's shape with `reduction: 'none'`
 * @throws ShapeError if the shapes differ
 */
export function mse(input: Tensor, target: Tensor, { reduction = 'mean' }: ReductionOptions = {}): Tensor {
  checkAlike('mse', input, target);
  return reduced(input.sub(target).square(), reduction);
}

/**
 * Half of {@link mse}: ½ (input − target)², whose derivative is the plain difference. Shapes as there.
 */
export const halfMse = (input: Tensor, target: Tensor, options: ReductionOptions = {}): Tensor =>
  mse(input, target, options).mul(0.5);

/** Mean absolute error: |input − target|. Shapes as for {@link mse}. */
export function l1(input: Tensor, target: Tensor, { reduction = 'mean' }: ReductionOptions = {}): Tensor {
  checkAlike('l1', input, target);
  return reduced(input.sub(target).abs(), reduction);
}

export interface SmoothL1Options extends ReductionOptions {
  /** Below this distance the loss is quadratic. Default 1. */
  readonly beta?: number;
}

/** d² / 2β where d < β, else d − β/2, with d = |input − target|. Shapes as for {@link mse}. */
export function smoothL1(
  input: Tensor,
  target: Tensor,
  { beta = 1, reduction = 'mean' }: SmoothL1Options = {},
): Tensor {
  if (!(beta >= 0)) throw new ValueError(`smoothL1: beta is at least 0, not ${beta}.`);
  if (beta === 0) return l1(input, target, { reduction });
  checkAlike('smoothL1', input, target);
  const difference = input.sub(target);
  const distance = difference.abs();
  return reduced(distance.lt(beta).where(difference.square().mul(0.5 / beta), distance.sub(beta / 2)), reduction);
}

export interface HuberOptions extends ReductionOptions {
  /** Below this distance the loss is quadratic. Default 1. */
  readonly delta?: number;
}

/** d²/2 where d < δ, else δ(d − δ/2), with d = |input − target|. Shapes as for {@link mse}. */
export function huber(input: Tensor, target: Tensor, { delta = 1, reduction = 'mean' }: HuberOptions = {}): Tensor {
  if (!(delta > 0)) throw new ValueError(`huber: delta is above 0, not ${delta}.`);
  checkAlike('huber', input, target);
  const difference = input.sub(target);
  const distance = difference.abs();
  return reduced(distance.lt(delta).where(difference.square().mul(0.5), distance.sub(delta / 2).mul(delta)), reduction);
}

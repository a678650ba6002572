/** Negative log likelihoods of numbers under a predicted distribution. */
import { stopGradient } from '@dl/autograd';
import { type Tensor, ValueError } from '@dl/tensor';
import { checkAlike, type ReductionOptions, reduced } from './reduction';

export interface GaussianNllOptions extends ReductionOptions {
  /** Adds the constant ½ log 2π. Default false. */
  readonly full?: boolean;
  /** The least variance. Default 1e-6. */
  readonly eps?: number;
}

/**
 * Negative log likelihood of a normal distribution: ½ (log v + (input − target)² / v), with v = max(variance, eps).
 *
 * @param input - means, any shape
 * @param target - the same shape
 * @param variance - broadcast to the input; a variance below eps has the gradient that eps would have
 * @returns a scalar; the input's shape with `reduction: 'none'`
 * @throws ShapeError if the shapes do not fit
 * @see Nix & Weigend 1994, eq. 2
 */
export function gaussianNll(
  input: Tensor,
  target: Tensor,
  variance: Tensor,
  { full = false, eps = 1e-6, reduction = 'mean' }: GaussianNllOptions = {},
): Tensor {
  if (!(eps > 0)) throw new ValueError(`gaussianNll: eps is above 0, not ${eps}.`);
  checkAlike('gaussianNll', input, target);
  const v = variance.add(stopGradient(variance.maximum(eps).sub(variance)));
  const losses = v.log().add(input.sub(target).square().div(v)).mul(0.5);
  return reduced(full ? losses.add(0.5 * Math.log(2 * Math.PI)) : losses, reduction);
}

export interface PoissonNllOptions extends ReductionOptions {
  /** Whether the input is the logarithm of the rate. Default true. */
  readonly logInput?: boolean;
  /** Adds Stirling's approximation of log target!, for targets above 1. Default false. */
  readonly full?: boolean;
  /** Added to a rate before its logarithm. Default 1e-8. */
  readonly eps?: number;
}

/**
 * Negative log likelihood of a Poisson distribution: e^x − t · x for log-rates, x − t · log(x + eps) for rates.
 *
 * @param input - log-rates, or rates, any shape
 * @param target - counts, the same shape
 * @returns a scalar; the input's shape with `reduction: 'none'`
 * @throws ShapeError if the shapes differ
 */
export function poissonNll(
  input: Tensor,
  target: Tensor,
  { logInput = true, full = false, eps = 1e-8, reduction = 'mean' }: PoissonNllOptions = {},
): Tensor {
  checkAlike('poissonNll', input, target);
  const losses = logInput ? input.exp().sub(target.mul(input)) : input.sub(target.mul(input.add(eps).log()));
  return reduced(full ? losses.add(logFactorial(target)) : losses, reduction);
}

/** Stirling's t log t − t + ½ log 2πt where t > 1, else 0. */
function logFactorial(t: Tensor): Tensor {
  const isLarge = t.gt(1);
  const safe = isLarge.where(t, 1);
  const stirling = safe
    .mul(safe.log())
    .sub(safe)
    .add(
      safe
        .mul(2 * Math.PI)
        .log()
        .mul(0.5),
    );
  return isLarge.where(stirling, 0);
}

/** Normal numbers within bounds: a uniform number between the bounds' distribution values, through the inverse of the distribution. */
import { full, rand, type Tensor, ValueError } from '@dl/tensor';
import type { Initializer } from './init';

export interface TruncationOptions {
  /** No number is below this. Default −2. */
  readonly low?: number;
  /** No number is above this. Default 2. */
  readonly high?: number;
}

/** The last number below 1 that f32 holds; the inverse of erf is infinite at 1. */
const BELOW_ONE = 1 - 2 ** -24;

/**
 * Normal with a mean and a standard deviation (before what is cut off), all within [low, high].
 *
 * @param mean - default 0
 * @param std - default 1
 * @param options - `low` (−2) and `high` (2): bounds of the values, not multiples of `std`, as in PyTorch
 * @throws ValueError if `std` is not above 0, or there is nothing between the bounds
 */
export function truncatedNormal(mean = 0, std = 1, { low = -2, high = 2 }: TruncationOptions = {}): Initializer {
  if (!(std > 0)) throw new ValueError(`truncatedNormal: a standard deviation is above 0, not ${std}.`);
  if (!(low < high))
    throw new ValueError(`truncatedNormal: low is ${low} and high is ${high}. Low is the smaller one.`);
  return (shape, options) => {
    const uniform = rand(shape, options);
    const scale = Math.SQRT2 * std;
    const erfOf = (bound: number): Tensor => full([], (bound - mean) / scale, uniform.dtype).erf();
    const from = erfOf(low);
    const place = uniform.mul(erfOf(high).sub(from)).add(from);
    return inverseErf(place.clamp(-BELOW_ONE, BELOW_ONE)).mul(scale).add(mean).clamp(low, high);
  };
}

const CENTRAL = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 2.1858087e-4, -1.25372503e-3, -4.17768164e-3,
  0.246640727, 1.50140941,
];
const TAIL = [
  -2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3, -7.6224613e-3, 9.43887047e-3, 1.00167406,
  2.83297682,
];

const polynomial = (coefficients: readonly number[], x: Tensor): Tensor =>
  coefficients.slice(1).reduce((sum, c) => sum.mul(x).add(c), x.mul(0).add(coefficients[0]!));

/**
 * x with erf(x) = y, for −1 < y < 1, to 4e-7 relatively.
 *
 * @see Giles 2010, "Approximating the erfinv function", table 5
 */
function inverseErf(y: Tensor): Tensor {
  const w = y.neg().add(1).mul(y.add(1)).log().neg();
  const central = polynomial(CENTRAL, w.sub(2.5));
  const tail = polynomial(TAIL, w.sqrt().sub(3));
  return w.lt(5).where(central, tail).mul(y);
}

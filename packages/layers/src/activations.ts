/**
 * Activation functions. Where a formula would overflow on the side that is not taken, its argument is replaced first
 * (a gradient of 0 · ∞ is NaN), and at corners the gradients are PyTorch's: 0 for those that clip, the slope for `leakyRelu`.
 */
import { ShapeError, showShape, type Tensor, ValueError } from '@dl/tensor';

/** max(x, 0) */
export const relu = (x: Tensor): Tensor => x.relu();

/** min(max(x, 0), 6) */
export const relu6 = (x: Tensor): Tensor => hardtanh(x, 0, 6);

/** 1 / (1 + e^−x) */
export const sigmoid = (x: Tensor): Tensor => x.sigmoid();

export const tanh = (x: Tensor): Tensor => x.tanh();

/** x where positive, slope · x elsewhere. Default slope 0.01. */
export const leakyRelu = (x: Tensor, slope = 0.01): Tensor => x.gt(0).where(x, x.mul(slope));

/**
 * {@link leakyRelu} with a learned slope.
 *
 * @param weight - `[1]`, or `[C]` for the axis 1 of x
 */
export function prelu(x: Tensor, weight: Tensor): Tensor {
  if (weight.size === 1) return x.gt(0).where(x, x.mul(weight.reshape([])));
  if (x.shape[1] !== weight.size) {
    throw new ShapeError(
      `prelu: the weight ${showShape(weight.shape)} has ${weight.size} slopes, but x ${showShape(x.shape)} has ${x.shape[1] ?? 'no'} channels. Give one, or one a channel.`,
    );
  }
  return x.gt(0).where(x, x.mul(weight.reshape([weight.size, ...Array<number>(x.rank - 2).fill(1)])));
}

/** x where it is not positive, 0 elsewhere. */
const negativePart = (x: Tensor): Tensor => x.gt(0).where(0, x);

/** x where positive, α(e^x − 1) elsewhere. Default α = 1. */
export const elu = (x: Tensor, alpha = 1): Tensor => x.gt(0).where(x, negativePart(x).expm1().mul(alpha));

/** x where positive, α(e^(x/α) − 1) elsewhere. Default α = 1. */
export const celu = (x: Tensor, alpha = 1): Tensor => x.gt(0).where(x, negativePart(x).div(alpha).expm1().mul(alpha));

const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

/** Scaled {@link elu} that keeps mean 0 and variance 1. See Klambauer et al. 2017. */
export const selu = (x: Tensor): Tensor => elu(x, SELU_ALPHA).mul(SELU_SCALE);

export interface GeluOptions {
  /** `none` is the exact form; `tanh` the approximation that GPT-2 has. Default `none`. */
  readonly approximate?: 'none' | 'tanh';
}

/** x · Φ(x), the standard normal's distribution function. */
export function gelu(x: Tensor, { approximate = 'none' }: GeluOptions = {}): Tensor {
  const half = x.mul(0.5);
  if (approximate === 'none') return half.mul(x.mul(Math.SQRT1_2).erf().add(1));
  const inner = x
    .mul(x)
    .mul(x)
    .mul(0.044715)
    .add(x)
    .mul(Math.sqrt(2 / Math.PI));
  return half.mul(inner.tanh().add(1));
}

/** x · sigmoid(x), also called swish. */
export const silu = (x: Tensor): Tensor => x.mul(x.sigmoid());

/** x · tanh(softplus(x)) */
export const mish = (x: Tensor): Tensor => x.mul(softplus(x).tanh());

export interface SoftplusOptions {
  /** Default 1. */
  readonly beta?: number;
  /** Linear where β · x is above this. Default 20. */
  readonly threshold?: number;
}

/** log(1 + e^(βx)) / β */
export function softplus(x: Tensor, { beta = 1, threshold = 20 }: SoftplusOptions = {}): Tensor {
  if (!(beta > 0)) throw new ValueError(`softplus: beta is above 0, not ${beta}.`);
  const scaled = x.mul(beta);
  const isLinear = scaled.gt(threshold);
  return isLinear.where(x, isLinear.where(0, scaled).exp().log1p().div(beta));
}

/** log sigmoid(x) = −log(1 + e^−x) */
export const logSigmoid = (x: Tensor): Tensor => softplus(x.neg(), exactly).neg();

/** Beyond 40 the linear form is the value itself, in f64 too. */
const exactly: SoftplusOptions = { threshold: 40 };

/** x / (1 + |x|) */
export const softsign = (x: Tensor): Tensor => x.div(x.abs().add(1));

/** x − tanh(x) */
export const tanhshrink = (x: Tensor): Tensor => x.sub(x.tanh());

/** x limited to [low, high]; at the limits the gradient is 0. Default ±1. */
export function hardtanh(x: Tensor, low = -1, high = 1): Tensor {
  if (!(low <= high)) throw new ValueError(`hardtanh: low is ${low} and high is ${high}. Low comes first.`);
  return x.maximum(low).minimum(high);
}

/** x/6 + 1/2, limited to [0, 1]. */
export const hardsigmoid = (x: Tensor): Tensor => hardtanh(x.div(6).add(0.5), 0, 1);

/** x · hardsigmoid(x) */
export const hardswish = (x: Tensor): Tensor => x.mul(hardsigmoid(x));

/** x where |x| > λ, else 0. Default λ = 0.5. */
export const hardshrink = (x: Tensor, lambda = 0.5): Tensor => x.abs().le(lambda).where(0, x);

/** x moved towards 0 by λ, and 0 within λ. Default λ = 0.5. */
export const softshrink = (x: Tensor, lambda = 0.5): Tensor =>
  x.gt(lambda).where(x.sub(lambda), x.lt(-lambda).where(x.add(lambda), x.mul(0)));

/** The first half along an axis times the sigmoid of the second. Default axis −1. */
export function glu(x: Tensor, axis = -1): Tensor {
  const size = x.shape.at(axis);
  if (size === undefined || size % 2 !== 0) {
    throw new ShapeError(
      `glu: axis ${axis} of ${showShape(x.shape)} has ${size ?? 'no'} elements. It needs an even number, to have halves.`,
    );
  }
  const [value, gate] = x.split(axis, size / 2) as [Tensor, Tensor];
  return value.mul(gate.sigmoid());
}

/** e^x / Σ e^x along an axis. */
export const softmax = (x: Tensor, axis: number): Tensor => x.softmax(axis);

/** x − log Σ e^x along an axis. */
export const logSoftmax = (x: Tensor, axis: number): Tensor => x.logSoftmax(axis);

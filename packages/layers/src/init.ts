/**
 * Initialisers: functions of a shape that give a first value. The fans of a weight `[out, in, kernel…]` are
 * in · Πkernel and out · Πkernel; a vector has none, and the initialisers that need them refuse it.
 */
import {
  type DType,
  full,
  type Generator,
  rand,
  randn,
  type Shape,
  ShapeError,
  showShape,
  type Tensor,
  ValueError,
} from '@dl/tensor';

/** What layers take as `weightInit` and `biasInit`. */
export type Initializer = (shape: Shape, options?: InitOptions) => Tensor;

export interface InitOptions {
  /** f32 (the default) or f64. */
  readonly dtype?: DType;
  /** Where random numbers come from. Default: the one that `setSeed` seeds. */
  readonly generator?: Generator;
}

export interface GainOptions extends InitOptions {
  /** Factor of the standard deviation. Default 1. */
  readonly gain?: number;
}

/** Which fan the variance is the reciprocal of. */
export type FanMode = 'fanIn' | 'fanOut';

export interface HeOptions extends InitOptions {
  /** `fanIn` keeps the variance of values, `fanOut` that of gradients. Default `fanIn`. */
  readonly mode?: FanMode;
  /** What follows the layer. Default `relu`. */
  readonly nonlinearity?: Nonlinearity;
  /** The negative slope of `leakyRelu`. Default 0.01 there. */
  readonly slope?: number;
}

export type Nonlinearity = 'linear' | 'sigmoid' | 'tanh' | 'relu' | 'leakyRelu' | 'selu';

/**
 * The factor by which a nonlinearity's weights are widened, so that the variance stays over layers.
 *
 * @param slope - of `leakyRelu`; default 0.01
 */
export function gainOf(nonlinearity: Nonlinearity, slope = 0.01): number {
  const gains = {
    linear: 1,
    sigmoid: 1,
    tanh: 5 / 3,
    relu: Math.SQRT2,
    leakyRelu: Math.sqrt(2 / (1 + slope ** 2)),
    selu: 3 / 4,
  };
  return gains[nonlinearity];
}

/**
 * The numbers of inputs and outputs that each element of a weight connects.
 *
 * @throws ShapeError for fewer than two axes
 */
export function fansOf(shape: Shape): { readonly fanIn: number; readonly fanOut: number } {
  const [out, input, ...kernel] = shape;
  if (out === undefined || input === undefined) {
    throw new ShapeError(
      `fansOf: a weight has at least two axes, [out, in, kernel…], but the shape is ${showShape(shape)}. Use uniform or normal.`,
    );
  }
  const field = kernel.reduce((n, k) => n * k, 1);
  return { fanIn: input * field, fanOut: out * field };
}

/** The same number everywhere. */
export const constant =
  (value: number): Initializer =>
  (shape, { dtype = 'f32' } = {}) =>
    full(shape, value, dtype);

/** Uniform in [low, high). */
export function uniform(low: number, high: number): Initializer {
  if (!(low <= high)) throw new ValueError(`uniform: low is ${low} and high is ${high}. Low comes first.`);
  return (shape, options) =>
    rand(shape, options)
      .mul(high - low)
      .add(low);
}

/** Normal with a mean and a standard deviation. */
export function normal(mean = 0, std = 1): Initializer {
  if (!(std >= 0)) throw new ValueError(`normal: a standard deviation is at least 0, not ${std}.`);
  return (shape, options) => randn(shape, options).mul(std).add(mean);
}

const uniformOfStd = (shape: Shape, std: number, options: InitOptions): Tensor =>
  uniform(-Math.sqrt(3) * std, Math.sqrt(3) * std)(shape, options);

const xavierStd = (shape: Shape, gain: number): number => {
  const { fanIn, fanOut } = fansOf(shape);
  return gain * Math.sqrt(2 / (fanIn + fanOut));
};

/**
 * Uniform in ±gain · √(6 / (fanIn + fanOut)).
 *
 * @see Glorot & Bengio 2010, eq. 16
 */
export const xavierUniform = (shape: Shape, { gain = 1, ...options }: GainOptions = {}): Tensor =>
  uniformOfStd(shape, xavierStd(shape, gain), options);

/** Normal with standard deviation gain · √(2 / (fanIn + fanOut)). */
export const xavierNormal = (shape: Shape, { gain = 1, ...options }: GainOptions = {}): Tensor =>
  normal(0, xavierStd(shape, gain))(shape, options);

const heStd = (shape: Shape, { mode = 'fanIn', nonlinearity = 'relu', slope }: HeOptions): number =>
  gainOf(nonlinearity, slope) / Math.sqrt(fansOf(shape)[mode]);

/**
 * Uniform in ±gain · √(3 / fan).
 *
 * @see He et al. 2015, eq. 10
 */
export const heUniform = (shape: Shape, options: HeOptions = {}): Tensor =>
  uniformOfStd(shape, heStd(shape, options), options);

/** Normal with standard deviation gain / √fan. */
export const heNormal = (shape: Shape, options: HeOptions = {}): Tensor =>
  normal(0, heStd(shape, options))(shape, options);

const lecun = { nonlinearity: 'linear' } as const;

/** Uniform with standard deviation 1 / √fanIn: for SELU. */
export const lecunUniform = (shape: Shape, options: InitOptions = {}): Tensor =>
  heUniform(shape, { ...options, ...lecun });

/** Normal with standard deviation 1 / √fanIn: for SELU. */
export const lecunNormal = (shape: Shape, options: InitOptions = {}): Tensor =>
  heNormal(shape, { ...options, ...lecun });

/**
 * PyTorch's default for weights and biases of linear layers and convolutions: uniform in ±1 / √fanIn, which is He's
 * uniform for a leaky ReLU of slope √5.
 */
export const fanInUniform = (fanIn: number): Initializer => {
  const bound = fanIn === 0 ? 0 : 1 / Math.sqrt(fanIn);
  return uniform(-bound, bound);
};

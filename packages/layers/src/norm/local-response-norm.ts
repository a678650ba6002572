/** Normalisation of each element by its neighbours in other channels, as in AlexNet. */
import { ShapeError, showShape, type Tensor, ValueError } from '@dl/tensor';
import { Module } from '../module';

export interface LocalResponseNormOptions {
  /** Default 1e-4. */
  readonly alpha?: number;
  /** Default 0.75. */
  readonly beta?: number;
  /** Default 1. */
  readonly k?: number;
}

/**
 * Divides each element by a power of the squares around it:
 * y = x / (k + alpha / size · Σ x²)^beta, over `size` channels from c − ⌊size/2⌋ to c + ⌊(size−1)/2⌋.
 *
 * @param x - `[N, C, spatial…]`, float
 * @param size - how many channels a sum takes
 * @returns same shape and dtype as `x`
 * @throws ShapeError if x has no channels, ValueError if `size` is no positive whole number
 * @see Krizhevsky, Sutskever & Hinton 2012, section 3.3 (without the division by size; here as in PyTorch)
 */
export function localResponseNorm(
  x: Tensor,
  size: number,
  { alpha = 1e-4, beta = 0.75, k = 1 }: LocalResponseNormOptions = {},
): Tensor {
  if (!Number.isInteger(size) || size < 1)
    throw new ValueError(`localResponseNorm: size is a whole number of at least 1, not ${size}.`);
  if (x.rank < 2)
    throw new ShapeError(`localResponseNorm: x is ${showShape(x.shape)}, but data is [N, C, spatial…]. Add the axes.`);
  if (x.size === 0) return x;
  const planes = x.square().reshape([x.shape[0]!, x.shape[1]!, -1]);
  const padding = [[Math.floor(size / 2), Math.floor((size - 1) / 2)] as const, [0, 0] as const];
  const sums = planes.windowSum({ size: [size, 1], stride: [1, 1], dilation: [1, 1], padding });
  return x.mul(
    sums
      .reshape(x.shape)
      .mul(alpha / size)
      .add(k)
      .pow(-beta),
  );
}

/** {@link localResponseNorm} as a layer. */
export class LocalResponseNorm extends Module {
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;

  constructor(
    readonly size: number,
    { alpha = 1e-4, beta = 0.75, k = 1 }: LocalResponseNormOptions = {},
  ) {
    super();
    this.alpha = alpha;
    this.beta = beta;
    this.k = k;
  }

  forward(x: Tensor): Tensor {
    const { alpha, beta, k } = this;
    return localResponseNorm(x, this.size, { alpha, beta, k });
  }
}

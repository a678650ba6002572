/**
 * What all normalisations share: zero mean and unit variance over some axes, the two passes that do not cancel, and the
 * shape in which statistics and factors of channels stand beside the data.
 */
import { ShapeError, showShape, type Tensor } from '@dl/tensor';

/** Mean and biased variance, with the reduced axes kept at size 1. */
export interface Moments {
  readonly mean: Tensor;
  readonly variance: Tensor;
}

export function momentsOf(x: Tensor, axes: readonly number[]): Moments {
  const mean = x.mean(axes, { keepDims: true });
  return { mean, variance: x.sub(mean).square().mean(axes, { keepDims: true }) };
}

/** (x − mean) / √(variance + eps) */
export const standardizedBy = (x: Tensor, { mean, variance }: Moments, eps: number): Tensor =>
  x.sub(mean).mul(variance.add(eps).rsqrt());

/** x with zero mean and unit variance over the axes. */
export const standardized = (x: Tensor, axes: readonly number[], eps: number): Tensor =>
  standardizedBy(x, momentsOf(x, axes), eps);

/** Whole numbers from start up to, not including, stop. */
export const range = (start: number, stop: number): number[] =>
  Array.from({ length: Math.max(stop - start, 0) }, (_, i) => start + i);

/** `[C]` as `[C, 1…]`, beside `[N, C, spatial…]`. */
export const besideChannels = (t: Tensor, rank: number): Tensor =>
  t.reshape([t.size, ...Array<number>(Math.max(rank - 2, 0)).fill(1)]);

/** x · weight + bias, with one of each a channel. */
export function scaledChannels(x: Tensor, weight: Tensor | undefined | null, bias: Tensor | undefined | null): Tensor {
  const scaled = weight ? x.mul(besideChannels(weight, x.rank)) : x;
  return bias ? scaled.add(besideChannels(bias, x.rank)) : scaled;
}

/**
 * @throws ShapeError unless x has an axis 1 and every given tensor has one element for each of its channels
 */
export function checkChannelFactors(
  operation: string,
  x: Tensor,
  factors: Readonly<Record<string, Tensor | null | undefined>>,
): number {
  const channels = x.shape[1];
  if (channels === undefined)
    throw new ShapeError(`${operation}: x is ${showShape(x.shape)}, but data is [N, C, spatial…]. Add the batch axis.`);
  for (const [name, factor] of Object.entries(factors)) {
    if (factor && factor.size !== channels)
      throw new ShapeError(
        `${operation}: ${name} is ${showShape(factor.shape)}, but x ${showShape(x.shape)} has ${channels} channels. Give one number a channel.`,
      );
  }
  return channels;
}

/** One statistic a channel, `[C]`, from one with axes kept. */
export const perChannel = (t: Tensor): Tensor => t.reshape([t.size]);
